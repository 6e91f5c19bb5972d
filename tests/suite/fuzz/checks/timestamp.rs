//! Texts of dates and times: what is read is in the server's range, prints as a text that reads back to the same value,
//! and is what an encoder and a time key make of it too.

use arrow_array::{Array, StringArray};
use pgbackfill::Zone;
use pgbackfill::model::{KeyKind, datetime};
use pgbackfill::schema::{PgKind, stored_keys};

use super::Feed;
use super::single::{pg, stored};

/// A byte that chooses the zone, then the text.
pub(crate) fn check(data: &[u8]) {
    let mut feed = Feed(data);
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "+05:30", "-00:00:01"];
    let zone = *feed.choose(&zones);
    let (zone, bytes) = (Zone::parse(zone).expect("the zone is known"), feed.0);
    let instant = datetime::parse_timestamptz(bytes, &zone).ok();
    let local = datetime::parse_timestamp(bytes).ok();
    let date = datetime::parse_date(bytes).ok();
    if let Some(micros) = instant {
        let text = datetime::format_timestamptz(micros);
        assert_eq!(datetime::parse_timestamptz(text.as_bytes(), &zone), Ok(micros), "{text}");
    }
    if let Some(micros) = local {
        let text = datetime::format_timestamp(micros);
        assert_eq!(datetime::parse_timestamp(text.as_bytes()), Ok(micros), "{text}");
    }
    if let Some(days) = date {
        let text = datetime::format_date(days.into());
        assert_eq!(datetime::parse_date(text.as_bytes()), Ok(days), "{text}");
    }
    let time = datetime::parse_time(bytes).ok();
    let zoned = datetime::parse_timetz(bytes, &zone).ok();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let field = |name, kind| stored(text, &pg(name, kind), &zone);
    let int64 = |value: i64| value.to_be_bytes().to_vec();
    assert_eq!(field("timestamptz", PgKind::TimestampTz(None)), instant.map(int64), "{text:?}");
    assert_eq!(field("timestamp", PgKind::Timestamp(None)), local.map(int64), "{text:?}");
    assert_eq!(field("date", PgKind::Date), date.map(|days| days.to_be_bytes().to_vec()), "{text:?}");
    assert_eq!(field("time", PgKind::Time(None)), time.map(int64), "{text:?}");
    let time_zone = |(micros, offset): (i64, i32)| [&micros.to_be_bytes()[..], &offset.to_be_bytes()].concat();
    assert_eq!(field("timetz", PgKind::TimeTz(None)), zoned.map(time_zone), "{text:?}");
    for digits in [0, 3] {
        field("timestamp(p)", PgKind::Timestamp(Some(digits)));
        field("time(p)", PgKind::Time(Some(digits)));
    }
    for (kind, value) in
        [(KeyKind::TimestampTz, instant), (KeyKind::Timestamp, local), (KeyKind::Date, date.map(i64::from))]
    {
        let keys = stored_keys(&StringArray::from(vec![text]), kind, &zone.clone().into()).ok();
        assert_eq!(keys.filter(|keys| keys.is_valid(0)).map(|keys| keys.value(0)), value, "{text:?} as {kind}");
    }
}
