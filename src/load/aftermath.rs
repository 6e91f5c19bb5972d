//! What triggers make of a batch's rows once they are stored, seen within the batch's own transaction.
//!
//! A trigger that runs after the insert may update the row. Then its values are no longer those that were hashed; and where
//! it does so under an exception handler, which is a subtransaction, the row carries an id that is not in the ledger: no
//! clear, undo or verify would take it for ours. Most such triggers only write elsewhere, and the server's own counters tell
//! at no cost that they left the table alone.

use super::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Window;
use crate::target::{SearchPath, Session};

/// What was done to the table, as counted before a batch and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activity {
    inserted: i64,
    changed: i64,
}

/// The rows of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    /// In the table by now.
    pub(super) stored: u64,
    /// Those of them that were there before, with other values.
    pub(super) updated: u64,
}

/// Looks at the table before a batch; `None` where no trigger can touch its rows.
pub(super) async fn before(context: &Context, session: &Session) -> Result<Option<Activity>> {
    match context.statements.followed_table() {
        Some(table) => activity(session, table).await.map(Some),
        None => Ok(None),
    }
}

/// Looks again once `rows` are stored, in the same transaction. Tells whether triggers have changed any.
///
/// # Errors
///
/// [`ErrorKind::Target`] if some of them are no longer where, or what, a clear would find.
pub(super) async fn after(
    context: &Context,
    session: &Session,
    window: &Window,
    rows: Rows,
    before: Option<Activity>,
) -> Result<bool> {
    if are_left_alone(context, session, rows, before).await? {
        return Ok(false);
    }
    let rows = rows.stored;
    let count = context.statements.count_own(window);
    let own: i64 = session.query_one_in(SearchPath::Own, &count, &[]).await?.get(0);
    if u64::try_from(own) == Ok(rows) {
        return Ok(true);
    }
    Err(Error::new(
        ErrorKind::Target,
        format!("triggers of {} leave {own} of {rows} rows as this transaction's own", context.job.table),
    )
    .with_hint(
        "a trigger that runs after the insert moves rows out of their window, adds some, or updates them under an exception \
         handler: they could not be told from other rows. Disable it for the load: alter table … disable trigger …",
    ))
}

/// Whether nothing but the storing of `rows` was done to the table, in the same transaction.
pub(super) async fn are_left_alone(
    context: &Context,
    session: &Session,
    rows: Rows,
    before: Option<Activity>,
) -> Result<bool> {
    let (Some(table), Some(before)) = (context.statements.followed_table(), before) else { return Ok(true) };
    // Constraint triggers may be put off until the commit, where nobody could look any more.
    session.run("set constraints all immediate").await?;
    let after = activity(session, table).await?;
    let (inserted, changed) = (after.inserted - before.inserted, after.changed - before.changed);
    let Rows { stored, updated } = rows;
    Ok(u64::try_from(changed) == Ok(updated) && u64::try_from(inserted) == Ok(stored - updated))
}

async fn activity(session: &Session, table: &str) -> Result<Activity> {
    let row = session.query_one(include_str!("aftermath/activity.sql"), &[&table]).await?;
    Ok(Activity { inserted: row.get("inserted"), changed: row.get("changed") })
}
