//! Undo: deletes exactly what a job loaded, and forgets the job.

use std::time::Duration;

use serde::Serialize;

use super::clear::{Cleared, vacuum_advice};
use super::own::OwnRows;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, Run, RunRequest, WindowStatus};
use crate::model::{Event, Observer, Repeated};
use crate::target::{ConnectSettings, Durability, Session};

/// What an undo does where rows that the job loaded are gone, or carry other transaction ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingRows {
    /// Stops, and keeps the job.
    #[default]
    Refuse,
    /// Deletes the rows that are left, and removes the job.
    Accept,
}

/// What an undo did.
#[derive(Debug, Clone, Serialize)]
pub struct Undone {
    /// Name of the job.
    pub job: String,
    /// Rows deleted.
    pub rows: u64,
    /// Rows that the job had loaded; more than were deleted where rows were missing and that was accepted.
    pub rows_loaded: u64,
}

/// Deletes exactly the rows that `job` loaded, window by window, and then the job itself. Interrupted, it can be run again.
///
/// # Errors
///
/// [`ErrorKind::Busy`] if the job is being loaded; [`ErrorKind::Settings`] if its rows carry no transaction id, or
/// rows of others have taken some of their values; [`ErrorKind::Changed`] if a window holds fewer rows of the job than were
/// loaded, unless that is accepted, or more. The job is kept then.
pub async fn undo(
    target: &ConnectSettings,
    job: &str,
    missing: MissingRows,
    observer: &dyn Observer,
) -> Result<Undone> {
    undo_repeating(target, job, Repeated::default(), missing, observer).await
}

/// [`undo`] for a job of which the caller repeats something.
///
/// # Errors
///
/// As [`undo`]; [`ErrorKind::Settings`] if what is repeated is not the job's.
pub async fn undo_repeating(
    target: &ConnectSettings,
    job: &str,
    repeated: Repeated<'_>,
    missing: MissingRows,
    observer: &dyn Observer,
) -> Result<Undone> {
    let session = Session::open(target).await?;
    let job = ledger::find(&session, Some(job)).await?;
    take_back(&session, &job, repeated.table, false, missing, observer).await
}

/// The same for a job that was looked up. `table` is what the caller names as its table; `takeover` ends runs that hold it.
pub(super) async fn take_back(
    session: &Session,
    job: &JobRecord,
    table: Option<&str>,
    takeover: bool,
    missing: MissingRows,
    observer: &dyn Observer,
) -> Result<Undone> {
    // Refuses a role that policies bind while its row_security is off.
    session.is_filtered(&job.target).await?;
    session.require_trusted(&job.name, &job.target, table, true).await?;
    if !job.has_own_rows() {
        return Err(Error::new(ErrorKind::Settings, format!("rows of {} carry no transaction id", job.table))
            .with_hint(format!(
                "what the job loaded cannot be told from other rows: delete it by hand; `pgbackfill forget {} --leave-rows` \
                 then removes the job",
                job.name
            )));
    }
    // A job over the same range may go on: only rows of this one are deleted.
    let request = RunRequest { id: None, lease: LEASE, beside_runs: false, beside_jobs: true, takeover };
    let run = Box::pin(request.start(session, job)).await?;
    let undone = Box::pin(undo_windows(session, job, &run, missing, observer)).await;
    if undone.is_err() && !session.is_closed() {
        run.end(session, job).await?;
    }
    undone
}

/// Renewed at every window; the delete of one may take long.
const LEASE: Duration = Duration::from_secs(600);

async fn undo_windows(
    session: &Session,
    job: &JobRecord,
    run: &Run,
    missing: MissingRows,
    observer: &dyn Observer,
) -> Result<Undone> {
    let statements = Statements::of_job(job);
    let windows = ledger::windows(session, job).await?;
    let taken: u64 = windows.iter().map(|status| status.conflicts.updated).sum();
    if taken > 0 {
        return Err(super::updated(taken));
    }
    let mut undone =
        Undone { job: job.name.clone(), rows: 0, rows_loaded: windows.iter().map(|status| status.rows).sum() };
    let mut dead = 0;
    // Newest first: while it lasts, what is left is still loaded without a hole.
    for status in windows.iter().rev() {
        let undone_window = undo_window(session, job, run, (&statements, missing), status);
        let cleared = session.transact(Durability::Synchronous, undone_window).await?;
        undone.rows += cleared.rows;
        dead += cleared.dead;
        let window = status.window.display(job.key_kind);
        observer.observe(&Event::Undone { window, rows: cleared.rows });
    }
    if let Some(message) = vacuum_advice(dead, &job.table) {
        observer.observe(&Event::Warning { message });
    }
    session.transact(Durability::Synchronous, ledger::forget_job(session, job, run)).await?;
    Ok(undone)
}

async fn undo_window(
    session: &Session,
    job: &JobRecord,
    run: &Run,
    (statements, missing): (&Statements, MissingRows),
    status: &WindowStatus,
) -> Result<Cleared> {
    // A run that was ended deletes nothing more; and a loader that was late with its commit is waited for before its entries
    // are read.
    run.renew(session).await?;
    ledger::lock_window(session, job, status.number).await?;
    let written = ledger::written(session, job.id, status.number).await?;
    let own = OwnRows { session, job, statements, window: &status.window, written: &written };
    let deleted = own.delete().await?;
    if deleted.rows < written.rows && missing == MissingRows::Refuse {
        return Err(own.missing(deleted.rows).await?.with_hint(format!(
            "nothing of this window was deleted, and the job is kept. Others have updated or deleted the missing rows, or they \
             are out of sight, as in a detached partition. `pgbackfill verify {0}` names every such window. Once you have \
             looked: `pgbackfill undo {0} --missing-ok` deletes the rows that are left and removes the job; `pgbackfill \
             forget {0} --leave-rows` removes the job and leaves all rows",
            job.name
        )));
    }
    ledger::forget(session, job, status.number).await?;
    Ok(deleted)
}
