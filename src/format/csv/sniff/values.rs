//! What the values of a column look like: which type would hold them, which texts stand for null, how times are written.

use super::times;
use crate::model::Zone;
use crate::model::datetime::{parse_date, parse_time, parse_timestamp, parse_timestamptz};

/// Texts that stand for null somewhere.
const MARKS: [&str; 32] = [
    "NA",
    "N/A",
    "n/a",
    "na",
    "#N/A",
    "#NA",
    "<NA>",
    "NULL",
    "null",
    "Null",
    "(null)",
    "[NULL]",
    "<NULL>",
    "<null>",
    "#NULL!",
    "\\N",
    "-",
    "--",
    "---",
    ".",
    "?",
    "nan",
    "NaN",
    "NAN",
    "-nan",
    "NaT",
    "None",
    "none",
    "nil",
    "missing",
    "undefined",
    "n.a.",
];

/// Those of them that are null in a column of text too, where others may be words.
const CERTAIN_MARKS: [&str; 9] = ["\\N", "NULL", "#N/A", "#NULL!", "(null)", "[NULL]", "<NULL>", "<null>", "<NA>"];

/// Those that the server takes for a number.
const NUMBERS: [&str; 3] = ["nan", "NaN", "NAN"];

/// Whether a value says nothing of its column's type: nothing, a mark, an infinity of numbers or times.
pub(super) fn is_special(value: &[u8]) -> bool {
    let infinite = value.strip_prefix(b"-").unwrap_or(value);
    value.is_empty() || MARKS.iter().any(|mark| mark.as_bytes() == value) || infinite.eq_ignore_ascii_case(b"infinity")
}

/// What a value can be, from the narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Integer,
    BigInteger,
    Numeric,
    Float,
    Boolean,
    Date,
    TimeOfDay,
    TimestampTz,
    Timestamp,
    Uuid,
    /// A time in another form than the server's own.
    OtherTime,
    Text,
}

impl Kind {
    /// The type that holds such values.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::BigInteger => "bigint",
            Self::Numeric => "numeric",
            Self::Float => "double precision",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::TimeOfDay => "time",
            Self::TimestampTz | Self::OtherTime => "timestamptz",
            Self::Timestamp => "timestamp",
            Self::Uuid => "uuid",
            Self::Text => "text",
        }
    }

    /// What holds values of both kinds.
    pub(super) fn join(self, other: Self) -> Self {
        use Kind::{BigInteger, Date, Float, Integer, Numeric, Timestamp, TimestampTz};
        let (narrow, wide) = (self.min(other), self.max(other));
        match (narrow, wide) {
            _ if narrow == wide => wide,
            (Integer | BigInteger | Numeric, BigInteger | Numeric | Float) => wide,
            (Date, Timestamp) => Timestamp,
            (Date | TimestampTz, TimestampTz | Timestamp) => TimestampTz,
            _ => Self::Text,
        }
    }
}

/// The kind of one value.
pub(super) fn kind(value: &[u8]) -> Kind {
    let Ok(text) = std::str::from_utf8(value) else { return Kind::Text };
    let trimmed = text.trim_matches([' ', '\t']);
    match trimmed.as_bytes() {
        [] => Kind::Text,
        [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => number(trimmed).or_else(|| time(trimmed)).unwrap_or(Kind::Text),
        _ if NUMBERS.contains(&trimmed) => Kind::Float,
        _ if is_boolean(trimmed) => Kind::Boolean,
        _ if is_uuid(trimmed) => Kind::Uuid,
        _ if times::format_of(trimmed).is_some() => Kind::OtherTime,
        _ => Kind::Text,
    }
}

fn number(text: &str) -> Option<Kind> {
    let digits = text.trim_start_matches(['+', '-']);
    // Leading zeros are of numbers that count nothing: postcodes, telephones, keys.
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Kind::Text);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        return Some(match (text.parse::<i32>(), text.parse::<i64>()) {
            (Ok(_), _) => Kind::Integer,
            (_, Ok(_)) => Kind::BigInteger,
            _ => Kind::Numeric,
        });
    }
    let has_digit = digits.bytes().any(|byte| byte.is_ascii_digit());
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match (has_digit && text.parse::<f64>().is_ok(), is_plain) {
        (true, true) => Some(Kind::Numeric),
        (true, false) => Some(Kind::Float),
        _ => None,
    }
}

fn time(text: &str) -> Option<Kind> {
    let bytes = text.as_bytes();
    if parse_date(bytes).is_ok() && text.len() <= 10 {
        return Some(Kind::Date);
    }
    if parse_time(bytes).is_ok() && text.contains(':') && text.len() <= 20 {
        return Some(Kind::TimeOfDay);
    }
    let has_clock = bytes.iter().skip(8).any(|byte| matches!(byte, b'T' | b't' | b' '));
    if has_clock && parse_timestamptz(bytes, &Zone::UTC).is_ok() {
        let clock = &bytes[10..];
        let has_offset = clock.iter().any(|byte| matches!(byte, b'+' | b'-' | b'Z' | b'z' | b'U'));
        let is_plain = !has_offset && parse_timestamp(bytes).is_ok();
        return Some(if is_plain { Kind::Timestamp } else { Kind::TimestampTz });
    }
    times::format_of(text).map(|_| Kind::OtherTime)
}

