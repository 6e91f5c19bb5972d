//! What all workers of a run share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::clip::TimeColumn;
use super::frontier::Frontier;
use super::rejects::{Allowance, Headers};
use super::shortage::Start;
use super::spool::Spool;
use super::statements::Statements;
use super::stop::Stop;
use super::supply::Supply;
use super::team::Team;
use crate::encode::Encoder;
use crate::error::Result;
use crate::ledger::{JobRecord, Run};
use crate::model::{Event, Observer, Window};
use crate::options::{Commit, Existing, Options};
use crate::plan::Plan;
use crate::pool::{ByteLimit, CpuPool};
use crate::schema::Shape;
use crate::target::ConnectSettings;

/// What all workers of a run share.
pub(crate) struct Context {
    pub(crate) settings: ConnectSettings,
    pub(crate) options: Options,
    pub(crate) job: JobRecord,
    pub(crate) run: Run,
    pub(crate) statements: Statements,
    /// The table as the run's first look found it: rows are encoded for it.
    pub(crate) shape: Shape,
    pub(crate) commit: Commit,
    /// What the job allows of rejects.
    pub(crate) allowance: Allowance,
    /// How many that are.
    pub(crate) rejects_max: u64,
    pub(crate) headers: Headers,
    /// Batches with rejects so far.
    pub(crate) rejecting: AtomicU64,
    pub(crate) plan: Plan,
    pub(crate) supply: Arc<Supply>,
    pub(crate) time: Option<TimeColumn>,
    /// Blocks of all windows, where the plan reads its pieces once instead of once a window.
    pub(crate) spool: Option<Spool>,
    pub(crate) pool: CpuPool,
    pub(crate) memory: ByteLimit,
    /// Pieces that one window decodes at once.
    pub(crate) pieces_at_once: usize,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: Stop,
    pub(crate) frontier: Frontier,
    pub(crate) team: Team,
    pub(crate) start: Start,
    /// Set when a worker failed for good: the others end after their windows.
    pub(crate) halted: AtomicBool,
}

impl Context {
    pub(crate) fn observe(&self, event: &Event) {
        self.observer.observe(event);
    }

    /// A window as people read it.
    pub(crate) fn name(&self, window: &Window) -> String {
        window.display(self.job.key_kind)
    }

    pub(crate) fn existing(&self) -> Existing {
        self.options.existing()
    }

    /// An encoder for the rows of one object.
    pub(crate) fn encoder(&self, object: u32) -> Result<Encoder> {
        self.supply.encoder(object)
    }
}
