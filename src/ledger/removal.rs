//! A job that is removed from the ledger while its rows stay in the table.

use super::job::unsigned;
use super::{JobRecord, live};
use crate::error::{Error, ErrorKind, Result};
use crate::target::Session;

/// What the ledger knew of a job that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Rows of its batches.
    pub(crate) rows: u64,
    /// Rows that it had rejected.
    pub(crate) rejected: u64,
}

/// Removes a job with all that the ledger knows of it, in the caller's transaction. A run that is frozen and thaws later
/// finds its window gone, and commits nothing.
///
/// # Errors
///
/// [`ErrorKind::Busy`] if a run of the job is alive.
pub(crate) async fn remove_job(session: &Session, job: &JobRecord) -> Result<Removed> {
    session.query("select from pgbackfill.jobs where id = $1 for update", &[&job.id]).await?;
    if let Some(run) = live(session, job).await?.first() {
        return Err(Error::new(ErrorKind::Busy, format!("job {} is being loaded by {run}", job.name))
            .with_hint("stop that run, or wait until it has ended; if it has died, its lease runs out by itself"));
    }
    // A commit that is under way is waited for, and its rows are counted.
    session.query("select from pgbackfill.windows where job_id = $1 order by number for update", &[&job.id]).await?;
    let sql = "select coalesce(sum(rows), 0)::bigint from pgbackfill.batches where job_id = $1";
    let rows = unsigned(session.query_one(sql, &[&job.id]).await?.get(0));
    let rejected = super::total_rejects(session, job.id).await?;
    session.execute("delete from pgbackfill.jobs where id = $1", &[&job.id]).await?;
    Ok(Removed { rows, rejected })
}
