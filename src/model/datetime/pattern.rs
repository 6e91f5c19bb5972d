//! Formats that a user gives for times: `strptime` directives, planned once, and counts since 1970.
//!
//! A format must tell a whole day: nothing is filled in but what is finer than its finest field. A text must match to
//! its last byte, and what it says twice, a weekday for one, must agree.

use std::fmt;
use std::sync::Arc;

use super::calendar::Civil;
use super::clock::{Clock, take_fraction};
use super::cursor::{Cursor, number};
use super::moment::Moment;
use super::named::{take_month, take_weekday_name};
use super::offset::{take_offset, take_utc};
use super::{EMPTY, Fault, MICROS_PER_DAY, NO_CLOCK, NO_DAY, RANGE};
use crate::error::{Error, ErrorKind};

const MISMATCH: Fault = Fault("it does not match the format");
const WEEKDAY: Fault = Fault("that day is another weekday");

/// How a text says when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As the user wrote it.
    text: Arc<str>,
    parts: Arc<[Part]>,
}

/// A piece of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// This byte.
    Byte(u8),
    /// White space, at least one.
    Space,
    Field(Field),
}

/// What a directive reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// `%Y`: four or more digits.
    Year,
    /// `%y`: two digits; from 69 on they are of the twentieth century, as POSIX has it.
    ShortYear,
    /// `%m`.
    Month,
    /// `%b`, `%B`, `%h`: a month's name, whole or its first three letters.
    MonthName,
    /// `%d`, `%e`.
    Day,
    /// `%j`.
    DayOfYear,
    /// `%a`, `%A`: a weekday's name, likewise.
    Weekday,
    /// `%H`, `%k`.
    Hour,
    /// `%I`, `%l`: from 1 to 12.
    HalfDayHour,
    /// `%p`, `%P`.
    Meridiem,
    /// `%M`.
    Minute,
    /// `%S`: up to 60.
    Second,
    /// `%f`: the digits behind a point that the format names.
    Fraction,
    /// `%.f`: a point and digits, if they are there.
    PointAndFraction,
    /// `%z`, `%:z`: `+hhmm`, `+hh:mm`, `+hh`, `Z`.
    Offset,
    /// `%Z`: `UTC`, `GMT`, `Z`.
    Utc,
}

impl Pattern {
    /// Plans a format.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a lower-case phrase.
    pub(super) fn try_new(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        plan(text, &mut parts)?;
        check(&parts)?;
        Ok(Self { text: text.into(), parts: parts.into() })
    }

