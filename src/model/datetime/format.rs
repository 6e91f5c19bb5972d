//! Dates and timestamps as texts that the server reads back to the same value, whatever its settings.

use std::fmt::Write;

use super::stamp::Stamp;
use super::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// ISO form, `2024-01-01`, `0044-03-15 BC`, `infinity`.
#[must_use]
pub fn format_date(days: i64) -> String {
    if let Some(word) = infinity(days, i32::MIN.into(), i32::MAX.into()) {
        return word;
    }
    let stamp = Stamp::from_days(days);
    let mut text = day(stamp);
    push_era(&mut text, stamp);
    text
}

/// ISO form, `2024-01-01 06:00:00`.
#[must_use]
pub fn format_timestamp(micros: i64) -> String {
    full(micros, "")
}

/// ISO form in UTC, `2024-01-01 06:00:00+00`.
#[must_use]
pub fn format_timestamptz(micros: i64) -> String {
    full(micros, "+00")
}

fn full(micros: i64, offset: &str) -> String {
    if let Some(word) = infinity(micros, i64::MIN, i64::MAX) {
        return word;
    }
    let stamp = Stamp::from_micros(micros);
    let mut text = day(stamp);
    push_clock(&mut text, stamp.micros, true);
    text.push_str(offset);
    push_era(&mut text, stamp);
    text
}

/// Without the parts that say nothing.
pub(super) fn short(stamp: Stamp) -> String {
    let mut text = day(stamp);
    if stamp.micros != 0 {
        push_clock(&mut text, stamp.micros, false);
    }
    push_era(&mut text, stamp);
    text
}

fn infinity(value: i64, least: i64, most: i64) -> Option<String> {
    match value {
        value if value == most => Some("infinity".to_owned()),
        value if value == least => Some("-infinity".to_owned()),
        _ => None,
    }
}

/// The day without its era, whose years have no year 0.
fn day(stamp: Stamp) -> String {
    let year = i64::from(stamp.year);
    let year = if year > 0 { year } else { 1 - year };
    format!("{year:04}-{:02}-{:02}", stamp.month, stamp.day)
}

fn push_clock(text: &mut String, micros: i64, with_seconds: bool) {
    debug_assert!((0..=MICROS_PER_DAY).contains(&micros), "a time of day is within its day");
    let (seconds, fraction) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
    write!(text, " {:02}:{:02}", seconds / 3600, seconds / 60 % 60).expect("a string takes any text");
    if with_seconds || micros % (60 * MICROS_PER_SECOND) != 0 {
        write!(text, ":{:02}", seconds % 60).expect("a string takes any text");
    }
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
}

fn push_era(text: &mut String, stamp: Stamp) {
    if stamp.year <= 0 {
        text.push_str(" BC");
    }
}
