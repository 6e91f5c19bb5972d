//! Partitions emptied at once, where they hold nothing but what is to be deleted.
//!
//! Chunks of a hypertable are no declarative partitions, and are never found here.

use crate::error::{ErrorKind, Result};
use crate::ledger::Written;
use crate::load::statements::Statements;
use crate::model::{KeyKind, TimeKey, Window, Zone};
use crate::schema::TableName;
use crate::target::{Session, xid_array};

/// Rows that a window must have before its partitions are looked at: below it a delete takes a second at most.
const ROWS_MIN: u64 = 100_000;

/// How long the lock is waited for: readers of the partition queue up behind whoever waits for it.
const LOCK_TIMEOUT: &str = "250ms";

/// A partition that might be truncated.
#[derive(Debug, PartialEq, Eq)]
struct Partition {
    oid: u32,
    name: TableName,
    start: TimeKey,
    end: TimeKey,
}

/// Truncates those partitions that lie within `window` and hold nothing but rows of `written`; how many rows that were.
///
/// To be called in a transaction. What is not truncated is left for the delete.
pub(in crate::load) async fn truncate(
    session: &Session,
    statements: &Statements,
    window: &Window,
    written: &Written,
) -> Result<u64> {
    let Some((time, kind)) = statements.time().filter(|_| written.rows >= ROWS_MIN) else { return Ok(0) };
    let mut rows = 0;
    for partition in within(session, statements.table(), time, kind, window).await? {
        session.run("savepoint before_truncate").await?;
        let emptied = async {
            lock(session, &partition).await?;
            // Asked again: under the lock it cannot change any more.
            let still = within(session, statements.table(), time, kind, window).await?.contains(&partition);
            if still { empty(session, &partition, written).await } else { Ok(0) }
        };
        match emptied.await {
            Ok(emptied) if emptied > 0 => {
                session.run("release savepoint before_truncate").await?;
                rows += emptied;
                continue;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Connection => return Err(error),
            Err(error) => {
                tracing::debug!(%error, partition = %partition.name, "rows are deleted, for it cannot be truncated");
            }
        }
        session.rollback_to("before_truncate").await?;
    }
    Ok(rows)
}

/// Locks a partition against everybody, soon or not at all.
async fn lock(session: &Session, partition: &Partition) -> Result<()> {
    let timeout: String = session.query_one("select current_setting('lock_timeout')", &[]).await?.get(0);
    let name = partition.name.sql();
    session
        .run(&format!("set local lock_timeout = '{LOCK_TIMEOUT}'; lock table only {name} in access exclusive mode"))
        .await?;
    session.query("select set_config('lock_timeout', $1, true)", &[&timeout]).await?;
    Ok(())
}

/// Truncates a partition if all of its rows are of `written`; how many there were.
async fn empty(session: &Session, partition: &Partition, written: &Written) -> Result<u64> {
    let (name, ours) = (partition.name.sql(), xid_array(&written.xids));
    let sql = format!("select count(*), count(*) filter (where xmin = any ({ours})) from only {name}");
    let row = session.query_one(&sql, &[]).await?;
    let (all, ours): (i64, i64) = (row.get(0), row.get(1));
    if all != ours || all == 0 {
        return Ok(0);
    }
    session.run(&format!("truncate only {name}")).await?;
    Ok(u64::try_from(all).unwrap_or(0))
}

/// Partitions that lie within `window` as a whole.
async fn within(session: &Session, table: &str, time: &str, kind: KeyKind, window: &Window) -> Result<Vec<Partition>> {
    let Window::Time { start, end } = *window else { return Ok(Vec::new()) };
    let rows = session.query(include_str!("partitions.sql"), &[&table, &time]).await?;
    let bound = |text: &str| kind.parse(text.trim_matches('\''), &Zone::UTC).ok();
    let partitions = rows.iter().filter_map(|row| {
        Some(Partition {
            oid: row.get("oid"),
            name: TableName { schema: row.get("schema"), name: row.get("name") },
            start: bound(row.get("lower"))?,
            end: bound(row.get("upper"))?,
        })
    });
    Ok(partitions.filter(|partition| start <= partition.start && partition.end <= end).collect())
}
