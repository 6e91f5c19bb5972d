//! Time keys: the value of a row's time column as the server stores it, which alone decides the row's window.

use super::Zone;
use super::datetime::{self, Stamp};
use crate::error::{Error, ErrorKind, Result};

/// The stored value of a time column: microseconds since 2000-01-01 for timestamps, days since 2000-01-01 for dates,
/// the number itself for integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeKey(pub i64);

impl TimeKey {
    /// Whether the key is in a window from `start` to `end`. No key comes after the largest `bigint`: a window that ends there
    /// holds it too. No other kind of time column has it as a finite key.
    #[must_use]
    pub(crate) fn is_within(self, start: Self, end: Self) -> bool {
        start <= self && (self < end || end.0 == i64::MAX)
    }

    /// The key that always shares this one's window, and that has one after it.
    #[must_use]
    pub(crate) fn before_last(self) -> Self {
        Self(self.0.min(i64::MAX - 1))
    }
}

/// Smallest and largest of some keys, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpan {
    /// The smallest key.
    pub min: TimeKey,
    /// The largest key.
    pub max: TimeKey,
}

/// What a time column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `timestamp with time zone`.
    TimestampTz,
    /// `timestamp without time zone`.
    Timestamp,
    /// `date`.
    Date,
    /// `smallint`, `integer` or `bigint`.
    Integer,
}

impl KeySpan {
    /// Widens the span so that it holds `other` too.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

impl KeyKind {
    /// Whether `key` is `infinity` or `-infinity`, which belong to no window.
    #[must_use]
    pub fn is_infinite(self, key: TimeKey) -> bool {
        match self {
            Self::TimestampTz | Self::Timestamp => key.0 == i64::MAX || key.0 == i64::MIN,
            Self::Date => key.0 == i64::from(i32::MAX) || key.0 == i64::from(i32::MIN),
            Self::Integer => false,
        }
    }

    /// Keys in one day; `None` for integers.
    #[must_use]
    pub fn per_day(self) -> Option<i64> {
        match self {
            Self::TimestampTz | Self::Timestamp => Some(datetime::MICROS_PER_DAY),
            Self::Date => Some(1),
            Self::Integer => None,
        }
    }

    /// Reads a bound such as `--from 2024-01-01`; a text without an offset is taken in `zone`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if the text is not a value of this kind.
    pub fn parse(self, text: &str, zone: &Zone) -> Result<TimeKey> {
        let bytes = text.trim().as_bytes();
        let key = match self {
            Self::TimestampTz => datetime::parse_timestamptz(bytes, zone),
            Self::Timestamp => datetime::parse_timestamp(bytes),
            Self::Date => datetime::parse_date(bytes).map(i64::from),
            Self::Integer => {
                return text.trim().parse().map(TimeKey).map_err(|_| self.refuse(text));
            }
        };
        key.map(TimeKey).map_err(|fault| self.refuse(text).with_source(fault))
    }

    fn refuse(self, text: &str) -> Error {
        Error::new(ErrorKind::Settings, format!("'{text}' is not a value of type {self}"))
    }

    /// The key as a literal that the server reads back to the same value, whatever its settings and search path.
    #[must_use]
    pub fn literal(self, key: TimeKey) -> String {
        match self {
            Self::TimestampTz => format!("'{}'::pg_catalog.timestamptz", datetime::format_timestamptz(self.bound(key))),
            Self::Timestamp => format!("'{}'::timestamp", datetime::format_timestamp(self.bound(key))),
            Self::Date => format!("'{}'::pg_catalog.date", datetime::format_date(self.bound(key))),
            Self::Integer => format!("'{}'::bigint", key.0),
        }
    }

    /// A window's bound as a value that the server has: past its last finite value there is only infinity.
    fn bound(self, key: TimeKey) -> i64 {
        let (finite, infinity) = match self {
            Self::TimestampTz | Self::Timestamp => {
                (datetime::TIMESTAMP_MIN..datetime::TIMESTAMP_END, [i64::MIN, i64::MAX])
            }
            Self::Date => (datetime::DATE_MIN..datetime::DATE_END, [i32::MIN.into(), i32::MAX.into()]),
            Self::Integer => return key.0,
        };
        match key.0 {
            before if before < finite.start => infinity[0],
            after if after >= finite.end => infinity[1],
            inside => inside,
        }
    }

