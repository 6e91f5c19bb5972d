//! Rows that a delete should have taken and did not: moved by a trigger, kept by a rule, a trigger or a policy, or hidden.
//!
//! A statement that deletes fewer rows than there are is no error to the server. Whoever forgets a job, or loads a window
//! anew, must know the difference.

use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{JobRecord, WindowStatus};
use crate::model::Window;
use crate::target::{SearchPath, Session};

/// Takes the rows of a window that its delete did not find, having `deleted` fewer than were loaded; how many that were.
/// What others have updated or deleted since is theirs, and is left.
///
/// # Errors
///
/// If rows of ours stay where they are, or policies may hide some.
pub(super) async fn take(
    session: &Session,
    job: &JobRecord,
    statements: &Statements,
    status: &WindowStatus,
    written_by: &[u64],
    deleted: u64,
) -> Result<u64> {
    if deleted >= status.rows || written_by.is_empty() {
        return Ok(0);
    }
    let window = status.window.display(job.key_kind);
    // A time column that is not hashed is one that triggers may rewrite, and so move rows out of their window.
    let may_move = job.time_column.as_ref().is_some_and(|time| !job.hashed.contains(time));
    let moved = match may_move {
        true => session.execute_in(SearchPath::Own, &statements.delete_anywhere(written_by)).await?,
        false => 0,
    };
    let place = (!may_move).then_some(&status.window);
    let missing = Missing { found: deleted + moved, loaded: status.rows, written_by };
    missing.refuse_if_there(session, job, statements, place, &window).await?;
    Ok(moved)
}

/// What a delete of a window's own rows left unsaid: it found fewer than were loaded.
pub(super) struct Missing<'a> {
    pub(super) found: u64,
    pub(super) loaded: u64,
    pub(super) written_by: &'a [u64],
}

impl Missing<'_> {
    /// Refuses where rows of ours stay in `place`, or in the whole table, or where policies may hide some. What others have
    /// updated or deleted is theirs, and no reason.
    pub(super) async fn refuse_if_there(
        &self,
        session: &Session,
        job: &JobRecord,
        statements: &Statements,
        place: Option<&Window>,
        name: &str,
    ) -> Result<()> {
        let count = statements.count_written(place, self.written_by);
        let left: i64 = session.query_one_in(SearchPath::Own, &count, &[]).await?.get(0);
        if left > 0 {
            return Err(Error::new(ErrorKind::Target, format!("{left} rows of the job stay in {}", job.table))
                .in_window(name)
                .with_hint(
                    "a rule, a trigger or a policy keeps them from being deleted; disable it, and run this again",
                ));
        }
        if self.found >= self.loaded || !session.is_filtered(&job.target).await? {
            return Ok(());
        }
        let (found, loaded) = (self.found, self.loaded);
        Err(Error::new(
            ErrorKind::Permission,
            format!("this role sees {found} of the {loaded} rows that the job loaded into {}", job.table),
        )
        .in_window(name)
        .with_hint(
            "row-level security may hide the rest; run this as a role that no policy binds: the table's owner unless they \
             are forced, or one with bypassrls",
        ))
    }
}

/// Refuses to go on where `--existing replace` has deleted what it could, and rows are there still.
pub(super) async fn refuse(
    session: &Session,
    statements: &Statements,
    window: &Window,
    table: &str,
    name: &str,
) -> Result<()> {
    let held: bool = session.query_one_in(statements.path(), &statements.occupied(window), &[]).await?.get(0);
    if !held {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Occupied,
        format!("rows of {table} stay where they are though their delete was let through"),
    )
    .in_window(name)
    .with_hint(
        "a rule, a trigger or a policy keeps them; disable it for the load, or load beside them: --existing keep",
    ))
}
