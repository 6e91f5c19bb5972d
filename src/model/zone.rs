//! A time zone for texts without an offset; never the machine's.

mod changes;

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use self::changes::Changes;

use super::datetime::{Civil, MICROS_PER_DAY, MICROS_PER_SECOND, parse_offset};
use crate::error::{Error, ErrorKind, Result};

/// A time zone for texts without an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(Rule);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// Seconds east of Greenwich.
    Fixed(i32),
    /// Rules of the IANA time zone database, in the edition that is built in.
    Named(TimeZone),
    /// The same in the server's edition.
    OfServer(Box<str>, Changes),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Rule::Fixed(0));

    /// From `UTC`, `+05:30` (east of Greenwich) or an IANA name such as `Europe/Berlin`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if there is no such zone.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Ok(Self::UTC);
        }
        if text.starts_with(['+', '-']) {
            let offset = parse_offset(text.as_bytes());
            return offset.map(|seconds| Self(Rule::Fixed(seconds))).map_err(|fault| refuse(text).with_source(fault));
        }
        let named = TimeZone::get(text).ok().filter(|zone| zone.iana_name().is_some() && !zone.is_unknown());
        named.map(|zone| Self(Rule::Named(zone))).ok_or_else(|| refuse(text))
    }

    /// Its name, where it has rules and not just an offset.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Rule::Fixed(_) => None,
            Rule::Named(zone) => zone.iana_name(),
            Rule::OfServer(name, _) => Some(name),
        }
    }

    /// The same zone with the rules that a server was found to have: each offset (seconds east of Greenwich) with the
    /// second since 1970 from which it holds, in order. An offset stays what it is.
    pub(crate) fn with_changes(&self, changes: Vec<(i64, i32)>) -> Self {
        match self.name() {
            Some(name) if !changes.is_empty() => Self(Rule::OfServer(name.into(), Changes::new(changes))),
            _ => self.clone(),
        }
    }

    /// Seconds east of Greenwich, where the zone is nothing but an offset.
    pub(super) fn fixed_offset(&self) -> Option<i32> {
        match &self.0 {
            Rule::Fixed(seconds) => Some(*seconds),
            Rule::Named(_) | Rule::OfServer(..) => None,
        }
    }

    /// Seconds east of Greenwich that hold at a local time (microseconds since 2000-01-01 00:00 local); in a gap the
    /// offset before it, in a fold the one after it, as the server decides.
    #[must_use]
    pub fn offset_at_local(&self, local_micros: i64) -> i32 {
        let zone = match &self.0 {
            Rule::Fixed(seconds) => return *seconds,
            Rule::OfServer(_, changes) => return changes.offset_at_local(local_micros),
            Rule::Named(zone) => zone,
        };
        let offset = match zone.to_ambiguous_timestamp(civil(local_micros)).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } => before,
            AmbiguousOffset::Fold { after, .. } => after,
        };
        offset.seconds()
    }

    /// Seconds east of Greenwich that hold at an instant (microseconds since 2000-01-01 00:00 UTC).
    #[must_use]
    pub fn offset_at_instant(&self, micros: i64) -> i32 {
        match &self.0 {
            Rule::Fixed(seconds) => *seconds,
            Rule::OfServer(_, changes) => changes.offset_at_instant(micros),
            Rule::Named(zone) => zone.to_offset(instant(micros)).seconds(),
        }
    }
}

/// The local time to the second. A year that jiff lacks becomes one with the same calendar and the same rules.
fn civil(micros: i64) -> DateTime {
    let Civil { year, month, day } = Civil::from_days(micros.div_euclid(MICROS_PER_DAY));
    // The calendar repeats every 400 years, and rules are the same every year long before and after ours.
    let year = match year {
        9000.. => 8800 + year.rem_euclid(400),
        ..-9000 => -8800 + year.rem_euclid(400),
        _ => year,
    };
    let seconds = micros.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND;
    let small = |number| i8::try_from(number).expect("fields of a date and time are small");
    DateTime::new(
        i16::try_from(year).expect("the year was brought within 9000 years"),
        small(i64::from(month)),
        small(i64::from(day)),
        small(seconds / 3600),
        small(seconds / 60 % 60),
        small(seconds % 60),
        0,
    )
    .expect("every day of the calendar is one of jiff's")
}

