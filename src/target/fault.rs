//! What the server or the connection to it said, as this crate's error.

use tokio_postgres::error::{DbError, Severity};

use crate::error::{Error, ErrorKind, Refusal, SqlClass, classify};

/// Longest text taken from one field of a server's error: a failing row may be megabytes.
const FIELD_CHARS_MAX: usize = 400;

/// The failure of a statement. [`ErrorKind::Connection`] means that the session is over, and that the outcome of a
/// commit under way is not known.
pub(crate) fn fault(error: tokio_postgres::Error) -> Error {
    if let Some(refusal) = error.as_db_error() {
        return refused(refusal);
    }
    if error.is_closed() {
        return Error::new(ErrorKind::Connection, "the server closed the connection");
    }
    match io_error(&error) {
        // What cannot be encoded, such as a NUL byte in an identifier, comes as this.
        Some(io) if io.kind() != std::io::ErrorKind::InvalidInput => {
            Error::new(ErrorKind::Connection, "the connection to the server was lost").with_source(error)
        }
        _ => Error::new(ErrorKind::Internal, "the server's protocol was used in a wrong way").with_source(error),
    }
}

/// Line number in the COPY statement, from 1: the row's number, in binary format too.
fn line_in(context: &str) -> Option<u64> {
    let (_, tail) = copy_context(context)?.split_once(", line ")?;
    let digits = tail.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The line of a server's context that starts with `COPY`.
fn copy_context(context: &str) -> Option<&str> {
    context.lines().find(|line| line.starts_with("COPY "))
}

fn io_error(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

fn refused(refusal: &DbError) -> Error {
    let said = Refusal { reason: reason(refusal), row: refusal.where_().and_then(line_in) };
    let error = Error::new(kind(refusal), message(refusal)).with_sqlstate(refusal.code().code());
    let mut error = error.with_refusal(said);
    let in_context = refusal.where_().and_then(column_in);
    if let Some(column) = refusal.column().or(in_context) {
        error = error.in_column(column);
    }
    match refusal.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn kind(refusal: &DbError) -> ErrorKind {
    let over = matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    match classify(refusal.code().code()) {
        SqlClass::Permission => ErrorKind::Permission,
        _ if over => ErrorKind::Connection,
        _ => ErrorKind::Target,
    }
}

/// Message, detail and context on one line.
pub(super) fn message(refusal: &DbError) -> String {
    let mut text = reason(refusal);
    if let Some(context) = refusal.where_() {
        text.push_str("; ");
        text.push_str(&shorten(context));
    }
    text
}

/// Message and detail on one line.
fn reason(refusal: &DbError) -> String {
    let mut text = shorten(refusal.message());
    if let Some(detail) = refusal.detail() {
        text.push_str(": ");
        text.push_str(&shorten(detail));
    }
    text
}

fn shorten(field: &str) -> String {
    let line = field.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    match line.char_indices().nth(FIELD_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The column in `COPY t, line 3, column x: "abc"`.
fn column_in(context: &str) -> Option<&str> {
    let (_, tail) = copy_context(context)?.split_once(", column ")?;
    Some(tail.split(": ").next().unwrap_or(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_context_gives_line_and_column() {
        let context = "PL/pgSQL function f() line 3 at RAISE\nCOPY metrics, line 17, column host: \"a, column b\"";
        assert_eq!(line_in(context), Some(17));
        assert_eq!(column_in(context), Some("host"));
        assert_eq!(column_in("COPY metrics, line 4"), None);
        assert_eq!(line_in("SQL statement \"select 1\""), None);
    }

    #[test]
    fn a_long_field_is_cut_between_letters() {
        let long = "é".repeat(FIELD_CHARS_MAX + 1);
        assert_eq!(shorten(&long).chars().count(), FIELD_CHARS_MAX + 1);
        assert_eq!(shorten("a\n  b"), "a; b");
    }
}
