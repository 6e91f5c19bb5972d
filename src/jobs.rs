//! Questions to the ledger, each over a connection of its own.

use serde::Serialize;

use crate::error::Result;
use crate::ledger::{self, JobRecord, JobStatus, RejectedObject, RejectedRow};
use crate::model::RejectCount;
use crate::target::{ConnectSettings, Durability, Session};

/// Makes the ledger's tables where they are missing; a load does so by itself where the role may.
///
/// # Errors
///
/// [`crate::ErrorKind::Permission`] if the role may not.
pub async fn init(target: &ConnectSettings) -> Result<()> {
    let session = Session::open(target).await?;
    session.require_version().await?;
    ledger::init(&session).await
}

/// Names of all jobs in the ledger, oldest first.
///
/// # Errors
///
/// If the server cannot be asked.
pub async fn job_names(target: &ConnectSettings) -> Result<Vec<String>> {
    ledger::job_names(&Session::open(target).await?).await
}

/// A job at a glance; the only one where none is named.
///
/// # Errors
///
/// [`crate::ErrorKind::Settings`] if there is no such job, or several and none is named.
pub async fn status(target: &ConnectSettings, job: Option<&str>) -> Result<JobStatus> {
    let session = Session::open(target).await?;
    let job = ledger::find(&session, job).await?;
    JobStatus::of(&session, &job).await
}

/// What is left of a job that was removed from the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Forgotten {
    /// Name that the job had.
    pub job: String,
    /// The table that its rows are in.
    pub table: String,
    /// Rows that the job had loaded, into half-loaded windows too.
    pub rows: u64,
    /// Rejected rows that were removed with it.
    pub rejected: u64,
}

/// Removes a job from the ledger and leaves its rows in the table. They can no longer be undone or verified, and another job
/// takes them for rows of others. It is the way out for a job whose rows cannot be told from others any more.
///
/// # Errors
///
/// [`crate::ErrorKind::Busy`] if a run of the job is alive; [`crate::ErrorKind::Settings`] if there is no such job.
pub async fn forget(target: &ConnectSettings, job: &str) -> Result<Forgotten> {
    let session = Session::open(target).await?;
    let job = ledger::find(&session, Some(job)).await?;
    let forgotten = session.transact(Durability::Synchronous, ledger::remove_job(&session, &job)).await?;
    let (rows, rejected) = (forgotten.rows, forgotten.rejected);
    Ok(Forgotten { job: job.name, table: job.table, rows, rejected })
}

/// The rows that a job has rejected, to be looked at, mended and loaded again.
pub struct Rejects {
    session: Session,
    job: JobRecord,
}

impl Rejects {
    /// Those of `job`; of the only one where none is named.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Settings`] if there is no such job, or several and none is named.
    pub async fn of(target: &ConnectSettings, job: Option<&str>) -> Result<Self> {
        let session = Session::open(target).await?;
        let job = ledger::find(&session, job).await?;
        Ok(Self { session, job })
    }

    /// Name of the job.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job.name
    }

    /// Lines that the job's options leave out at the end of each object.
    #[must_use]
    pub fn footer_lines(&self) -> u64 {
        self.job.settings["footer-lines"].as_u64().unwrap_or_default()
    }

    /// The encoding that the job's options name, if it is one whose records are kept as UTF-8.
    #[must_use]
    pub fn recoded_from(&self) -> Option<&str> {
        self.job.settings["encoding"].as_str().filter(|name| name.starts_with("utf-16"))
    }

    /// The objects that they are of, in the order of their URIs.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    pub async fn objects(&self) -> Result<Vec<RejectedObject>> {
        self.job.rejected_objects(&self.session).await
    }

    /// How many there are, by reason and column, most first; those of one object where one is named.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    pub async fn counts(&self, object: Option<&str>) -> Result<Vec<RejectCount>> {
        self.job.reject_counts(&self.session, object).await
    }

    /// Hands each to `take`, in the order of objects and records; those of one object where one is named. However many there
    /// are, few are in memory at a time.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked, or what `take` gives.
    pub async fn for_each(
        &self,
        object: Option<&str>,
        mut take: impl FnMut(RejectedRow) -> Result<()> + Send,
    ) -> Result<()> {
        self.job.each_reject(&self.session, object, &mut take).await
    }
}
