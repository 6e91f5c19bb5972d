//! Texts of timestamps, with and without time zone.

use super::moment::{Moment, Reading, read};
use super::pattern::TimeFormat;
use super::{Fault, MICROS_PER_DAY, MICROS_PER_SECOND, RANGE, Zone, plain};

/// The server's first timestamp, 4714-11-24 00:00 BC, in microseconds since 2000-01-01.
pub const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// The end of the server's timestamps, 294277-01-01 00:00, which is not one of them.
pub const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;

/// Whether the server has a timestamp so many microseconds after 2000-01-01; infinities aside.
#[must_use]
pub const fn micros_are_a_timestamp(micros: i64) -> bool {
    TIMESTAMP_MIN <= micros && micros < TIMESTAMP_END
}

/// Microseconds since 2000-01-01 00:00; an offset in the text is dropped, as the server does.
///
/// # Errors
///
/// If the text is not a timestamp.
pub fn parse_timestamp(text: &[u8]) -> Result<i64, Fault> {
    if let Some(plain) = plain::read(text) {
        return Ok(plain.local_micros);
    }
    match read(text)? {
        Reading::Infinity => Ok(i64::MAX),
        Reading::MinusInfinity => Ok(i64::MIN),
        Reading::Moment(moment) => in_range(local_micros(moment.days, moment.micros)?),
    }
}

/// Microseconds since 2000-01-01 00:00 UTC; a text without an offset is taken in `zone`.
///
/// # Errors
///
/// If the text is not a timestamp.
pub fn parse_timestamptz(text: &[u8], zone: &Zone) -> Result<i64, Fault> {
    if let Some(plain) = plain::read(text) {
        let east = plain.east_seconds.unwrap_or_else(|| zone.offset_at_local(plain.local_micros));
        return Ok(plain.local_micros - i64::from(east) * MICROS_PER_SECOND);
    }
    match read(text)? {
        Reading::Infinity => Ok(i64::MAX),
        Reading::MinusInfinity => Ok(i64::MIN),
        Reading::Moment(moment) => instant(&moment, zone),
    }
}

/// What [`parse_timestamp`] gives, of a text in a format of the user's. A count since 1970 becomes the local time in
/// `zone`; `lossy` allows what it has beyond microseconds to be cut off.
///
/// # Errors
///
/// If the text does not match the format.
pub fn read_timestamp(format: &TimeFormat, text: &[u8], zone: &Zone, lossy: bool) -> Result<i64, Fault> {
    match format {
        TimeFormat::Pattern(pattern) => {
            let moment = pattern.read(text)?;
            in_range(local_micros(moment.days, moment.micros)?)
        }
        TimeFormat::Epoch(unit) => {
            let instant = unit.read(text, lossy)?;
            let east = i64::from(zone.offset_at_instant(instant)) * MICROS_PER_SECOND;
            in_range(instant.checked_add(east).ok_or(RANGE)?)
        }
    }
}

/// What [`parse_timestamptz`] gives, likewise.
///
/// # Errors
///
/// If the text does not match the format.
pub fn read_timestamptz(format: &TimeFormat, text: &[u8], zone: &Zone, lossy: bool) -> Result<i64, Fault> {
    match format {
        TimeFormat::Pattern(pattern) => instant(&pattern.read(text)?, zone),
        TimeFormat::Epoch(unit) => in_range(unit.read(text, lossy)?),
    }
}

fn instant(moment: &Moment, zone: &Zone) -> Result<i64, Fault> {
    let local = local_micros(moment.days, moment.micros)?;
    let east = moment.east_seconds.unwrap_or_else(|| zone.offset_at_local(local));
    in_range(local.checked_sub(i64::from(east) * MICROS_PER_SECOND).ok_or(RANGE)?)
}

fn local_micros(days: i64, micros: i64) -> Result<i64, Fault> {
    days.checked_mul(MICROS_PER_DAY).and_then(|start| start.checked_add(micros)).ok_or(RANGE)
}

fn in_range(micros: i64) -> Result<i64, Fault> {
    if micros_are_a_timestamp(micros) { Ok(micros) } else { Err(RANGE) }
}

/// Rounds microseconds to `digits` fractional digits as the server's typmod does, half away from 2000-01-01; `None`
/// where the result is out of the server's range. Infinities stay.
#[must_use]
pub fn round_timestamp(micros: i64, digits: u8) -> Option<i64> {
    if micros == i64::MAX || micros == i64::MIN || digits >= 6 {
        return Some(micros);
    }
    let scale = 10_i64.pow(6 - u32::from(digits));
    let half = scale / 2 * micros.signum();
    let rounded = micros.checked_add(half)? / scale * scale;
    micros_are_a_timestamp(rounded).then_some(rounded)
}