    /// Reads a text.
    pub(super) fn read(&self, text: &[u8]) -> Result<Moment, Fault> {
        let mut cursor = Cursor::new(text)?;
        let mut found = Found::default();
        for part in &*self.parts {
            match part {
                Part::Byte(byte) => cursor.take(&[*byte]).map(drop).ok_or(MISMATCH)?,
                Part::Space => cursor.take_spaces().then_some(()).ok_or(MISMATCH)?,
                Part::Field(field) => found.take(*field, &mut cursor)?,
            }
        }
        if cursor.is_empty() { found.moment() } else { Err(MISMATCH) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Appends the parts of a format.
fn plan(text: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter.is_ascii_whitespace() {
            if parts.last() != Some(&Part::Space) {
                parts.push(Part::Space);
            }
        } else if letter == '%' {
            let directive = match letters.next() {
                Some(mark @ ('.' | ':')) => letters.next().map(|letter| format!("{mark}{letter}")),
                other => other.map(String::from),
            };
            plan_directive(&directive.ok_or("it ends with a single %")?, parts)?;
        } else {
            let mut bytes = [0; 4];
            parts.extend(letter.encode_utf8(&mut bytes).bytes().map(Part::Byte));
        }
    }
    Ok(())
}

fn plan_directive(directive: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let field = match directive {
        "Y" => Field::Year,
        "y" => Field::ShortYear,
        "m" => Field::Month,
        "b" | "B" | "h" => Field::MonthName,
        "d" | "e" => Field::Day,
        "j" => Field::DayOfYear,
        "a" | "A" => Field::Weekday,
        "H" | "k" => Field::Hour,
        "I" | "l" => Field::HalfDayHour,
        "p" | "P" => Field::Meridiem,
        "M" => Field::Minute,
        "S" => Field::Second,
        "f" => Field::Fraction,
        ".f" => Field::PointAndFraction,
        "z" | ":z" => Field::Offset,
        "Z" => Field::Utc,
        "F" => return plan("%Y-%m-%d", parts),
        "D" => return plan("%m/%d/%y", parts),
        "T" => return plan("%H:%M:%S", parts),
        "R" => return plan("%H:%M", parts),
        "%" => {
            parts.push(Part::Byte(b'%'));
            return Ok(());
        }
        other => {
            return Err(format!(
                "%{other} is no directive that is known; there are %Y %y %m %b %d %j %a %H %I %p %M %S %f %.f %z %Z %F %D %T %R %%"
            ));
        }
    };
    parts.push(Part::Field(field));
    Ok(())
}

/// Refuses a format that leaves a field to guesses, or that has one twice.
fn check(parts: &[Part]) -> Result<(), String> {
    let count =
        |fields: &[Field]| parts.iter().filter(|part| fields.iter().any(|field| **part == Part::Field(*field))).count();
    let has = |fields: &[Field]| count(fields) > 0;
    let groups: [&[Field]; 10] = [
        &[Field::Year, Field::ShortYear],
        &[Field::Month, Field::MonthName, Field::DayOfYear],
        &[Field::Day, Field::DayOfYear],
        &[Field::Weekday],
        &[Field::Hour, Field::HalfDayHour],
        &[Field::Meridiem],
        &[Field::Minute],
        &[Field::Second],
        &[Field::Fraction, Field::PointAndFraction],
        &[Field::Offset, Field::Utc],
    ];
    if groups.iter().any(|group| count(group) > 1) {
        return Err("it has a field twice".to_owned());
    }
    if !(has(groups[0]) && has(groups[1]) && has(groups[2])) {
        return Err("it must have year, month and day, or year and day of the year".to_owned());
    }
    if has(&[Field::HalfDayHour]) != has(&[Field::Meridiem]) {
        return Err("%I and %p need each other".to_owned());
    }
    let clock = [groups[4], groups[6], groups[7], groups[8]].map(has);
    if clock.is_sorted_by(|coarse, fine| coarse >= fine) {
        Ok(())
    } else {
        Err("it has a part of the time of day without the next larger one".to_owned())
    }
}

/// The fields that were read so far.
#[derive(Debug)]
struct Found {
    year: i64,
    month: u8,
    day: u8,
    day_of_year: Option<i64>,
    weekday: Option<usize>,
    clock: Clock,
    afternoon: Option<bool>,
    east_seconds: Option<i32>,
}

impl Default for Found {
    fn default() -> Self {
        let clock = Clock { hour: 0, minute: 0, second: 0, micros: 0 };
        Self { year: 0, month: 1, day: 1, day_of_year: None, weekday: None, clock, afternoon: None, east_seconds: None }
    }
}

impl Found {
    fn take(&mut self, field: Field, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match field {
            Field::Year => self.year = take_year(cursor)?,
            Field::ShortYear => {
                let year = take_exactly(cursor, 2)?;
                self.year = if year < 69 { 2000 + year } else { 1900 + year };
            }
            Field::Month => self.month = take_short(cursor)?,
            Field::MonthName => self.month = take_month(cursor).ok_or(MISMATCH)?,
            Field::Day => self.day = take_short(cursor)?,
            Field::DayOfYear => self.day_of_year = Some(take_exactly(cursor, 3)?),
            Field::Weekday => self.weekday = Some(take_weekday_name(cursor).ok_or(MISMATCH)?),
            Field::Hour | Field::HalfDayHour => self.clock.hour = take_short(cursor)?.into(),
            Field::Meridiem => self.afternoon = Some(take_meridiem(cursor)?),
            Field::Minute => self.clock.minute = take_short(cursor)?.into(),
            Field::Second => self.clock.second = take_short(cursor)?.into(),
            Field::Fraction => self.clock.micros = take_digits_of_fraction(cursor)?,
            Field::PointAndFraction => self.clock.micros = take_fraction(cursor),
            Field::Offset => {
                self.east_seconds = match take_offset(cursor)? {
                    None => Some(cursor.take(b"zZ").map(|_| 0).ok_or(MISMATCH)?),
                    offset => offset,
                }
            }
            Field::Utc => self.east_seconds = Some(take_utc(cursor).then_some(0).ok_or(MISMATCH)?),
        }
        Ok(())
    }

    fn moment(mut self) -> Result<Moment, Fault> {
        let days = self.days()?;
        // 2000-01-01, day 0, was a Saturday; Monday is 0 here.
        if self.weekday.is_some_and(|weekday| i64::try_from(weekday).ok() != Some((days + 5).rem_euclid(7))) {
            return Err(WEEKDAY);
        }
        if let Some(afternoon) = self.afternoon {
            if !(1..=12).contains(&self.clock.hour) {
                return Err(NO_CLOCK);
            }
            self.clock.hour = self.clock.hour % 12 + if afternoon { 12 } else { 0 };
        }
        Ok(Moment { days, micros: self.clock.to_micros().ok_or(NO_CLOCK)?, east_seconds: self.east_seconds })
    }

    fn days(&self) -> Result<i64, Fault> {
        let first = Civil { year: self.year, month: self.month, day: self.day };
        let Some(day_of_year) = self.day_of_year else {
            return if first.exists() { Ok(first.to_days()) } else { Err(NO_DAY) };
        };
        let start = first.to_days();
        let length = Civil { year: self.year + 1, ..first }.to_days() - start;
        if (1..=length).contains(&day_of_year) { Ok(start + day_of_year - 1) } else { Err(NO_DAY) }
    }
}

/// Four digits, or up to seven where no other digits can follow.
fn take_year(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    let mut ahead = *cursor;
    let digits = ahead.take_digits();
    if (4..=6).contains(&digits.len()) && ahead.peek().is_some_and(|byte| !byte.is_ascii_digit()) {
        *cursor = ahead;
        return positive(number(digits).ok_or(MISMATCH)?);
    }
    positive(take_exactly(cursor, 4)?)
}

fn positive(year: i64) -> Result<i64, Fault> {
    if year > 0 { Ok(year) } else { Err(NO_DAY) }
}

/// A number of two digits, or of one where no digit follows; a space may stand for its leading zero.
fn take_short(cursor: &mut Cursor<'_>) -> Result<u8, Fault> {
    cursor.take_spaces();
    let digits = cursor.take_up_to(2);
    let value = number(digits).filter(|_| !digits.is_empty()).ok_or(MISMATCH)?;
    u8::try_from(value).map_err(|_| MISMATCH)
}

fn take_exactly(cursor: &mut Cursor<'_>, count: usize) -> Result<i64, Fault> {
    let digits = cursor.take_up_to(count);
    number(digits).filter(|_| digits.len() == count).ok_or(MISMATCH)
}

fn take_meridiem(cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    let word = cursor.take_letters();
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"pm") {
        Ok(true)
    } else if is(b"am") {
        Ok(false)
    } else {
        Err(MISMATCH)
    }
}

/// Digits of a fraction without their point, rounded to microseconds as those of an ISO text.
fn take_digits_of_fraction(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    let digits = cursor.take_digits();
    if digits.is_empty() {
        return Err(MISMATCH);
    }
    let text = [b".", digits].concat();
    Ok(take_fraction(&mut Cursor::new(&text)?))
}

/// A count of time units since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// Seconds; a text may have a fraction of them.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds, which must be whole microseconds.
    Nanos,
}

