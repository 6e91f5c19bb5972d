//! One connection for as long as it lasts: where it leads, whether a transaction is open on it, and which process serves it.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use tokio_postgres::Client;

use super::ConnectSettings;
use super::search_path::SearchPath;
use super::transaction::opening;
use crate::error::Result;

/// One connection to the server.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) settings: ConnectSettings,
    /// Host and port, or socket folder and port.
    pub(super) place: String,
    /// The statements that begin a transaction.
    pub(super) opening: String,
    /// Whether the database can hold any text.
    pub(super) is_utf8: bool,
    driver: AbortHandle,
    phase: AtomicU8,
    /// Whether the open transaction has the session's own search path.
    in_own_path: AtomicBool,
    /// 0 while it is not known.
    process: AtomicI32,
    abandoned: AtomicBool,
    made: Instant,
    /// When the server last answered, in milliseconds since the connection was made.
    answered: AtomicU64,
}

/// A connection that nothing was asked of for so long may be gone: servers, poolers and firewalls end idle ones.
const REST: Duration = Duration::from_millis(250);

/// Where a connection stands between `begin` and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No transaction is open.
    Outside,
    /// One is open.
    Open,
    /// One is open, and has failed: it can only be rolled back.
    Failed,
}

impl Link {
    pub(super) async fn open(settings: &ConnectSettings) -> Result<Self> {
        let opened = settings.connect(settings.session_name()).await?;
        Ok(Self {
            opening: opening(opened.version, settings.transaction_name()),
            client: opened.client,
            settings: settings.clone(),
            place: opened.place,
            is_utf8: opened.is_utf8,
            driver: opened.driver.abort_handle(),
            phase: AtomicU8::new(Phase::Outside as u8),
            in_own_path: AtomicBool::new(false),
            process: AtomicI32::new(0),
            abandoned: AtomicBool::new(false),
            made: Instant::now(),
            answered: AtomicU64::new(0),
        })
    }

    /// Whether the connection is still there. Asks the server, unless it answered just now.
    pub(super) async fn is_there(&self) -> bool {
        if self.is_closed() {
            return false;
        }
        let answered = Duration::from_millis(self.answered.load(Ordering::SeqCst));
        self.made.elapsed() < answered + REST || Box::pin(self.wait("", self.client.batch_execute(""))).await.is_ok()
    }

    pub(super) fn note_answer(&self) {
        let since = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(since, Ordering::SeqCst);
    }

    /// Whether the connection is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        self.abandoned.load(Ordering::SeqCst) || self.client.is_closed()
    }

    /// Closes the connection at once: nothing that is still to come over it is wanted.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
        self.driver.abort();
    }

    pub(super) fn phase(&self) -> Phase {
        let phase = self.phase.load(Ordering::SeqCst);
        [Phase::Outside, Phase::Open, Phase::Failed][usize::from(phase)]
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// The search path of the transaction that is open.
    pub(super) fn path(&self) -> SearchPath {
        if self.in_own_path.load(Ordering::SeqCst) { SearchPath::Own } else { SearchPath::Pinned }
    }

    pub(super) fn note_path(&self, path: SearchPath) {
        self.in_own_path.store(path == SearchPath::Own, Ordering::SeqCst);
    }

    /// Notes that a statement failed: if a transaction is open, nothing of it can be committed.
    pub(super) fn note_failure(&self) {
        if self.phase() == Phase::Open {
            self.enter(Phase::Failed);
        }
    }

    /// The server's process that serves the transaction, once that has begun.
    pub(super) fn process(&self) -> Option<i32> {
        Some(self.process.load(Ordering::SeqCst)).filter(|pid| *pid != 0)
    }

    pub(super) fn set_process(&self, pid: Option<i32>) {
        self.process.store(pid.unwrap_or(0), Ordering::SeqCst);
    }
}
