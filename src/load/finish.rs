//! The end of a load: is every row that belongs to the job's windows there, and is the source still what was planned?

use std::sync::Arc;
use std::time::Instant;

use super::change::Change;
use super::supply::{Input, Listing};
use super::worker::{Work, chain};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, JobStatus};
use crate::model::{Event, Observer, Summary};
use crate::options::Limits;
use crate::target::Session;

/// Lists the source once more, and tells what changed while the run went on: what is loaded is what was planned.
pub(super) async fn tell_changes(
    session: &Session,
    job: &JobRecord,
    (input, limits): (&Input, &Limits),
    observer: &Arc<dyn Observer>,
) -> Result<()> {
    let message = match Listing::of(input, limits).await {
        Ok(listing) => match Change::between(&job.objects(session).await?, &listing.objects) {
            Some(change) => format!(
                "the source has changed since it was planned: {}; what is loaded is what was planned, and the next run will \
                 ask for --accept-changed-source",
                change.names()
            ),
            None => return Ok(()),
        },
        Err(error) => format!("the source could not be listed once more: {}", chain(&error)),
    };
    observer.observe(&Event::Warning { message });
    Ok(())
}

/// How the job stands; one that is complete stays so if the server crashes now.
pub(super) async fn standing(session: &Session, job: &JobRecord) -> Result<JobStatus> {
    let status = JobStatus::of(session, job).await?;
    if status.progress.is_complete() {
        ledger::settle(session, job)
            .await
            .map_err(|error| error.context("make sure that what was loaded is on the server's disk"))?;
    }
    Ok(status)
}

/// Sums up, after checking that the windows hold every row of the source that belongs to them.
pub(super) fn finish(
    job: &JobRecord,
    status: JobStatus,
    work: Work,
    begun: Instant,
    observer: &Arc<dyn Observer>,
    interrupted: bool,
) -> Result<Summary> {
    let summary = Summary {
        job: job.name.clone(),
        table: job.table.clone(),
        progress: status.progress,
        windows: work.windows,
        rows: work.rows,
        conflicts: work.conflicts,
        bytes: work.bytes,
        seconds: begun.elapsed().as_secs_f64(),
        retries: work.retries,
        rows_before_range: job.rows.before,
        rows_after_range: job.rows.after,
        rows_unkeyed: job.rows.unkeyed,
        rows_rejected: status.progress.rejected,
        mended: job.mended,
        frontier: status.frontier,
        interrupted: interrupted && !status.progress.is_complete(),
    };
    let progress = summary.progress;
    // Those that belong to no window are not among the rows of windows.
    let rejected = progress.rejected.saturating_sub(job.rows.rejected);
    let (rows, expected) = (progress.rows + progress.conflicts.skipped + rejected, job.rows.inside());
    if summary.is_complete() && progress.skipped == 0 && rows != expected {
        return Err(Error::new(
            ErrorKind::Internal,
            format!("{rows} rows were loaded, skipped on request or rejected, of {expected} that the profile counted"),
        )
        .with_hint(format!(
            "the source changed while it was read, or this is a defect; `pgbackfill undo {}` takes back the job",
            job.name
        )));
    }
    observer.observe(&Event::Finished(summary.clone()));
    Ok(summary)
}
