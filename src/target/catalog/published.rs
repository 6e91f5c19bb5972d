//! Whether publications keep rows of the target from being deleted or updated.
//!
//! The server refuses a delete or an update that is published for a table without a replica identity, and does so only when
//! it runs. With a row filter or a column list it also depends on columns: then the server itself is asked, by the plan of
//! such a statement, which is not run.

use crate::error::{ErrorKind, Result};
use crate::schema::TableName;
use crate::target::Session;

/// Why the server would refuse to delete or update rows of a published table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpublishable {
    /// The table, or the first of its partitions that is concerned.
    pub(crate) table: String,
    /// How many of its partitions are.
    pub(crate) tables: usize,
    pub(crate) publications: Vec<String>,
}

/// Tables with an identity that the server is asked about. Partitions are published alike.
const ASKED_MAX: usize = 20;

/// What keeps rows of the table `oid` from being deleted or updated, of which some is to be done.
pub(crate) async fn unpublishable(
    session: &Session,
    oid: u32,
    deletes: bool,
    updates: bool,
) -> Result<Option<Unpublishable>> {
    let rows = session.query(include_str!("published.sql"), &[&oid, &deletes, &updates]).await?;
    let mut found: Option<Unpublishable> = None;
    let mut asked = 0;
    for row in rows {
        let table = TableName { schema: row.get("schema"), name: row.get("name") };
        let has_identity: bool = row.get("has_identity");
        if has_identity && (asked == ASKED_MAX || is_taken(session, &table, deletes).await?) {
            asked += usize::from(asked < ASKED_MAX);
            continue;
        }
        let publications = row.get("publications");
        let table = table.to_string();
        found.get_or_insert(Unpublishable { table, tables: 0, publications }).tables += 1;
    }
    Ok(found)
}

/// Whether the server would take a delete, or else an update.
async fn is_taken(session: &Session, table: &TableName, deletes: bool) -> Result<bool> {
    let table = table.sql();
    let sql = if deletes { format!("explain delete from only {table}") } else { return Ok(true) };
    match session.query(&sql, &[]).await {
        Ok(_) => Ok(true),
        // 55000 without an identity, 42P10 where a filter or a list does not fit it.
        Err(error) if matches!(error.place().sqlstate.as_deref(), Some("55000" | "42P10")) => Ok(false),
        // Missing privileges are told elsewhere, all at once.
        Err(error) if error.kind() == ErrorKind::Permission => Ok(true),
        Err(error) => Err(error),
    }
}
