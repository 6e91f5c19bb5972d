//! The calendar in which a writer counted the days before 15 October 1582.

use crate::model::datetime::{UNIX_EPOCH_DAYS, same_date_as_in_julian};

/// 1582-10-15, the first day that both calendars name alike, in days since 1970.
const SWITCH_DAYS: i32 = -141_427;

/// 1900-01-01, in seconds since 1970. From then on Java's old and new classes agree about every zone; before it they
/// have other offsets, so an old moment cannot be told without the rules of the Java that wrote it.
const AGREED_SECONDS: i64 = -2_208_988_800;

/// How a writer counted days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format::parquet) enum Calendar {
    /// As the server does.
    Gregorian,
    /// By the Julian calendar before 1582-10-15; what of the footer says so.
    Hybrid(&'static str),
    /// As one of the two: the footer does not say which. What of it leaves that open.
    Unknown(&'static str),
}

impl Calendar {
    /// The day (since 1970) whose date is the one that the writer meant by `days`.
    #[inline]
    pub(super) fn day(self, days: i32) -> Result<i32, String> {
        if days >= SWITCH_DAYS {
            return Ok(days);
        }
        match self {
            Self::Gregorian => Ok(days),
            Self::Hybrid(key) => same_date_as_in_julian(i64::from(days) + UNIX_EPOCH_DAYS)
                .and_then(|day| i32::try_from(day - UNIX_EPOCH_DAYS).ok())
                .ok_or_else(|| {
                    format!("the date exists only in the Julian calendar, which '{key}' in the footer names")
                }),
            Self::Unknown(why) => Err(format!(
                "the date is before 1582-10-15, and the footer does not say in which calendar: {why}; {REWRITE}"
            )),
        }
    }

    /// Refuses a moment, so many seconds after 1970, that the calendar does not tell.
    #[inline]
    pub(super) fn check_seconds(self, seconds: i64) -> Result<(), String> {
        if seconds >= AGREED_SECONDS {
            return Ok(());
        }
        let why = match self {
            Self::Gregorian => return Ok(()),
            Self::Hybrid(key) => format!("'{key}' in the footer says that it counts in Java's legacy calendar"),
            Self::Unknown(why) => format!("the footer does not say in which calendar it counts: {why}"),
        };
        Err(format!("the timestamp is before 1900, and {why}; {REWRITE}"))
    }

    /// Whether days from `days` on are what they seem.
    pub(super) fn is_plain_from(self, days: i32) -> bool {
        self == Self::Gregorian || days >= SWITCH_DAYS
    }
}

/// What to do about values that cannot be told.
const REWRITE: &str = "write the file again with the writer's setting for the proleptic Gregorian calendar (Spark: \
                       spark.sql.parquet.datetimeRebaseModeInWrite and int96RebaseModeInWrite = CORRECTED)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_days_keep_their_date() {
        let hybrid = Calendar::Hybrid("k");
        // 1501-01-04 is the Gregorian name of Julian 1500-12-25; Gregorian 1500-12-25 is ten days earlier.
        assert_eq!(hybrid.day(-171_296), Ok(-171_306));
        assert_eq!(hybrid.day(SWITCH_DAYS), Ok(SWITCH_DAYS));
        assert_eq!(hybrid.day(SWITCH_DAYS - 1), Ok(SWITCH_DAYS - 11), "1582-10-04");
        assert_eq!(hybrid.day(19_000), Ok(19_000));
        // Julian 1500-02-29, which the Gregorian calendar lacks.
        assert!(hybrid.day(-171_596).unwrap_err().contains("only in the Julian"));
        assert!(Calendar::Unknown("no version").day(SWITCH_DAYS - 1).is_err());
        assert_eq!(Calendar::Gregorian.day(-171_296), Ok(-171_296));
    }

    #[test]
    fn legacy_moments_are_refused_before_1900() {
        assert!(Calendar::Hybrid("k").check_seconds(AGREED_SECONDS).is_ok());
        assert!(Calendar::Hybrid("k").check_seconds(AGREED_SECONDS - 1).unwrap_err().contains("'k'"));
        assert!(Calendar::Gregorian.check_seconds(i64::MIN).is_ok());
    }
}
