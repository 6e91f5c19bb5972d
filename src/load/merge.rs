//! Rows of a batch put beside those of their key: out of the stage, by one `insert … on conflict` that returns what it has
//! stored. So the counts are exact, and the row hash is that of the stored rows themselves.

use futures_util::TryStreamExt as _;

use super::context::Context;
use super::statements::{OWN, UPDATED};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::{Conflicts, RowHash};
use crate::schema::{Merge, column_list};
use crate::target::{SearchPath, Session, tuples};

/// What became of the rows of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stored {
    /// Rows in the table.
    pub(super) rows: u64,
    /// The sum of their hashes.
    pub(super) hash: RowHash,
    pub(super) conflicts: Conflicts,
}

/// Moves `sent` rows from the stage to the table, within the caller's transaction.
///
/// # Errors
///
/// [`ErrorKind::Data`] where rows are to update others and two of the source have one key: which is to stay is not decided
/// here. [`ErrorKind::Target`] where a trigger drops rows.
pub(super) async fn merge(context: &Context, session: &Session, merge: &Merge, sent: u64) -> Result<Stored> {
    failpoint::hit("before-merge")?;
    if !merge.updates() {
        let stored = insert(context, session, merge).await?;
        let skipped = sent.saturating_sub(stored.rows);
        return Ok(Stored { conflicts: Conflicts { skipped, updated: 0 }, ..stored });
    }
    begin_counting(context, session, merge).await?;
    let stored = insert(context, session, merge).await.map_err(|error| explain(error, merge))?;
    let (updated, own) = counted(session).await?;
    if own > 0 {
        return Err(twice(merge, &format!("{} the key of a row that this job has loaded before", have(own))));
    }
    if stored.rows != sent {
        return Err(Error::new(ErrorKind::Target, format!("the server stored {} of {sent} rows", stored.rows))
            .with_hint("a trigger that returns null drops rows; disable it for the load"));
    }
    Ok(Stored { conflicts: Conflicts { skipped: 0, updated }, ..stored })
}

/// Of how many source rows something is said.
fn have(rows: u64) -> String {
    if rows == 1 { "1 source row has".to_owned() } else { format!("{rows} source rows have") }
}

async fn insert(context: &Context, session: &Session, merge: &Merge) -> Result<Stored> {
    // The low 32 bits of a transaction's id are what its rows carry.
    let own = format!(
        "select xid::pg_catalog.text::bigint operator(pg_catalog.&) 4294967295 from pgbackfill.batches \
             where job_id operator(pg_catalog.=) {}",
        context.job.id
    );
    let statements = &context.statements;
    let (sql, is_hashed) = (statements.merge_in(merge, &own), statements.returns_hashed());
    let mut stream = Box::pin(session.copy_out(&sql, SearchPath::Own).await?);
    let (mut reader, mut stored) = (tuples::Reader::default(), Stored::default());
    while let Some(message) = stream.try_next().await? {
        reader.read(&message, &mut |fields: &[u8]| {
            stored.rows += 1;
            stored.hash += RowHash::of_row(if is_hashed { fields } else { &[] });
            Ok(())
        })?;
    }
    reader.finish()?;
    Ok(stored)
}

/// Where two windows may hold rows of one key, the job's windows are updated one after the other: each then sees what those
/// before it have stored. Waits for them, until the end of the transaction.
pub(super) async fn wait_for_others(context: &Context, session: &Session, merge: &Merge) -> Result<()> {
    if merge.updates() && merge.crosses_windows {
        let sql = "select pg_advisory_xact_lock(hashtextextended('pgbackfill update ' || $1::bigint, 0))";
        session.query(sql, &[&context.job.id]).await?;
    }
    Ok(())
}

/// Makes the sequences that count.
async fn begin_counting(context: &Context, session: &Session, merge: &Merge) -> Result<()> {
    wait_for_others(context, session, merge).await?;
    session.run(&format!("create temporary sequence {UPDATED}; create temporary sequence {OWN}")).await
}

/// Rows updated, and rows of the job's own that were not. The sequences go, for they would outlive the transaction.
async fn counted(session: &Session) -> Result<(u64, u64)> {
    let count = |name| format!("(select case when is_called then last_value else 0 end from pg_temp.{name})");
    let row = session.query_one(&format!("select {}, {}", count(UPDATED), count(OWN)), &[]).await?;
    let [updated, own] = [0, 1].map(|place| u64::try_from(row.get::<_, i64>(place)).unwrap_or(0));
    session.run(&format!("drop sequence pg_temp.{UPDATED}, pg_temp.{OWN}")).await?;
    Ok((updated, own))
}

/// The server's word for two source rows of one key in one statement.
const CARDINALITY_VIOLATION: &str = "21000";

fn explain(error: Error, merge: &Merge) -> Error {
    match error.place().sqlstate.as_deref() {
        Some(CARDINALITY_VIOLATION) => {
            twice(merge, "two source rows of the window have the same key").with_source(error)
        }
        _ => error,
    }
}

fn twice(merge: &Merge, message: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{message} ({})", column_list(&merge.key))).with_hint(
        "which of them the table is to hold is not decided here: leave all but one of each key out of the source; or take \
         --on-conflict skip, by which the first that arrives stays",
    )
}
