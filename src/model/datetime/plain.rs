//! The plain form of a timestamp, read in one go: `YYYY-MM-DD[T ]HH:MM:SS[.ffffff][Z|±hh[:mm]]`.
//!
//! Nearly every timestamp in real files has it. Whatever does not is left to the general reader, so that this one may
//! give up on anything unusual.

use super::calendar::Civil;
use super::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// Bytes of `YYYY-MM-DD`.
const DATE_BYTES: usize = 10;
/// Bytes of `YYYY-MM-DD HH:MM:SS`.
const SECOND_BYTES: usize = 19;

/// A timestamp in the plain form.
pub(super) struct Plain {
    /// Microseconds since 2000-01-01 00:00, by the clock that the text shows.
    pub(super) local_micros: i64,
    /// Its offset, in seconds east of Greenwich.
    pub(super) east_seconds: Option<i32>,
}

/// Reads a timestamp; `None` if it is not plain.
pub(super) fn read(text: &[u8]) -> Option<Plain> {
    let (head, tail) = text.split_first_chunk::<SECOND_BYTES>()?;
    let days = read_date(head.first_chunk()?)?;
    if !matches!(head[10], b' ' | b'T') || head[13] != b':' || head[16] != b':' {
        return None;
    }
    let [hour, minute, second] = [pair(head, 11)?, pair(head, 14)?, pair(head, 17)?];
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let (fraction, tail) = read_fraction(tail)?;
    let local_micros = days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + fraction;
    Some(Plain { local_micros, east_seconds: read_offset(tail)? })
}

/// Reads `YYYY-MM-DD` to days since 2000-01-01.
pub(super) fn read_date(text: &[u8; DATE_BYTES]) -> Option<i64> {
    let [century, year, month, day] = [pair(text, 0)?, pair(text, 2)?, pair(text, 5)?, pair(text, 8)?];
    let date = Civil { year: i64::from(century) * 100 + i64::from(year), month, day };
    (text[4] == b'-' && text[7] == b'-' && date.year > 0 && date.exists()).then(|| date.to_days())
}

/// Up to six digits after a point, in microseconds, and what follows them.
fn read_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=6).contains(&count) {
        return None;
    }
    let (digits, rest) = digits.split_at(count);
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(((count..6).fold(value, |micros, _| micros * 10), rest))
}

/// The offset in seconds east; the outer `None` if the text is not plain, the inner one if it ends without an offset.
#[expect(clippy::option_option, reason = "an absent offset and another form are two things")]
fn read_offset(text: &[u8]) -> Option<Option<i32>> {
    let (hour, minute) = match text {
        [] => return Some(None),
        [b'Z'] => return Some(Some(0)),
        [_, _, _] => (pair(text, 1)?, 0),
        [_, _, _, b':', _, _] => (pair(text, 1)?, pair(text, 4)?),
        _ => return None,
    };
    if hour > 15 || minute > 59 {
        return None;
    }
    let seconds = (i32::from(hour) * 60 + i32::from(minute)) * 60;
    match text[0] {
        b'+' => Some(Some(seconds)),
        b'-' => Some(Some(-seconds)),
        _ => None,
    }
}

/// The number that two digits spell, from `at` on.
fn pair(text: &[u8], at: usize) -> Option<u8> {
    let [high, low] = [text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0')];
    (high <= 9 && low <= 9).then(|| high * 10 + low)
}