fn is_boolean(text: &str) -> bool {
    ["t", "f", "true", "false", "yes", "no"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_uuid(text: &str) -> bool {
    let is_place = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| if is_place(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// What was seen in a column.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The kind of all values that are no marks; `None` where there are none.
    pub(super) kind: Option<Kind>,
    /// Values that were looked at, those that are no marks, and of these the ones without quotes.
    pub(super) values: u64,
    plain: u64,
    unquoted: u64,
    /// Marks that stand in quotes, and so are texts.
    quoted_marks: Vec<&'static str>,
    /// Marks that stand unquoted, as often as they do.
    marks: Vec<(&'static str, u64)>,
    /// Whether fields are quoted and empty.
    has_quoted_empty: bool,
    pub(super) has_null: bool,
    /// Numbers with a comma before the decimals.
    decimal_commas: u64,
    /// The first values in a form of time that is not the server's, and integers, to be judged together.
    pub(super) times: times::Column,
}

impl Seen {
    /// Takes a value into account.
    pub(super) fn take(&mut self, value: &[u8], quoted: bool) {
        self.values += 1;
        if value.is_empty() {
            self.has_quoted_empty |= quoted;
            self.has_null |= !quoted;
            return;
        }
        let mark = MARKS.iter().find(|mark| mark.as_bytes() == value);
        self.quoted_marks.extend(mark.filter(|_| quoted));
        if let Some(mark) = mark.filter(|_| !quoted) {
            match self.marks.iter_mut().find(|(known, _)| known == mark) {
                Some((_, times)) => *times += 1,
                None => self.marks.push((mark, 1)),
            }
            return;
        }
        if is_special(value) {
            return;
        }
        self.plain += 1;
        self.unquoted += u64::from(!quoted);
        self.decimal_commas += u64::from(is_decimal_comma(value));
        self.times.take(value);
        let own = kind(value);
        self.kind = Some(self.kind.map_or(own, |kind| kind.join(own)));
    }

    /// The kind of all values but the marks, where it is not text.
    pub(super) fn typed(&self) -> Option<Kind> {
        self.kind.filter(|kind| *kind != Kind::Text)
    }

    /// Whether all values but the marks are of one type that is no text.
    pub(super) fn is_typed(&self) -> bool {
        self.typed().is_some()
    }

    /// The marks that stand for null in this column.
    pub(super) fn nulls(&self) -> impl Iterator<Item = &'static str> {
        let is_number =
            |mark: &str| NUMBERS.contains(&mark) && !matches!(self.kind, Some(Kind::Integer | Kind::BigInteger));
        // Where texts are quoted and a mark is not, it is no text.
        let is_told_apart = |mark| self.quoted_marks.contains(&mark) || (self.plain > 0 && self.unquoted == 0);
        let stands = move |mark: &'static str| {
            if self.is_typed() { !is_number(mark) } else { is_told_apart(mark) || CERTAIN_MARKS.contains(&mark) }
        };
        self.marks.iter().map(|(mark, _)| *mark).filter(move |mark| stands(mark))
    }

    /// Whether quoted empty fields stand where only null can.
    pub(super) fn has_empty_nulls(&self) -> bool {
        self.is_typed() && self.has_quoted_empty
    }

    /// Whether all values are numbers, and some have a comma before the decimals.
    pub(super) fn has_decimal_commas(&self) -> bool {
        self.decimal_commas > 0 && self.decimal_commas == self.plain
    }
}

/// `1.234,56` or `3,5`, with or without a sign.
fn is_decimal_comma(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let Some(comma) = memchr::memchr(b',', digits) else { return false };
    let (whole, decimals) = (&digits[..comma], &digits[comma + 1..]);
    let all_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut groups = whole.split(|byte| *byte == b'.');
    let is_first = groups.next().is_some_and(|first| all_digits(first) && (first.len() <= 3 || !whole.contains(&b'.')));
    is_first && groups.all(|group| group.len() == 3 && all_digits(group)) && all_digits(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[&str]) -> Seen {
        let mut seen = Seen::default();
        values.iter().for_each(|value| seen.take(value.as_bytes(), false));
        seen
    }

    #[test]
    fn a_value_is_of_the_narrowest_type_that_holds_it() {
        let cases = [
            ("7", "integer"),
            ("-2147483649", "bigint"),
            ("18446744073709551615", "numeric"),
            ("1.50", "numeric"),
            ("1e5", "double precision"),
            ("007", "text"),
            ("2024-01-31", "date"),
            ("10:20:30", "time"),
            ("2024-01-31 10:20:30", "timestamp"),
            ("2024-01-31T10:20:30Z", "timestamptz"),
            ("2024-01-31 10:20:30 UTC", "timestamptz"),
            ("31.01.2024 10:20", "timestamptz"),
            ("True", "boolean"),
            ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid"),
            ("1,5", "text"),
            ("-", "text"),
            ("word", "text"),
        ];
        for (value, expected) in cases {
            assert_eq!(kind(value.as_bytes()).sql(), expected, "{value}");
        }
    }

    #[test]
    fn a_mark_stands_for_null_where_the_others_are_of_a_type_or_where_it_is_no_word() {
        let nulls = |values: &[&str]| seen(values).nulls().collect::<Vec<_>>();
        assert_eq!(nulls(&["1", "NA", "-", "3"]), ["NA", "-"]);
        assert_eq!(nulls(&["a", "NA", "-"]), [""; 0]);
        assert_eq!(nulls(&["a", "NULL", "\\N"]), ["NULL", "\\N"]);
        assert_eq!(nulls(&["1", "nan"]), ["nan"]);
        assert_eq!(nulls(&["1.5", "nan"]), [""; 0], "it is a number");
        assert_eq!(nulls(&["NA"]), [""; 0], "there is nothing to tell it by");
    }

    #[test]
    fn decimal_commas_are_told_from_lists() {
        assert!(seen(&["3,5", "1.234,56", "-0,1"]).has_decimal_commas());
        assert!(!seen(&["3,5", "7,x"]).has_decimal_commas());
        assert!(!seen(&["1.23,5"]).has_decimal_commas());
    }
}
