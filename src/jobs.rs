//! Questions to the ledger, each over a connection of its own.

use crate::error::Result;
use crate::ledger::{self, JobStatus};
use crate::target::{ConnectSettings, Session};

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
