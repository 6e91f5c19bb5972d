//! The shape of a table, asked for in one query that is cheap enough for every batch.

use tokio_postgres::Row;

use crate::error::Result;
use crate::schema::{Shape, ShapeColumn, TableName};
use crate::target::Session;

/// The shape that the table with this identifier has now; that of no table where there is none any more.
///
/// In a transaction that holds a lock on the table, what is returned stays true until its end.
pub(crate) async fn shape(session: &Session, oid: u32) -> Result<Shape> {
    let mut shape = Shape { oid, ..Shape::default() };
    for row in session.query(include_str!("shape.sql"), &[&oid]).await? {
        add(&mut shape, &row);
    }
    Ok(shape)
}

fn add(shape: &mut Shape, row: &Row) {
    let (name, definition): (String, String) = (row.get("name"), row.get("definition"));
    match row.get("part") {
        "table" => {
            shape.table = Some(TableName { schema: name, name: definition }.to_string());
            shape.row_security = row.get("flag");
        }
        "column" => shape.columns.push(ShapeColumn { name, definition, optional: row.get("flag") }),
        _ => shape.triggers.push(name),
    }
}
