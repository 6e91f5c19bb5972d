//! The end of a load: is every row that belongs to the job's windows there, and is the source still what was planned?

use std::sync::Arc;
use std::time::Instant;

use super::Backfill;
use super::change::Change;
use super::supply::Listing;
use super::worker::{Work, chain};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, JobStatus};
use crate::model::{Event, Observer, Summary};
use crate::target::Session;

/// How the job stands, and what changed in its source meanwhile if the run has `worked`. Running it again does no harm.
pub(super) async fn end(
    session: &Session,
    job: &JobRecord,
    backfill: &Backfill,
    worked: bool,
) -> Result<(JobStatus, Option<String>)> {
    let change = if worked { change_since(session, job, backfill).await? } else { None };
    Ok((standing(session, job).await?, change))
}

/// Lists the source once more, and says what changed while the run went on: what is loaded is what was planned.
async fn change_since(session: &Session, job: &JobRecord, backfill: &Backfill) -> Result<Option<String>> {
    let listing = match Listing::of(&backfill.input, &backfill.options).await {
        Ok(listing) => listing,
        Err(error) => return Ok(Some(format!("the source could not be listed once more: {}", chain(&error)))),
    };
    let change = Change::between(&job.objects(session).await?, &listing.objects);
    Ok(change.map(|change| {
        format!(
            "the source has changed since it was planned: {}; what is loaded is what was planned, and the next run will \
             ask for --accept-changed-source",
            change.names()
        )
    }))
}

/// How the job stands; one that is complete stays so if the server crashes now.
async fn standing(session: &Session, job: &JobRecord) -> Result<JobStatus> {
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
