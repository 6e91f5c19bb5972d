//! Dates and times as `PostgreSQL` stores them: texts to stored integers and back.
//!
//! A text is read to the very integer that the server's input function would store, or it is refused: the server takes
//! many more shapes than these, some of them by guess or by its settings, and none of those is guessed here. Reading
//! works on bytes and allocates nothing. Formulas and limits follow the server's `datetime.c` and `timestamp.h`.

mod calendar;
mod clock;
mod cursor;
mod date;
mod format;
mod interval;
mod moment;
mod named;
mod offset;
mod pattern;
mod plain;
mod stamp;
mod timestamp;

use std::fmt;

use super::Zone;

pub use calendar::{DATE_END, DATE_MIN, UNIX_EPOCH_DAYS, days_are_a_date, same_date_as_in_julian};
pub use clock::{parse_time, parse_timetz};
pub use date::{parse_date, read_date};
pub use format::{format_date, format_timestamp, format_timestamptz};
pub use interval::{Interval, parse_interval, parse_interval_since_15};
pub use pattern::{EpochUnit, Pattern, TimeFormat};
pub use stamp::Stamp;
pub use timestamp::{
    TIMESTAMP_END, TIMESTAMP_MIN, micros_are_a_timestamp, parse_timestamp, parse_timestamptz, read_timestamp,
    read_timestamptz, round_timestamp,
};

pub(super) use calendar::Civil;
pub(super) use offset::parse_offset;

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Why a text is not a date or time, as a lower-case phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault(pub &'static str);

const EMPTY: Fault = Fault("the text is empty");
const FORM: Fault = Fault("it is not in ISO form");
const NO_DAY: Fault = Fault("the calendar has no such day");
const NO_CLOCK: Fault = Fault("there is no such time of day");
const NO_OFFSET: Fault = Fault("there is no such offset");
const RANGE: Fault = Fault("it is out of the server's range");

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests;
