//! Offsets from Greenwich at the end of a text.

use super::cursor::{Cursor, is_space, number};
use super::{FORM, Fault, NO_OFFSET};

/// The widest offset that the server takes, in hours.
const OFFSET_HOURS_MAX: i64 = 15;

/// Reads an offset that is the whole of `text` (`+05`, `+0530`, `-05:30`, `+05:30:15`) to seconds east of Greenwich.
pub(in crate::model) fn parse_offset(text: &[u8]) -> Result<i32, Fault> {
    let mut cursor = Cursor::new(text)?;
    match take_offset(&mut cursor)? {
        Some(seconds) if cursor.is_empty() => Ok(seconds),
        _ => Err(FORM),
    }
}

/// Takes the offset that stands here, in seconds east of Greenwich; nothing where there is none.
///
/// `UTC` and its other names are the only ones read: an abbreviation means what the server's settings say, and the
/// rules of a zone are those of the server's own edition of the time zone database.
pub(super) fn take_zone(cursor: &mut Cursor<'_>) -> Result<Option<i32>, Fault> {
    let mut ahead = *cursor;
    ahead.take_spaces();
    let offset = match take_offset(&mut ahead)? {
        None => take_utc(&mut ahead).then_some(0),
        offset => offset,
    };
    if offset.is_some() {
        *cursor = ahead;
    }
    Ok(offset)
}

/// Takes a sign and an offset, in seconds east of Greenwich; nothing where no sign stands.
pub(super) fn take_offset(cursor: &mut Cursor<'_>) -> Result<Option<i32>, Fault> {
    let Some(sign) = cursor.take(b"+-") else { return Ok(None) };
    let digits = cursor.take_digits();
    let leading = number(digits).ok_or(FORM)?;
    let [hours, minutes, seconds] = match digits.len() {
        1 | 2 => take_minutes(cursor, leading)?,
        // The server takes the last two of three or four digits for minutes.
        3 | 4 => [leading / 100, leading % 100, 0],
        _ => return Err(FORM),
    };
    if hours > OFFSET_HOURS_MAX || minutes > 59 || seconds > 59 {
        return Err(NO_OFFSET);
    }
    let east = (hours * 60 + minutes) * 60 + seconds;
    let east = i32::try_from(if sign == b'-' { -east } else { east }).expect("an offset is less than 16 hours");
    Ok(Some(east))
}

fn take_minutes(cursor: &mut Cursor<'_>, hours: i64) -> Result<[i64; 3], Fault> {
    let mut parts = [hours, 0, 0];
    for part in &mut parts[1..] {
        if cursor.take(b":").is_none() {
            break;
        }
        *part = cursor.take_number(1, 2)?;
    }
    Ok(parts)
}

/// Takes the name of universal time.
pub(super) fn take_utc(cursor: &mut Cursor<'_>) -> bool {
    let name = cursor.take_while(|byte| !is_space(byte));
    [b"z".as_slice(), b"utc", b"gmt"].iter().any(|utc| name.eq_ignore_ascii_case(utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_every_form_that_the_server_writes_or_iso_knows() {
        let table = [
            ("+05", 18_000),
            ("-5", -18_000),
            ("+0530", 19_800),
            ("+530", 19_800),
            ("-05:30", -19_800),
            ("+05:30:15", 19_815),
            ("+15:59:59", 57_599),
            ("-00", 0),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_offset(text.as_bytes()), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn an_offset_of_another_form_is_refused() {
        for text in
            ["+16", "+05:60", "+05:30:60", "+", "05", "+05:", "+00530", "+053015", "+05:30:15:1", "+5.5", "+0530:15"]
        {
            assert!(parse_offset(text.as_bytes()).is_err(), "{text}");
        }
    }
}
