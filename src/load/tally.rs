//! The count at the end of a load: the rows in the table that carry the job's transaction ids, against the ledger.
//!
//! A row that others delete, update or detach while the job loads leaves no trace in what the loader does. One statement
//! counts the job's rows by the transaction that wrote them, in one pass over the rows of the job's range, or of the table.
//! A pass over a table that is much larger than what the job loaded would cost more than the load: there it is left out.

use std::sync::Arc;

use super::prepare::preparing;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{JobRecord, Run};
use crate::model::{Event, Observer, TimeKey, Window};
use crate::report::{bytes, count, counted};
use crate::target::{Durability, Session};

/// Windows of which the rows do not add up. Where one transaction wrote rows of several, these are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    numbers: Vec<i64>,
    loaded: u64,
    found: u64,
}

/// A table of up to this size is always counted: a pass over it takes about a second.
const TABLE_BYTES_SMALL: i64 = 1 << 30;

/// A pass over the whole table is worth it up to so many times the bytes that the job loaded. The server reads rows about ten
/// times as fast as it stores them, so such a pass takes less than half of the load's time.
const TABLE_TO_LOADED: i64 = 4;

/// Windows that a message names before it counts them.
const WINDOWS_SHOWN: usize = 5;

/// Counts the rows of a complete job, unless that was done since it last loaded any.
///
/// # Errors
///
/// [`ErrorKind::Changed`] if they do not add up.
pub(super) async fn check(session: &Session, job: &JobRecord, observer: &Arc<dyn Observer>) -> Result<()> {
    if !job.has_own_rows() || job.is_counted(session).await? {
        return Ok(());
    }
    crate::failpoint::hit("before-count")?;
    if let Some(reason) = obstacle(session, job).await? {
        observer.observe(&Event::Warning { message: not_counted(job, &reason) });
        return Ok(());
    }
    observer.observe(&preparing(&format!("counting the rows of the job in {}", job.table)));
    let counted = session.transact(Durability::Synchronous, async {
        // Of runs that end together one counts, and the others find it done.
        job.lock_count(session).await?;
        if job.is_counted(session).await? {
            return Ok(Vec::new());
        }
        let differences = differences(session, job).await?;
        if differences.is_empty() {
            job.mark_counted(session).await?;
        }
        Ok(differences)
    });
    match counted.await {
        Ok(differences) if differences.is_empty() => Ok(()),
        Ok(differences) => Err(refusal(session, job, &differences).await?),
        Err(error) if hides_ids(&error) => {
            observer.observe(&Event::Warning { message: not_counted(job, &super::worker::chain(&error)) });
            Ok(())
        }
        Err(error) => Err(error.context(format!("count the rows of job {} in {}", job.name, job.table))),
    }
}

/// Windows that lack rows, for a run that is to load them again.
///
/// # Errors
///
/// [`ErrorKind::Changed`] if a window has more rows than were loaded, or the rows cannot be counted.
pub(super) async fn missing(session: &Session, job: &JobRecord) -> Result<Vec<Difference>> {
    if !job.has_own_rows() {
        return Ok(Vec::new());
    }
    if let Some(reason) = ids_obstacle(session, job).await? {
        return Err(Error::new(ErrorKind::Changed, not_counted(job, &reason)).with_hint("leave out --reload-missing"));
    }
    let differences = session.transact(Durability::WithTheLedger, differences(session, job)).await?;
    match differences.iter().any(|difference| difference.found > difference.loaded) {
        true => Err(refusal(session, job, &differences).await?),
        false => Ok(differences),
    }
}

/// Opens windows again that lack rows: the run that claims them deletes what is left of the job's rows and loads them.
pub(super) async fn reopen(
    session: &Session,
    job: &JobRecord,
    run: &Run,
    missing: &[Difference],
    observer: &Arc<dyn Observer>,
) -> Result<()> {
    let numbers: Vec<i64> = missing.iter().flat_map(|difference| difference.numbers.iter().copied()).collect();
    let reopen = async {
        run.renew(session).await?;
        job.reopen(session, numbers).await
    };
    let windows = session.transact(Durability::Synchronous, reopen).await?;
    if windows > 0 {
        let windows = counted(windows, "window");
        let message = format!("{windows} of job {} lack rows that were loaded, and are loaded again", job.name);
        observer.observe(&Event::Warning { message });
    }
    Ok(())
}

async fn differences(session: &Session, job: &JobRecord) -> Result<Vec<Difference>> {
    let range = match job.may_have_moved_rows() {
        true => None,
        false => job.reach(session).await?.and_then(|(lower, upper)| Window::time(TimeKey(lower), TimeKey(upper))),
    };
    // Ids are looked up by hash. The planner knows too little of the ledger's tables not to compare each with each.
    session.run("set local enable_nestloop = off; set local jit = off").await?;
    let sql = Statements::of_job(job).tally(range.as_ref());
    let rows = session.query(&sql, &[&job.id]).await?;
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    let differences = rows.iter().map(|row| Difference {
        numbers: row.get("numbers"),
        loaded: unsigned(row.get("loaded")),
        found: unsigned(row.get("found")),
    });
    Ok(differences.collect())
}

