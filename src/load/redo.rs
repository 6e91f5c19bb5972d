//! `--redo`: a job's remaining rows are taken back, and every window is loaded again.
//!
//! It is an undo and a new beginning under the same name. The source is planned first: where it cannot be read, nothing is
//! taken back. A run that dies in between leaves a job that is partly undone, or none; the same command goes on.

use std::sync::Arc;

use super::settings;
use super::undo::{self, MissingRows};
use crate::error::Result;
use crate::ledger::JobRecord;
use crate::model::{Event, Observer};
use crate::options::Options;
use crate::report::{count, counted};
use crate::target::Session;

/// Refuses other settings than the job has: it would be another job.
pub(super) fn check(job: &JobRecord, settings: &serde_json::Value) -> Result<()> {
    settings::check(&job.name, &job.settings, settings)
}

/// Deletes the rows of the job that are left, and forgets the job.
pub(super) async fn take_back(
    session: &Session,
    job: &JobRecord,
    options: &Options,
    observer: &Arc<dyn Observer>,
) -> Result<()> {
    let (table, takeover) = (Some(options.table.as_str()), options.takeover);
    let undone = undo::take_back(session, job, table, takeover, MissingRows::Accept, &**observer).await?;
    let (deleted, loaded) = (count(undone.rows), counted(undone.rows_loaded, "row"));
    let message = format!(
        "--redo deleted {deleted} of the {loaded} that job {} had loaded; every window is loaded again",
        job.name
    );
    observer.observe(&Event::Warning { message });
    Ok(())
}
