//! Texts of dates.

use super::calendar::days_are_a_date;
use super::moment::{Moment, Reading, read};
use super::pattern::TimeFormat;
use super::timestamp::read_timestamp;
use super::{Fault, MICROS_PER_DAY, RANGE, Zone, plain};

/// Days since 2000-01-01. A time of day is taken only if it is midnight, because a date would lose any other.
///
/// # Errors
///
/// If the text is not a date.
pub fn parse_date(text: &[u8]) -> Result<i32, Fault> {
    if let Some(days) = text.try_into().ok().and_then(plain::read_date) {
        return i32::try_from(days).map_err(|_| RANGE);
    }
    match read(text)? {
        Reading::Infinity => Ok(i32::MAX),
        Reading::MinusInfinity => Ok(i32::MIN),
        Reading::Moment(moment) => date_of(&moment),
    }
}

/// The same of a text in a format of the user's. A count since 1970 is the local day in `zone`.
///
/// # Errors
///
/// If the text does not match the format, or has a time of day other than midnight.
pub fn read_date(format: &TimeFormat, text: &[u8], zone: &Zone, lossy: bool) -> Result<i32, Fault> {
    match format {
        TimeFormat::Pattern(pattern) => date_of(&pattern.read(text)?),
        TimeFormat::Epoch(_) => {
            let micros = read_timestamp(format, text, zone, lossy)?;
            let (days, micros) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
            date_of(&Moment { days, micros, east_seconds: None })
        }
    }
}

fn date_of(moment: &Moment) -> Result<i32, Fault> {
    if moment.micros != 0 {
        return Err(Fault("a date would lose its time of day"));
    }
    i32::try_from(moment.days).ok().filter(|&days| days_are_a_date(days.into())).ok_or(RANGE)
}