fn instant(micros: i64) -> Timestamp {
    Offset::UTC.to_timestamp(civil(micros)).expect("a year within 9000 years is well within jiff's")
}

fn refuse(text: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("'{text}' is not a time zone"))
        .with_hint("give UTC, an offset east of Greenwich such as +05:30, or a name such as Europe/Berlin")
}

/// In the form that [`Zone::parse`] reads.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Fixed(0) => f.write_str("UTC"),
            Rule::Fixed(seconds) => {
                let sign = if *seconds < 0 { '-' } else { '+' };
                let seconds = seconds.abs();
                write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
                if seconds % 60 == 0 { Ok(()) } else { write!(f, ":{:02}", seconds % 60) }
            }
            Rule::OfServer(name, _) => f.write_str(name),
            Rule::Named(zone) => f.write_str(zone.iana_name().expect("a zone looked up by name has one")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::datetime::{parse_timestamp, parse_timestamptz};
    use super::*;

    fn local(text: &str) -> i64 {
        parse_timestamp(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_zone_is_read_and_printed_in_one_form() {
        let table = [
            ("UTC", "UTC"),
            ("utc", "UTC"),
            (" Z ", "UTC"),
            ("+00", "UTC"),
            ("+5", "+05:00"),
            ("-0530", "-05:30"),
            ("+05:30:15", "+05:30:15"),
            ("-00:00:01", "-00:00:01"),
            ("europe/berlin", "Europe/Berlin"),
            ("America/New_York", "America/New_York"),
        ];
        for (text, printed) in table {
            let zone = Zone::parse(text).unwrap();
            assert_eq!(zone.to_string(), printed);
            assert_eq!(Zone::parse(printed).unwrap(), zone);
        }
    }

    #[test]
    fn what_is_no_zone_is_an_error_of_settings_with_a_hint() {
        for text in ["", "Nowhere/Land", "+16", "+05:", "5", "Etc/Unknown", "2024-01-01"] {
            let error = Zone::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Settings, "{text}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn a_gap_has_the_offset_before_it_and_a_fold_the_one_after() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let table = [
            ("2024-03-31 01:59:59", 1),
            ("2024-03-31 02:30:00", 1),
            ("2024-03-31 03:00:00", 2),
            ("2024-10-27 01:59:59", 2),
            ("2024-10-27 02:30:00", 1),
            ("2024-10-27 03:00:00", 1),
        ];
        for (text, hours) in table {
            assert_eq!(zone.offset_at_local(local(text)), hours * 3600, "{text}");
        }
    }

    #[test]
    fn far_years_have_the_rules_of_near_ones() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        for year in [2400, 9999, 12_024, 294_276] {
            assert_eq!(zone.offset_at_local(local(&format!("{year}-07-01 12:00:00"))), 7200, "{year}");
            assert_eq!(zone.offset_at_local(local(&format!("{year}-01-01 12:00:00"))), 3600, "{year}");
        }
        assert_eq!(zone.offset_at_local(local("4714-11-24 00:00:00 BC")), 53 * 60 + 28);
        for (micros, offset) in [(i64::MIN, 53 * 60 + 28), (i64::MAX, 3600)] {
            assert_eq!([zone.offset_at_local(micros), zone.offset_at_instant(micros)], [offset; 2]);
        }
    }

    #[test]
    fn the_offset_at_an_instant_is_the_one_that_its_local_time_had() {
        let zone = Zone::parse("America/New_York").unwrap();
        for text in ["2024-07-01 12:00:00", "2024-01-01 12:00:00", "1850-01-01 00:00:00", "20000-07-01 12:00:00"] {
            let instant = parse_timestamptz(text.as_bytes(), &zone).unwrap();
            assert_eq!(zone.offset_at_instant(instant), zone.offset_at_local(local(text)), "{text}");
        }
    }

    #[test]
    fn only_an_offset_is_the_same_at_all_times() {
        assert_eq!(Zone::parse("-05:30").unwrap().fixed_offset(), Some(-19_800));
        assert_eq!(Zone::parse("Europe/Berlin").unwrap().fixed_offset(), None);
    }
}
