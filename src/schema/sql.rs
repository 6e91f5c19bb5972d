//! Identifiers and predicates as SQL takes them.

use crate::model::{KeyKind, TimeKey};

/// An identifier as SQL takes it, always quoted.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Columns as a list that SQL takes.
pub(crate) fn column_list(columns: &[String]) -> String {
    columns.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ")
}

/// `[start, end)` of a time column, in a form that an index on it serves and that no search path gives another meaning. Past
/// the largest `bigint` there is nothing.
pub(crate) fn time_predicate(column: &str, kind: KeyKind, start: TimeKey, end: TimeKey) -> String {
    let column = quote_identifier(column);
    if kind == KeyKind::Integer && end == TimeKey(i64::MAX) {
        return format!("{column} operator(pg_catalog.>=) {}", kind.literal(start));
    }
    let (start, end) = (kind.literal(start), kind.literal(end));
    format!("{column} operator(pg_catalog.>=) {start} and {column} operator(pg_catalog.<) {end}")
}

/// Rows that the transactions of `xids`, a literal, have written; under any search path.
pub(crate) fn written_by(xids: &str) -> String {
    format!("xmin operator(pg_catalog.=) any ({xids})")
}

/// A predicate of the user's as a part of a larger one. What its last line may have of a comment ends with that line.
pub(crate) fn scope_predicate(scope: &str) -> String {
    format!("(\n{scope}\n)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_bounds_are_half_open() {
        assert_eq!(column_list(&["a".into(), "b\"c".into()]), r#""a", "b""c""#);
        let predicate = time_predicate("n", KeyKind::Integer, TimeKey(-5), TimeKey(7));
        assert_eq!(predicate, r#""n" operator(pg_catalog.>=) '-5'::bigint and "n" operator(pg_catalog.<) '7'::bigint"#);
        let predicate = time_predicate("n", KeyKind::Integer, TimeKey(-5), TimeKey(i64::MAX));
        assert_eq!(predicate, r#""n" operator(pg_catalog.>=) '-5'::bigint"#);
    }
}
