//! Texts of dates.

use super::calendar::days_are_a_date;
use super::moment::{Reading, read};
use super::{Fault, RANGE, plain};

/// Days since 2000-01-01. A time of day is taken only if it is midnight, because a date would lose any other.
///
/// # Errors
///
/// If the text is not a date.
pub fn parse_date(text: &[u8]) -> Result<i32, Fault> {
    if let Some(days) = text.try_into().ok().and_then(plain::read_date) {
        return i32::try_from(days).map_err(|_| RANGE);
    }
    let moment = match read(text)? {
        Reading::Infinity => return Ok(i32::MAX),
        Reading::MinusInfinity => return Ok(i32::MIN),
        Reading::Moment(moment) => moment,
    };
    if moment.micros != 0 {
        return Err(Fault("a date would lose its time of day"));
    }
    i32::try_from(moment.days).ok().filter(|&days| days_are_a_date(days.into())).ok_or(RANGE)
}
