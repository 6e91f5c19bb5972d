//! The engine: everything meets here. Profile and plan, then workers that claim, clear, load and try again.

mod accept;
mod aftermath;
mod backoff;
mod batch;
mod bisection;
mod blocks;
mod careful;
mod change;
mod clear;
mod clip;
mod context;
mod crew;
mod custom;
mod emptied;
mod enter;
mod finish;
mod frontier;
mod group;
mod held;
mod inspect;
mod layout;
mod lease;
mod merge;
mod nothing;
mod occupied;
mod own;
mod persist;
mod prepare;
mod probe;
mod profile;
mod proposal;
mod published;
mod redo;
mod rejects;
mod remains;
mod rights;
mod run;
mod settings;
mod shortage;
mod spool;
mod statements;
mod stop;
mod supply;
mod takeover;
mod tally;
mod team;
mod undo;
mod watch;
mod window;
mod worker;

use std::sync::Arc;

pub use inspect::{Advice, BadRecord, InspectedObject, InspectedTime, Inspection, inspect};
pub use proposal::{PlannedColumn, Proposal, ProposedWindow};
pub use stop::Stop;
pub use supply::Input;
pub use undo::{MissingRows, Undone, undo, undo_repeating};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Observer, Summary};
use crate::options::Options;
use crate::report;
use crate::target::ConnectSettings;

/// One configured backfill of one table.
///
/// ```no_run
/// # async fn example() -> pgbackfill::Result<()> {
/// use pgbackfill::{Backfill, ConnectSettings, Options, Stop};
///
/// let target = ConnectSettings::from_environment()?;
/// let options = Options::new("metrics").with_time_column("ts");
/// let backfill = Backfill::new(target, "data/**/*.parquet", options);
/// let summary = backfill.load(|_: &_| (), &Stop::new()).await?;
/// println!("{} rows", summary.rows);
/// # Ok(())
/// # }
/// ```
pub struct Backfill {
    target: ConnectSettings,
    input: Input,
    options: Options,
}

impl Backfill {
    /// A backfill of `input` into the table that `options` names.
    pub fn new(target: ConnectSettings, input: impl Into<Input>, options: Options) -> Self {
        let target = target.with_statement_timeout(options.limits.statement_timeout);
        Self { target, input: input.into(), options }
    }

    /// The same, whose sessions tell `observer` what they wait for.
    fn watched_by(&self, observer: &Arc<dyn Observer>) -> Self {
        let target = self.target.clone().with_observer(Arc::clone(observer));
        Self { target, input: self.input.clone(), options: self.options.clone() }
    }

    /// What [`Backfill::load`] would do. Touches nothing.
    ///
    /// # Errors
    ///
    /// Whatever would keep the load from starting.
    pub async fn plan(&self, observer: impl Observer + 'static) -> Result<Proposal> {
        self.options.check()?;
        let observer: Arc<dyn Observer> = Arc::new(observer);
        let backfill = self.watched_by(&observer);
        let session = prepare::connect(&backfill, &observer).await?;
        let opening = prepare::open(&backfill, session, &observer).await?;
        let prepared = prepare::plan(&backfill, opening, prepare::Purpose::Proposal, &observer).await;
        proposal::of(&backfill, &prepared.map_err(|error| persist::with_next_step(error, self.options.on_conflict))?)
            .await
    }

    /// Loads what is not loaded yet. Running it again resumes, and after the last window does nothing.
    ///
    /// A request to stop ends the load in good order: the summary says so, and the job can be resumed.
    ///
    /// # Errors
    ///
    /// The first failure that trying again could not mend. What was loaded stays, and the job can be resumed.
    pub async fn load(&self, observer: impl Observer + 'static, stop: &Stop) -> Result<Summary> {
        self.options.check()?;
        let observer: Arc<dyn Observer> = Arc::new(observer);
        Box::pin(run::load(&self.watched_by(&observer), observer, stop.clone())).await
    }
}

/// A source type as people read it.
fn type_name(data_type: &arrow_schema::DataType) -> String {
    match data_type {
        arrow_schema::DataType::Utf8 => "text".to_owned(),
        other => other.to_string(),
    }
}

/// Rows of others took values of the job's, and carry its transaction ids: to delete these would take them from others.
fn updated(rows: u64) -> Error {
    Error::new(
        ErrorKind::Settings,
        format!("{} of others took values of the job (--on-conflict update)", report::counted(rows, "row")),
    )
    .with_hint(
        "what they held before is not known any more, and they are not the job's to delete; mend the table by hand",
    )
}

/// The window, or the table, holds rows that are not the job's.
fn occupied(table: &str, window: &str) -> Error {
    Error::new(ErrorKind::Occupied, format!("{table} already holds rows that this job did not write"))
        .in_window(window)
        .with_hint(
            "--existing keep loads beside them, skip leaves such windows out, replace deletes those rows first; --scope \
             narrows the check to rows that a predicate selects",
        )
}
