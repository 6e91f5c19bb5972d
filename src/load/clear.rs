//! What a window holds before an attempt loads it: rows of earlier attempts are deleted and counted, those of others dealt
//! with as `--existing` says.

mod truncate;

use super::context::Context;
use super::remains;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::{Claim, Written};
use crate::model::{Event, Window};
use crate::options::Existing;
use crate::report;
use crate::target::{Durability, SearchPath, Session};

/// What the window held when it was claimed.
pub(super) enum Admission {
    /// Rows may be loaded; those of earlier attempts, or of others on request, were deleted.
    Cleared(Cleared),
    /// It holds rows and `--existing skip` leaves it.
    Occupied,
}

/// Rows that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    /// All of them.
    pub(super) rows: u64,
    /// Those that were deleted one by one, and take their room until a vacuum.
    pub(super) dead: u64,
}

impl Cleared {
    pub(super) fn one_by_one(rows: u64) -> Self {
        Self { rows, dead: rows }
    }
}

impl std::ops::AddAssign for Cleared {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.dead += other.dead;
    }
}

/// Dead rows that are worth an advice: fewer are soon found by autovacuum, or fill up again.
const DEAD_ROWS_TO_TELL: u64 = 100_000;

/// What to do about so many dead rows in `table`, if it is worth doing.
pub(super) fn vacuum_advice(dead: u64, table: &str) -> Option<String> {
    (dead >= DEAD_ROWS_TO_TELL).then(|| {
        let rows = report::counted(dead, "row");
        format!(
            "{rows} of {table} were deleted one by one and still take their room: `vacuum analyze {table}` frees it"
        )
    })
}

/// Deletes what earlier attempts left, and at the first attempt deals with rows that are not the job's.
pub(super) async fn admit(context: &Context, session: &Session, claim: &Claim) -> Result<Admission> {
    let admission = session
        .transact(Durability::Synchronous, async {
            claim.fence(session).await?;
            failpoint::hit("after-fence")?;
            let mut cleared = clear(context, session, claim).await?;
            if !claim.admitted {
                match admit_first(context, session, &claim.window).await? {
                    Admission::Cleared(more) => cleared += more,
                    Admission::Occupied => return Ok(Admission::Occupied),
                }
            }
            claim.reset(session).await?;
            Ok(Admission::Cleared(cleared))
        })
        .await;
    admission.map_err(|error| error.context(format!("clear window {}", context.name(&claim.window))))
}

/// Deletes what earlier attempts left, and sees to it that this is all that they had put there.
async fn clear(context: &Context, session: &Session, claim: &Claim) -> Result<Cleared> {
    let written = claim.written(session).await?;
    if written.xids.is_empty() || !context.job.has_own_rows() {
        return Ok(Cleared::default());
    }
    let mut cleared = delete_own(session, &context.statements, &claim.window, &written).await?;
    failpoint::hit("during-clear")?;
    if cleared.rows < written.rows {
        let missing = remains::Missing { found: cleared.rows, loaded: written.rows, written_by: &written.xids };
        let name = context.name(&claim.window);
        missing.refuse_if_there(session, &context.job, &context.statements, Some(&claim.window), &name).await?;
        cleared += reconcile(context, session, &claim.window, cleared.rows, written.rows).await?;
    }
    Ok(cleared)
}

/// Deletes those rows of `window` that the transactions of `written` put there, within the caller's transaction.
pub(super) async fn delete_own(
    session: &Session,
    statements: &Statements,
    window: &Window,
    written: &Written,
) -> Result<Cleared> {
    if written.updated > 0 {
        return Err(super::updated(written.updated));
    }
    let truncated = truncate::truncate(session, statements, window, written).await?;
    let deleted = session.execute_in(SearchPath::Own, &statements.delete(window, Some(&written.xids))).await?;
    Ok(Cleared { rows: truncated + deleted, dead: deleted })
}

/// Fewer rows were found than had been loaded: others updated some, which are theirs now, or deleted them. To load the
/// window again would double the updated ones.
async fn reconcile(context: &Context, session: &Session, window: &Window, found: u64, written: u64) -> Result<Cleared> {
    let what =
        format!("{found} of the {written} rows that an earlier attempt had loaded were found as they were loaded");
    match (context.existing(), window) {
        (Existing::Keep, _) => {
            let (window, table) = (context.name(window), &context.job.table);
            context.observe(&Event::Warning {
                message: format!("window {window} of {table}: {what}; the window is loaded anew beside what others made of the rest"),
            });
            Ok(Cleared::default())
        }
        (Existing::Replace, Window::Time { .. }) => {
            replace(context, session, window).await
        }
        _ => Err(Error::new(ErrorKind::Changed, format!("only {what}")).in_window(context.name(window)).with_hint(
            "others have updated or deleted the rest, and to load the window again would double what was updated; nothing \
             was deleted. Look at its rows first; then --existing replace deletes all that the window holds, within \
             --scope, and loads it anew, and --existing keep loads it beside what is there",
        )),
    }
}

/// Deletes all that the window holds, within the scope, and sees to it that nothing stays.
async fn replace(context: &Context, session: &Session, window: &Window) -> Result<Cleared> {
    let statements = &context.statements;
    let deleted = session.execute_in(statements.path(), &statements.delete(window, None)).await?;
    remains::refuse(session, &context.statements, window, &context.job.table, &context.name(window)).await?;
    Ok(Cleared::one_by_one(deleted))
}

/// Rows that were there before the job, as `--existing` says.
async fn admit_first(context: &Context, session: &Session, window: &Window) -> Result<Admission> {
    let nothing = Admission::Cleared(Cleared::default());
    // Without a time column no window can be told from another: the table as a whole was checked when the job began.
    if context.time.is_none() {
        return Ok(nothing);
    }
    match context.existing() {
        Existing::Keep => Ok(nothing),
        Existing::Replace => replace(context, session, window).await.map(Admission::Cleared),
        Existing::Error | Existing::Skip => {
            let statements = &context.statements;
            let occupied = session.query_one_in(statements.path(), &statements.occupied(window), &[]).await?.get(0);
            match (occupied, context.existing()) {
                (false, _) => Ok(nothing),
                (true, Existing::Skip) => Ok(Admission::Occupied),
                (true, _) => Err(super::occupied(&context.job.table, &context.name(window))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_dead_rows_are_told_with_what_frees_their_room_and_few_are_not() {
        assert_eq!(vacuum_advice(DEAD_ROWS_TO_TELL - 1, "public.t"), None);
        assert!(vacuum_advice(DEAD_ROWS_TO_TELL, "public.t").unwrap().contains("`vacuum analyze public.t`"));
    }
}
