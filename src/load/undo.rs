//! Undo: deletes exactly what a job loaded, and forgets the job.

use std::time::Duration;

use serde::Serialize;

use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, Run, WindowStatus};
use crate::model::{Event, Observer};
use crate::target::{ConnectSettings, Durability, Session};

/// What an undo did.
#[derive(Debug, Clone, Serialize)]
pub struct Undone {
    /// Name of the job.
    pub job: String,
    /// Rows deleted.
    pub rows: u64,
    /// Rows that the job had loaded; more than were deleted where others updated or deleted some since.
    pub rows_loaded: u64,
}

/// Deletes exactly the rows that `job` loaded, window by window, and then the job itself. Rows that others have updated
/// since are theirs, and stay. Interrupted, it can be run again.
///
/// # Errors
///
/// [`ErrorKind::Busy`] if the job is being loaded; [`ErrorKind::Settings`] if its rows carry no transaction id.
pub async fn undo(target: &ConnectSettings, job: &str, observer: &dyn Observer) -> Result<Undone> {
    let session = Session::open(target).await?;
    let job = ledger::find(&session, Some(job)).await?;
    if !job.has_own_rows() {
        return Err(Error::new(ErrorKind::Settings, format!("rows of {} carry no transaction id", job.table))
            .with_hint("what the job loaded cannot be told from other rows; delete it by hand"));
    }
    let run = Run::start(&session, &job, LEASE).await?;
    let undone = undo_windows(&session, &job, &run, observer).await;
    if undone.is_err() && !session.is_closed() {
        run.end(&session).await?;
    }
    undone
}

/// Renewed at every window; the delete of one may take long.
const LEASE: Duration = Duration::from_secs(600);

async fn undo_windows(session: &Session, job: &JobRecord, run: &Run, observer: &dyn Observer) -> Result<Undone> {
    let statements = Statements::of_job(job);
    let windows = ledger::windows(session, job).await?;
    let mut undone =
        Undone { job: job.name.clone(), rows: 0, rows_loaded: windows.iter().map(|status| status.rows).sum() };
    // Newest first: while it lasts, what is left is still loaded without a hole.
    for status in windows.iter().rev() {
        run.renew(session).await?;
        let rows = session.transact(Durability::Synchronous, undo_window(session, job, &statements, status)).await?;
        undone.rows += rows;
        let window = status.window.display(job.key_kind);
        observer.observe(&Event::Undone { window, rows });
    }
    job.delete(session).await?;
    Ok(undone)
}

async fn undo_window(
    session: &Session,
    job: &JobRecord,
    statements: &Statements,
    status: &WindowStatus,
) -> Result<u64> {
    let ours = ledger::transactions(session, job.id, status.number).await?;
    let deleted = match ours.is_empty() {
        true => 0,
        false => session.execute(&statements.delete(&status.window, Some(&ours)), &[]).await?,
    };
    ledger::forget(session, job, status.number).await?;
    Ok(deleted)
}
