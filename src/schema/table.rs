//! The target table as the catalog describes it.

use std::fmt;

use super::{PgType, Shape, quote_identifier};
use crate::error::{Error, ErrorKind, Result};
use crate::model::KeyKind;

/// The name of a table, as its catalog spells it; printed quoted where SQL needs quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The table.
    pub name: String,
}

/// What sort of relation the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// An ordinary table.
    Table,
    /// A declaratively partitioned table.
    Partitioned,
    /// A view.
    View,
    /// A foreign table.
    Foreign,
}

/// A column of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, as the catalog spells it.
    pub name: String,
    /// Its type.
    pub ty: PgType,
    /// Whether it refuses nulls, by itself or by its domain.
    pub not_null: bool,
    /// What a row gets that gives it no value.
    pub when_absent: WhenAbsent,
}

/// What a column holds in a row that gives it no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenAbsent {
    /// Null.
    Null,
    /// Its default.
    Default,
    /// The next number of its identity.
    Identity,
    /// What is computed from the other columns; it can be given no value.
    Generated,
}

/// Range partitions of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitions {
    /// The column whose ranges they are.
    pub column: String,
    /// Lower (inclusive) and upper (exclusive) bounds, as the server prints them; `None` where unbounded.
    pub bounds: Vec<(Option<String>, Option<String>)>,
}

/// The target as the catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact of the catalog")]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// What sort of relation it is.
    pub relation: Relation,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Whether every row stands in a heap of this server, and so carries the id of the transaction that wrote it.
    pub in_heaps: bool,
    /// Whether a crash of the server empties it.
    pub unlogged: bool,
    /// Names of triggers that may change a row as it is inserted.
    pub rewriting_triggers: Vec<String>,
    /// Names of triggers that run once rows are inserted, and may change them then.
    pub following_triggers: Vec<String>,
    /// Whether row-level security decides which of its rows this role sees.
    pub row_security: bool,
    /// Whether it has rules for inserts, which COPY does not know.
    pub insert_rules: bool,
    /// Whether COPY can write to it; otherwise rows go through a temporary table and `insert … select`.
    pub takes_copy: bool,
    /// Columns that lead an index, for the delete and the check of a window.
    pub indexed: Vec<String>,
    /// How it is divided, if by ranges of one column.
    pub partitions: Option<Partitions>,
    /// What of it must stay as it is while rows are loaded.
    pub shape: Shape,
}

impl Table {
    /// The column called `name`, to the letter.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a stored row's `xmin` tells which transaction wrote it.
    #[must_use]
    pub fn has_xmin(&self) -> bool {
        self.in_heaps
    }

    /// Whether what an aborted attempt left in a window can be found there, all of it, and deleted.
    ///
    /// A row that a trigger moves out of its window would not be found there, and one that a policy hides would not be seen.
    #[must_use]
    pub fn is_clearable(&self) -> bool {
        self.has_xmin() && self.rewriting_triggers.is_empty() && !self.row_security
    }
}

impl PgType {
    /// What a time column of this type holds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if the type has no order of time.
    pub fn key_kind(&self) -> Result<KeyKind> {
        use super::PgKind;
        match self.kind {
            PgKind::TimestampTz(_) => Ok(KeyKind::TimestampTz),
            PgKind::Timestamp(_) => Ok(KeyKind::Timestamp),
            PgKind::Date => Ok(KeyKind::Date),
            PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => Ok(KeyKind::Integer),
            _ => Err(Error::new(ErrorKind::Schema, format!("a time column cannot be of type {}", self.name))
                .with_hint(
                    "choose a timestamptz, timestamp, date or integer column, or load without one: --no-time-column",
                )),
        }
    }
}

impl TableName {
    /// The name for use in SQL, always quoted.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

impl TableName {
    /// Reads what [`Self::sql`] prints, and nothing else.
    pub(crate) fn from_sql(text: &str) -> Option<Self> {
        let (schema, rest) = quoted(text)?;
        let (name, rest) = quoted(rest.strip_prefix('.')?)?;
        rest.is_empty().then_some(Self { schema, name })
    }
}

/// The quoted identifier at the start of `text`, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        let Some(more) = after.strip_prefix('"') else { return Some((name, after)) };
        name.push('"');
        rest = more;
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |part: &str| {
            let mut letters = part.bytes();
            letters.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
                && letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        for (i, part) in [&self.schema, &self.name].into_iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "." })?;
            f.write_str(&if plain(part) { part.clone() } else { quote_identifier(part) })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_from_sql_and_nothing_else_is_a_name() {
        let name = TableName { schema: "My.\"S\"".to_owned(), name: "t\"".to_owned() };
        assert_eq!(TableName::from_sql(&name.sql()), Some(name));
        for text in ["public.t", "\"public\".\"t\" x", "(select 1) x", "\"t\"", "\"a\".\"b", "\"a\".\"b\"\"", ""] {
            assert_eq!(TableName::from_sql(text), None, "{text}");
        }
    }
}
