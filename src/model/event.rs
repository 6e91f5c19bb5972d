//! What happens during a run, for whoever watches it.

use serde::Serialize;

use super::{Conflicts, Mended};

/// Something that happened during a run. With `--json` each is printed as one line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "the summary comes once a run")]
#[non_exhaustive]
pub enum Event {
    /// The sources were profiled and cut into windows.
    Planned {
        /// Name of the job.
        job: String,
        /// Windows in the plan.
        windows: u64,
        /// Rows inside the range.
        rows: u64,
        /// Bytes of the pieces.
        bytes: u64,
    },
    /// A step of preparation, told to people while they wait.
    Preparing {
        /// What is being done, as a lower-case phrase.
        step: String,
    },
    /// Loading begins.
    Started {
        /// Name of the job.
        job: String,
        /// Windows that are still to be loaded.
        windows: u64,
        /// Windows loaded by earlier runs.
        windows_before: u64,
        /// Rows in the windows that are still to be loaded, as the plan counts them.
        rows: u64,
        /// Connections that load.
        workers: usize,
    },
    /// A window was claimed.
    Claimed {
        /// The window, as people read it.
        window: String,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// Rows of earlier attempts that were deleted first.
        cleared: u64,
    },
    /// A batch was committed.
    Batch {
        /// The window.
        window: String,
        /// Rows in it.
        rows: u64,
        /// COPY bytes in it.
        bytes: u64,
        /// Source rows that met a row of their key.
        #[serde(flatten)]
        conflicts: Conflicts,
    },
    /// A window was loaded.
    Loaded {
        /// The window.
        window: String,
        /// Rows in it.
        rows: u64,
        /// COPY bytes sent for it.
        bytes: u64,
        /// Seconds since its claim.
        seconds: f64,
        /// Source rows that met a row of their key.
        #[serde(flatten)]
        conflicts: Conflicts,
    },
    /// Rows of a batch were rejected, and the batch was committed without them.
    Rejected {
        /// The window; `None` where rows belong to none, because they, or their time, cannot be read.
        window: Option<String>,
        /// How many.
        rows: u64,
        /// The first of them: why, and where it stood.
        first: String,
    },
    /// A window was left as it was, because it held rows (`--existing skip`).
    Skipped {
        /// The window.
        window: String,
    },
    /// The frontier moved: every window before it is loaded.
    Frontier {
        /// The frontier, as people read it.
        frontier: String,
    },
    /// The run waits for somebody else: a lock, another run, a session that a dead client left behind.
    Waiting {
        /// What for, and who holds it, as a lower-case phrase.
        reason: String,
        /// Seconds that it has waited so far.
        seconds: f64,
    },
    /// A window failed and will be tried again.
    Retrying {
        /// The window.
        window: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Seconds until the next.
        delay_seconds: f64,
        /// Why it failed.
        error: String,
    },
    /// The server refuses a row of a window, and which one is looked for: rows are tried in smaller parts.
    Bisecting {
        /// The window.
        window: String,
        /// Rows of which at least one is refused.
        rows: u64,
        /// What the server said.
        error: String,
    },
    /// A window failed for good in this run.
    Failed {
        /// The window.
        window: String,
        /// Attempts that were made.
        attempts: u32,
        /// Why the last one failed.
        error: String,
    },
    /// Something that a person should know, and that did not stop the run.
    Warning {
        /// What it is.
        message: String,
    },
    /// A window was compared with the ledger.
    Verified {
        /// The window.
        window: String,
        /// Rows that are there.
        rows: u64,
        /// Whether they are those that were loaded.
        equal: bool,
    },
    /// What a job had loaded into a window was deleted.
    Undone {
        /// The window.
        window: String,
        /// Rows deleted.
        rows: u64,
    },
    /// The user asked to stop; running batches are finished.
    Stopping,
    /// The run ended.
    Finished(Summary),
}

/// Whoever watches a run. Called from many threads; must not block.
pub trait Observer: Send + Sync {
    /// Takes note of `event`.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Windows of the job.
    pub windows: u64,
    /// Windows loaded.
    pub loaded: u64,
    /// Windows skipped, because they held rows.
    pub skipped: u64,
    /// Windows that failed for good.
    pub failed: u64,
    /// Rows loaded.
    pub rows: u64,
    /// Source rows of loaded windows that met a row of their key.
    #[serde(flatten)]
    pub conflicts: Conflicts,
    /// Rows rejected, by windows and for belonging to none.
    pub rejected: u64,
}

impl Progress {
    /// Whether every window of the job is loaded, or was skipped on request.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.loaded + self.skipped == self.windows
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the job.
    pub job: String,
    /// The table.
    pub table: String,
    /// The job as a whole.
    pub progress: Progress,
    /// Windows that this run loaded.
    pub windows: u64,
    /// Rows that this run loaded.
    pub rows: u64,
    /// Source rows that met a row of their key in this run.
    #[serde(flatten)]
    pub conflicts: Conflicts,
    /// COPY bytes that this run sent.
    pub bytes: u64,
    /// Seconds that this run took.
    pub seconds: f64,
    /// Windows tried again; a transaction for several small windows counts once.
    pub retries: u64,
    /// Source rows before the range.
    pub rows_before_range: u64,
    /// Source rows at or after the completion point.
    pub rows_after_range: u64,
    /// Source rows whose time is null or infinite.
    pub rows_unkeyed: u64,
    /// What was mended in delimited text, over the whole source.
    pub mended: Mended,
    /// Source rows that the job has rejected, by this run and others.
    pub rows_rejected: u64,
    /// The time before which every window is loaded, with no hole; as people read it.
    pub frontier: Option<String>,
    /// Whether the user stopped the run.
    pub interrupted: bool,
}

impl Summary {
    /// Whether every window of the job is loaded, or was skipped on request.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.progress.is_complete()
    }
}