impl EpochUnit {
    /// Microseconds since 2000-01-01 00:00 UTC. What is finer is refused, unless `lossy` cuts it off: toward the past.
    ///
    /// # Errors
    ///
    /// If the server has no such timestamp, or nanoseconds would be lost.
    pub fn micros(self, count: i64, lossy: bool) -> Result<i64, Fault> {
        let since_1970 = match self {
            Self::Seconds => count.checked_mul(1_000_000),
            Self::Millis => count.checked_mul(1_000),
            Self::Micros => Some(count),
            Self::Nanos if lossy || count % 1_000 == 0 => Some(count.div_euclid(1_000)),
            Self::Nanos => return Err(NANOS),
        };
        since_1970.and_then(|micros| micros.checked_add(super::UNIX_EPOCH_DAYS * MICROS_PER_DAY)).ok_or(RANGE)
    }

    /// The same of a text: a number, with a fraction where it counts seconds.
    pub(super) fn read(self, text: &[u8], lossy: bool) -> Result<i64, Fault> {
        let mut cursor = Cursor::new(text)?;
        let negative = cursor.take(b"+-") == Some(b'-');
        let digits = cursor.take_digits();
        if digits.is_empty() {
            return Err(NOT_A_COUNT);
        }
        let whole = number(digits).ok_or(RANGE)?;
        let count = self.micros(if negative { -whole } else { whole }, lossy)?;
        if cursor.is_empty() {
            return Ok(count);
        }
        if self != Self::Seconds || cursor.take(b".").is_none() {
            return Err(NOT_A_COUNT);
        }
        let fraction = cursor.take_digits();
        if fraction.is_empty() || !cursor.is_empty() {
            return Err(NOT_A_COUNT);
        }
        let (kept, cut) = fraction.split_at(fraction.len().min(6));
        let loses = cut.iter().any(|digit| *digit != b'0');
        if loses && !lossy {
            return Err(NANOS);
        }
        let micros = (kept.len()..6).fold(number(kept).ok_or(EMPTY)?, |micros, _| micros * 10);
        let signed = if negative { -(micros + i64::from(loses)) } else { micros };
        count.checked_add(signed).ok_or(RANGE)
    }
}