/// Why the rows are not counted, if so.
async fn obstacle(session: &Session, job: &JobRecord) -> Result<Option<String>> {
    if let Some(reason) = ids_obstacle(session, job).await? {
        return Ok(Some(reason));
    }
    let row = session.query_one(include_str!("tally/pass.sql"), &[&job.target, &job.time_column, &job.id]).await?;
    let (table, loaded): (i64, i64) = (row.get("table_bytes"), row.get("loaded_bytes"));
    let is_served = row.get("is_served") && !job.may_have_moved_rows();
    if is_served || is_worth_a_pass(table, loaded) {
        return Ok(None);
    }
    let table = bytes(u64::try_from(table).unwrap_or(0));
    Ok(Some(format!(
        "the table has {table}, and no index leads with the time column: a pass would cost more than the load"
    )))
}

/// Why no count of the job's transaction ids would be right, if so.
async fn ids_obstacle(session: &Session, job: &JobRecord) -> Result<Option<String>> {
    if session.is_filtered(&job.target).await? {
        return Ok(Some("row-level security binds this role, and may hide some".to_owned()));
    }
    Ok(job.ids_are_lost(session).await?.then(|| "their transaction ids are too old, or of another cluster".to_owned()))
}

fn not_counted(job: &JobRecord, reason: &str) -> String {
    format!("the rows of job {} in {} were not counted at the end: {reason}", job.name, job.table)
}

/// The answer of `TimescaleDB` to a statement that reads `xmin` through a hypertable with compressed chunks.
fn hides_ids(error: &Error) -> bool {
    error.place().sqlstate.as_deref() == Some("42P10")
}

async fn refusal(session: &Session, job: &JobRecord, differences: &[Difference]) -> Result<Error> {
    let (mut missing, mut surplus, mut loaded, mut named) = (0, 0, 0, Vec::new());
    for difference in differences {
        missing += difference.loaded.saturating_sub(difference.found);
        surplus += difference.found.saturating_sub(difference.loaded);
        loaded += difference.loaded;
        if named.len() < WINDOWS_SHOWN {
            let windows = job.span_of(session, difference.numbers.clone()).await?.unwrap_or_default();
            named.push(format!("{windows} has {} of {}", count(difference.found), counted(difference.loaded, "row")));
        }
    }
    if differences.len() > named.len() {
        named.push(format!("and {} more", differences.len() - named.len()));
    }
    let (name, named) = (&job.name, named.join(", "));
    if surplus > 0 {
        let surplus = counted(surplus, "row");
        let what = format!("{surplus} carry transaction ids of job {name} and are not in its ledger: {named}");
        return Ok(Error::new(ErrorKind::Changed, what).with_hint(super::own::surplus_hint(name)));
    }
    let (missing, loaded) = (counted(missing, "row"), counted(loaded, "row"));
    let updated = crate::ledger::progress(session, job).await?.conflicts.updated;
    let reload = match updated {
        0 => RELOAD,
        // They carry the job's ids, and no delete of these is allowed.
        _ => "; the job has updated rows of others (--on-conflict update), so its windows cannot be loaded again",
    };
    Ok(Error::new(ErrorKind::Changed, format!("{missing} of job {name} are missing in {}: {named}", job.table))
        .with_hint(format!(
            "of these windows {loaded} were loaded. Others have deleted or updated the missing rows, or they are out of sight, \
             as in a detached partition. Put them back and run the same command again{reload}. If the table is right as it is: \
             `pgbackfill forget {name} --leave-rows`"
        )))
}

const RELOAD: &str = "; or run it with --reload-missing, which loads these windows again. That stops at rows of others in them, \
     updated ones included: --existing replace deletes those, --existing keep leaves them";

/// Whether a pass over a table of `table` bytes costs less than the load of `loaded` bytes did, or next to nothing.
fn is_worth_a_pass(table: i64, loaded: i64) -> bool {
    table <= TABLE_BYTES_SMALL.max(loaded.saturating_mul(TABLE_TO_LOADED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_counted_in_a_pass_where_it_is_small_or_most_of_it_was_loaded() {
        let gib = 1 << 30;
        assert!(is_worth_a_pass(gib, 0) && is_worth_a_pass(40 * gib, 10 * gib));
        assert!(!is_worth_a_pass(gib + 1, 0) && !is_worth_a_pass(41 * gib, 10 * gib));
        assert!(is_worth_a_pass(i64::MAX, i64::MAX));
    }
}
