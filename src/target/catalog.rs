//! What the server's catalog says of the target table.

mod published;
mod shape;
mod types;
mod unique;

pub(crate) use published::{Unpublishable, unpublishable};
pub(crate) use shape::shape;
use tokio_postgres::Row;
pub(crate) use unique::uniqueness;

use super::{SearchPath, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Partitions, Relation, Table, TableName, WhenAbsent};

/// Describes the table called `name`, as SQL spells it (schema-qualified or not, quoted or not).
///
/// # Errors
///
/// [`ErrorKind::Schema`] if there is no such table, or rows cannot be inserted into it.
pub async fn describe(session: &Session, name: &str) -> Result<Table> {
    let oid = resolve(session, name).await?.ok_or_else(|| missing(name))?;
    let row = session.query_opt(include_str!("catalog/relation.sql"), &[&oid]).await?.ok_or_else(|| missing(name))?;
    let name = TableName { schema: row.get("schema"), name: row.get("name") };
    let relation = relation(&row, &name)?;
    // Before the columns are read: what changes in between is seen as a change, never taken for what was planned with.
    let shape = shape(session, oid).await?;
    let indexed = session.query(include_str!("catalog/indexed.sql"), &[&oid]).await?;
    let triggers = session.query(include_str!("catalog/triggers.sql"), &[&oid]).await?;
    Ok(Table {
        relation,
        columns: columns(session, oid).await?,
        rewriting_triggers: names_where(&triggers, "rewriting"),
        following_triggers: names_where(&triggers, "following"),
        row_security: session.is_filtered(&name.sql()).await?,
        insert_rules: row.get("insert_rules"),
        in_heaps: row.get("in_heaps"),
        unlogged: row.get("unlogged"),
        takes_copy: row.get("takes_copy"),
        indexed: indexed.iter().map(|row| row.get(0)).collect(),
        partitions: partitions(session, oid).await?,
        shape,
        name,
    })
}

/// The table that the session's own search path has under this name.
async fn resolve(session: &Session, name: &str) -> Result<Option<u32>> {
    let sql = "select pg_catalog.to_regclass($1)::pg_catalog.oid";
    let found = session.query_one_in(SearchPath::Own, sql, &[&name]).await;
    Ok(found.map_err(|error| error.context(format!("table name {name}")))?.get(0))
}

fn names_where(triggers: &[Row], what: &str) -> Vec<String> {
    triggers.iter().filter(|row| row.get(what)).map(|row| row.get("name")).collect()
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::Schema, format!("there is no table {name}"))
        .with_hint("create the table first, and spell its name as SQL does: schema.table, \"Quoted\"")
}

fn relation(row: &Row, name: &TableName) -> Result<Relation> {
    let refuse =
        |what: &str| Err(Error::new(ErrorKind::Schema, format!("{name} is {what}, and rows cannot be loaded into it")));
    match row.get::<_, &str>("kind") {
        "r" => Ok(Relation::Table),
        "p" => Ok(Relation::Partitioned),
        "f" => Ok(Relation::Foreign),
        "v" if row.get("loses_rows") => {
            refuse("a view whose INSTEAD OF triggers do not fire under this session_replication_role")
        }
        "v" if row.get("insertable") => Ok(Relation::View),
        "v" => refuse("a view without an insert rule"),
        "m" => refuse("a materialized view"),
        _ => refuse("not a table"),
    }
}

async fn columns(session: &Session, oid: u32) -> Result<Vec<Column>> {
    let known = types::load(session, oid).await?;
    let rows = session.query(include_str!("catalog/columns.sql"), &[&oid]).await?;
    let column = |row: &Row| {
        let declared =
            types::Declared { oid: row.get("type"), modifier: row.get("modifier"), name: row.get("type_name") };
        Column {
            name: row.get("name"),
            not_null: row.get::<_, bool>("not_null") || known.refuses_null(declared.oid),
            ty: known.resolve(declared),
            when_absent: when_absent(row.get("when_absent")),
        }
    };
    Ok(rows.iter().map(column).collect())
}

fn when_absent(name: &str) -> WhenAbsent {
    match name {
        "default" => WhenAbsent::Default,
        "identity" => WhenAbsent::Identity,
        "generated" => WhenAbsent::Generated,
        _ => WhenAbsent::Null,
    }
}

async fn partitions(session: &Session, oid: u32) -> Result<Option<Partitions>> {
    let rows = session.query(include_str!("catalog/partitions.sql"), &[&oid]).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let bounds = rows.iter().map(|row| (literal(row.get("lower")), literal(row.get("upper")))).collect();
    Ok(Some(Partitions { column: first.get("column"), bounds }))
}

/// The text inside a bound such as `'2024-01-01'` or `17`; `None` for `MINVALUE` and `MAXVALUE`.
fn literal(bound: &str) -> Option<String> {
    match bound {
        "MINVALUE" | "MAXVALUE" => None,
        _ => Some(bound.trim_matches('\'').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_bound_is_read_without_its_quotes() {
        assert_eq!(literal("'2024-01-01'").as_deref(), Some("2024-01-01"));
        assert_eq!(literal("17").as_deref(), Some("17"));
        assert_eq!(literal("MINVALUE"), None);
    }
}