    /// The key as people read it, without the parts that say nothing: `2024-01-01`, `2024-01-01 06:00`.
    #[must_use]
    pub fn short(self, key: TimeKey) -> String {
        match self {
            Self::TimestampTz | Self::Timestamp => match self.bound(key) {
                i64::MIN | i64::MAX => datetime::format_timestamp(self.bound(key)),
                micros => Stamp::from_micros(micros).short(),
            },
            Self::Date => datetime::format_date(self.bound(key)),
            Self::Integer => key.0.to_string(),
        }
    }
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TimestampTz => "timestamp with time zone",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Integer => "integer",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [KeyKind; 4] = [KeyKind::TimestampTz, KeyKind::Timestamp, KeyKind::Date, KeyKind::Integer];

    fn key(kind: KeyKind, text: &str) -> TimeKey {
        kind.parse(text, &Zone::parse("+02").unwrap()).unwrap()
    }

    #[test]
    fn a_bound_is_read_as_its_kind_in_the_zone_that_is_given() {
        assert_eq!(key(KeyKind::TimestampTz, "2000-01-01"), TimeKey(-7_200_000_000));
        assert_eq!(key(KeyKind::TimestampTz, "2000-01-01 00:00Z"), TimeKey(0));
        assert_eq!(key(KeyKind::Timestamp, " 2000-01-01 00:00:01 "), TimeKey(1_000_000));
        assert_eq!(key(KeyKind::Date, "1999-12-31"), TimeKey(-1));
        assert_eq!(key(KeyKind::Integer, " -42 "), TimeKey(-42));
    }

    #[test]
    fn what_is_no_bound_is_an_error_of_settings_that_names_text_and_kind() {
        for kind in KINDS {
            let error = kind.parse("soon", &Zone::UTC).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.to_string().contains("'soon'") && error.to_string().contains(&kind.to_string()));
        }
    }

    #[test]
    fn infinities_belong_to_no_window_and_integers_have_none() {
        for kind in [KeyKind::TimestampTz, KeyKind::Timestamp, KeyKind::Date] {
            assert!(kind.is_infinite(key(kind, "infinity")));
            assert!(kind.is_infinite(key(kind, "-infinity")));
            assert!(!kind.is_infinite(key(kind, "epoch")));
        }
        assert!(!KeyKind::Integer.is_infinite(TimeKey(i64::MAX)));
        assert!(!KeyKind::Timestamp.is_infinite(TimeKey(i32::MAX.into())));
    }

    #[test]
    fn a_day_holds_as_many_keys_as_the_kind_counts() {
        assert_eq!(KINDS.map(KeyKind::per_day), [Some(86_400_000_000), Some(86_400_000_000), Some(1), None]);
    }

    #[test]
    fn keys_are_printed_for_people_and_for_the_server() {
        let noon = key(KeyKind::Timestamp, "2024-01-31 12:00");
        assert_eq!(KeyKind::Timestamp.short(noon), "2024-01-31 12:00");
        assert_eq!(KeyKind::Timestamp.literal(noon), "'2024-01-31 12:00:00'::timestamp");
        assert_eq!(KeyKind::TimestampTz.literal(noon), "'2024-01-31 12:00:00+00'::pg_catalog.timestamptz");
        assert_eq!(KeyKind::Date.literal(key(KeyKind::Date, "0044-03-15 BC")), "'0044-03-15 BC'::pg_catalog.date");
        assert_eq!(KeyKind::Integer.literal(TimeKey(-1)), "'-1'::bigint");
        assert_eq!(KeyKind::Integer.short(TimeKey(-1)), "-1");
    }

    #[test]
    fn the_largest_bigint_is_in_the_window_that_ends_there() {
        let (start, last) = (TimeKey(5), TimeKey(i64::MAX));
        assert!(
            last.is_within(start, last) && last.before_last().is_within(start, last) && start.is_within(start, last)
        );
        assert!(!TimeKey(4).is_within(start, last) && !TimeKey(9).is_within(start, TimeKey(9)));
        assert!(!last.is_within(start, last.before_last()));
    }

    #[test]
    fn a_union_of_spans_holds_both() {
        let span = |min, max| KeySpan { min: TimeKey(min), max: TimeKey(max) };
        assert_eq!(span(1, 5).union(span(3, 9)), span(1, 9));
        assert_eq!(span(3, 4).union(span(1, 9)), span(1, 9));
    }

    proptest! {
        #[test]
        fn a_short_text_is_read_back_to_its_key(days in -700_000_i64..1_000_000, micros in 0..datetime::MICROS_PER_DAY) {
            let stamp = TimeKey(days * datetime::MICROS_PER_DAY + micros);
            for (kind, key) in [(KeyKind::Timestamp, stamp), (KeyKind::TimestampTz, stamp), (KeyKind::Date, TimeKey(days))] {
                prop_assert_eq!(kind.parse(&kind.short(key), &Zone::UTC).unwrap(), key);
            }
        }
    }
}
