//! A zone as the list of its offsets, and when each begins; and how the server picks one for a local time.

use std::sync::Arc;

use super::super::datetime::{MICROS_PER_SECOND, UNIX_EPOCH_DAYS};

const SECONDS_PER_DAY: i64 = 86_400;
/// After so many seconds the calendar repeats, weekdays included, and with it every zone: 400 years.
const CYCLE: i64 = 146_097 * SECONDS_PER_DAY;
/// 2100-01-01, in seconds since 1970: from then on the rules of a zone are the same every year. Clocks that follow the
/// moon (Gaza, Morocco) are foretold year by year until 2087.
const STEADY: i64 = 4_102_444_800;

/// The offsets of a zone, each with the second since 1970 from which it holds; the first holds before that too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changes(Arc<[(i64, i32)]>);

impl Changes {
    /// There is at least one.
    pub(super) fn new(changes: Vec<(i64, i32)>) -> Self {
        debug_assert!(changes.is_sorted() && !changes.is_empty(), "offsets are in order, and there is one");
        Self(changes.into())
    }

    /// At an instant, in microseconds since 2000-01-01 00:00 UTC.
    pub(super) fn offset_at_instant(&self, micros: i64) -> i32 {
        self.0[self.at(seconds(micros))].1
    }

    /// At a local time, in microseconds since 2000-01-01 00:00 local. As the server's `DetermineTimeZoneOffset`: of the
    /// first change later than a day before, both offsets are tried; where both fit or none, the offset before a clock
    /// was set forward holds, and the one after it was set back.
    pub(super) fn offset_at_local(&self, local_micros: i64) -> i32 {
        let local = seconds(local_micros);
        let former = self.at(local - SECONDS_PER_DAY);
        let before = self.0[former].1;
        let Some(&(change, after)) = self.0.get(former + 1) else { return before };
        let (by_before, by_after) = (local - i64::from(before), local - i64::from(after));
        match (by_before < change, by_after < change) {
            (true, true) => before,
            (false, false) => after,
            _ if by_before > by_after => before,
            _ => after,
        }
    }

    /// The position of the offset that holds at a second since 1970.
    fn at(&self, second: i64) -> usize {
        self.0.partition_point(|(from, _)| *from <= second).saturating_sub(1)
    }
}

/// Seconds since 1970, of a year for which there are changes or of one before all of them.
fn seconds(micros: i64) -> i64 {
    let seconds = micros.div_euclid(MICROS_PER_SECOND) - UNIX_EPOCH_DAYS * SECONDS_PER_DAY;
    if seconds < STEADY + CYCLE { seconds } else { STEADY + (seconds - STEADY) % CYCLE }
}

#[cfg(test)]
mod tests {
    use super::super::Zone;
    use super::*;
    use crate::model::datetime::{parse_timestamp, parse_timestamptz};

    /// Central European time of 2024: summer from 2024-03-31 01:00 to 2024-10-27 01:00, both UTC.
    fn central_europe() -> Changes {
        Changes::new(vec![(i64::MIN, 3_600), (1_711_846_800, 7_200), (1_729_990_800, 3_600)])
    }

    #[test]
    fn a_local_time_has_the_offset_before_a_gap_and_after_a_fold() {
        for (text, hours) in [
            ("2024-03-31 01:59:59", 1),
            ("2024-03-31 02:00:00", 1),
            ("2024-03-31 02:30:00", 1),
            ("2024-03-31 03:00:00", 2),
            ("2024-10-27 01:59:59", 2),
            ("2024-10-27 02:00:00", 1),
            ("2024-10-27 02:59:59", 1),
            ("2024-10-27 03:00:00", 1),
            ("1900-01-01 00:00:00", 1),
        ] {
            assert_eq!(
                central_europe().offset_at_local(parse_timestamp(text.as_bytes()).unwrap()),
                hours * 3_600,
                "{text}"
            );
        }
    }

    #[test]
    fn an_instant_has_the_offset_that_began_last() {
        for (text, hours) in [("2024-03-31 00:59:59Z", 1), ("2024-03-31 01:00:00Z", 2), ("2024-10-27 01:00:00Z", 1)] {
            let instant = parse_timestamptz(text.as_bytes(), &Zone::UTC).unwrap();
            assert_eq!(central_europe().offset_at_instant(instant), hours * 3_600, "{text}");
        }
    }

    #[test]
    fn years_beyond_the_list_are_those_400_before() {
        let summer = |year: i64| parse_timestamp(format!("{year}-07-01 12:00:00").as_bytes()).unwrap();
        assert_eq!(seconds(summer(2_100 + 400)), seconds(summer(2_100)));
        assert_eq!(seconds(summer(2_499)), seconds(summer(2_499 + 400 * 700)));
        assert_ne!(seconds(summer(2_499)), seconds(summer(2_099)));
    }
}
