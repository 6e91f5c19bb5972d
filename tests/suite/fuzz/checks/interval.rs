//! Texts of intervals: what is read is what is stored, and prints as a text that reads back to the same.

use pgbackfill::Zone;
use pgbackfill::model::datetime::parse_interval;
use pgbackfill::schema::PgKind;

use super::single::{pg, stored};

/// The bytes are the text.
pub(crate) fn check(data: &[u8]) {
    let found = parse_interval(data).ok();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let bytes = found.map(|interval| {
        [&interval.micros.to_be_bytes()[..], &interval.days.to_be_bytes(), &interval.months.to_be_bytes()].concat()
    });
    assert_eq!(stored(text, &pg("interval", PgKind::Interval(None)), &Zone::UTC), bytes, "{text:?}");
}
