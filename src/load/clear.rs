//! What a window holds before an attempt loads it: rows of earlier attempts are deleted and counted, those of others dealt
//! with as `--existing` says.

pub(super) mod truncate;

use super::context::Context;
use super::own::OwnRows;
use super::remains;
use crate::error::Result;
use crate::failpoint;
use crate::ledger::Claim;
use crate::model::{Event, Window};
use crate::options::Existing;
use crate::report;
use crate::target::{Durability, Session};

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

/// What earlier attempts had left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Earlier {
    cleared: Cleared,
    /// Whether rows of theirs were missing, and the window is loaded again all the same.
    is_short: bool,
}

/// Deletes what earlier attempts left. Rows that are not the job's are dealt with at the first attempt, and again where
/// rows of the job are missing: others may have updated them.
pub(super) async fn admit(context: &Context, session: &Session, claim: &Claim) -> Result<Admission> {
    let admission = session
        .transact(Durability::Synchronous, async {
            claim.fence(session).await?;
            failpoint::hit("after-fence")?;
            let Earlier { mut cleared, is_short } = clear(context, session, claim).await?;
            if !claim.admitted || is_short {
                match admit_first(context, session, &claim.window).await? {
                    Admission::Cleared(more) => cleared += more,
                    Admission::Occupied if is_short => {
                        return Err(super::occupied(&context.job.table, &context.name(&claim.window)));
                    }
                    Admission::Occupied => return Ok(Admission::Occupied),
                }
            }
            claim.reset(session).await?;
            Ok(Admission::Cleared(cleared))
        })
        .await;
    admission.map_err(|error| error.context(format!("clear window {}", context.name(&claim.window))))
}

/// Deletes what earlier attempts left, and compares how many rows that were with what the ledger recorded.
async fn clear(context: &Context, session: &Session, claim: &Claim) -> Result<Earlier> {
    let written = claim.written(session).await?;
    if written.xids.is_empty() || !context.job.has_own_rows() {
        return Ok(Earlier::default());
    }
    let (job, statements) = (&context.job, &context.statements);
    let own = OwnRows { session, job, statements, window: &claim.window, written: &written };
    let cleared = own.delete().await?;
    failpoint::hit("during-clear")?;
    if cleared.rows == written.rows {
        return Ok(Earlier { cleared, is_short: false });
    }
    let missing = own.missing(cleared.rows).await?;
    if !context.options.reload_missing {
        return Err(missing.with_hint(MISSING_HINT));
    }
    if context.time.is_none() && context.existing() != Existing::Keep {
        return Err(missing.with_hint(
            "without a time column it cannot be told whether others have updated the missing rows. --existing keep loads \
             the window beside what the table holds; or undo the job (`pgbackfill undo … --missing-ok`) and load it again",
        ));
    }
    context.observe(&Event::Warning { message: format!("{missing}; the window is loaded again") });
    Ok(Earlier { cleared, is_short: true })
}

/// What to do where rows of a window are missing that is to be loaded again.
pub(super) const MISSING_HINT: &str = "nothing was deleted. Others have updated or deleted the missing rows, or they are out of sight, as \
     in a detached partition: put them back, or look at the rows of the window first. Then --reload-missing loads the window \
     again. It stops at rows of others in the window, updated ones included; --existing replace deletes these, within \
     --scope, and --existing keep leaves them";

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