const NANOS: Fault = Fault("nanoseconds would be lost");
const NOT_A_COUNT: Fault = Fault("it is not a count since 1970");

/// How the texts of a time column are to be read, where not as the server reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// By `strptime` directives.
    Pattern(Pattern),
    /// As a count since 1970.
    Epoch(EpochUnit),
}

impl TimeFormat {
    /// `epoch-s`, `epoch-ms`, `epoch-us`, `epoch-ns`, or a format of `strptime` directives.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if it is none of these, or leaves something to guess.
    pub fn parse(text: &str) -> crate::Result<Self> {
        Ok(Self::Epoch(match text {
            "epoch-s" => EpochUnit::Seconds,
            "epoch-ms" => EpochUnit::Millis,
            "epoch-us" => EpochUnit::Micros,
            "epoch-ns" => EpochUnit::Nanos,
            _ => {
                let refuse = |why| Error::new(ErrorKind::Settings, format!("'{text}' is no format of times: {why}"));
                return Pattern::try_new(text).map(Self::Pattern).map_err(refuse);
            }
        }))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pattern(pattern) => return pattern.fmt(f),
            Self::Epoch(EpochUnit::Seconds) => "epoch-s",
            Self::Epoch(EpochUnit::Millis) => "epoch-ms",
            Self::Epoch(EpochUnit::Micros) => "epoch-us",
            Self::Epoch(EpochUnit::Nanos) => "epoch-ns",
        })
    }
}

#[cfg(test)]
mod tests;
