//! Texts of arrays: what is read is well formed, and prints as a text that reads back to the same.

use std::sync::Arc;

use pgbackfill::Zone;
use pgbackfill::schema::{PgKind, PgType};

use super::Feed;
use super::single::{pg, stored};

/// A byte that chooses the type of the elements, then the text.
pub(crate) fn check(data: &[u8]) {
    let mut feed = Feed(data);
    let labels: Arc<[String]> = ["", "a", "A b", "{}", "null"].map(str::to_owned).into();
    let element = feed
        .choose(&[
            pg("text", PgKind::Text),
            pg("integer", PgKind::Int4),
            pg("numeric", PgKind::Numeric(None)),
            pg("timestamptz", PgKind::TimestampTz(None)),
            pg("jsonb", PgKind::Jsonb),
            pg("boolean", PgKind::Bool),
            pg("bytea", PgKind::Bytea),
            pg("char(3)", PgKind::Char(Some(3))),
            pg("mood", PgKind::Enum(labels)),
            pg("double precision", PgKind::Float8),
            pg("uuid", PgKind::Uuid),
            pg("interval", PgKind::Interval(None)),
        ])
        .clone();
    let Ok(text) = std::str::from_utf8(feed.0) else { return };
    let array = PgType { oid: 1, name: format!("{element}[]"), kind: PgKind::Array(Box::new(element)) };
    stored(text, &array, &Zone::UTC);
}
