//! How times are written that are not in the server's own form: as a pattern for `--timestamp-format`, or since 1970.

use crate::model::Zone;
use crate::model::datetime::{parse_date, parse_timestamptz};

/// Values of a column that are looked at together.
const VALUES_MAX: usize = 256;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The times of a column.
#[derive(Debug, Default)]
pub(super) struct Column {
    values: Vec<Box<str>>,
    /// Whether a value is no time in any form that is known.
    is_none: bool,
}

/// What a column says of its form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing, or that it is the server's own.
    Own,
    /// It is this one.
    One(String),
    /// It is one of these two: day and month cannot be told apart.
    Either(String, String),
}

impl Column {
    pub(super) fn take(&mut self, value: &[u8]) {
        if self.is_none || self.values.len() == VALUES_MAX {
            return;
        }
        match std::str::from_utf8(value) {
            Ok(text) if text.len() <= 40 => self.values.push(text.trim().into()),
            _ => self.is_none = true,
        }
    }

    /// The form of all values; integers are times only where `is_time` says that the column holds some.
    pub(super) fn form(&self, is_time: bool) -> Form {
        let is_own =
            |text: &str| parse_date(text.as_bytes()).is_ok() || parse_timestamptz(text.as_bytes(), &Zone::UTC).is_ok();
        let texts: Vec<&str> = self.values.iter().map(|value| &**value).collect();
        if self.is_none || texts.is_empty() || texts.iter().all(|text| is_own(text) && !is_integer(text)) {
            return Form::Own;
        }
        if texts.iter().all(|text| is_integer(text)) {
            return if is_time { since_1970(&texts) } else { Form::Own };
        }
        shared_format(&texts)
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The unit of numbers since 1970, told by their length: today's have 10 digits in seconds, and three more in each
/// smaller unit. Fourteen and twelve may be calendar digits instead.
fn since_1970(texts: &[&str]) -> Form {
    for (length, format) in [(14, "%Y%m%d%H%M%S"), (12, "%Y%m%d%H%M")] {
        if texts.iter().all(|text| text.len() == length && is_calendar(text)) {
            return Form::One(format.to_owned());
        }
    }
    if texts.iter().all(|text| text.len() == 8 && parse_date(text.as_bytes()).is_ok()) {
        return Form::Own;
    }
    let unit = |text: &&str| match text.trim_start_matches('-').len() {
        9..=10 => Some("s"),
        12..=13 => Some("ms"),
        15..=16 => Some("us"),
        18..=19 => Some("ns"),
        _ => None,
    };
    let longest = texts.iter().max_by_key(|text| text.len()).and_then(unit);
    // A moment near 1970 is short in any unit, but most are not near it.
    let own = texts.iter().filter(|text| unit(text) == longest).count();
    match longest {
        Some(unit) if own * 3 >= texts.len() * 2 => Form::One(format!("epoch-{unit}")),
        _ => Form::Own,
    }
}

/// Whether digits are a year of these two centuries, a month, a day and a time.
fn is_calendar(digits: &str) -> bool {
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let within = |value: Option<u32>, least: u32, most: u32| value.is_some_and(|value| (least..=most).contains(&value));
    within(part(0, 4), 1900, 2100)
        && within(part(4, 6), 1, 12)
        && within(part(6, 8), 1, 31)
        && within(part(8, 10), 0, 24)
        && within(part(10, 12), 0, 59)
        && (digits.len() == 12 || within(part(12, 14), 0, 60))
}

/// The format of all texts, if they share one.
fn shared_format(texts: &[&str]) -> Form {
    let mut shared: Option<Pattern> = None;
    for text in texts {
        let Some(pattern) = format_of(text) else { return Form::Own };
        match &mut shared {
            None => shared = Some(pattern),
            Some(known) if known.agrees(&pattern) => known.narrow(&pattern),
            Some(_) => return Form::Own,
        }
    }
    let Some(pattern) = shared else { return Form::Own };
    match (pattern.text.contains(ORDER), pattern.day_first, pattern.month_first) {
        (false, ..) => Form::One(pattern.text),
        (true, true, true) => Form::Either(pattern.ordered("%d", "%m"), pattern.ordered("%m", "%d")),
        (true, true, false) => Form::One(pattern.ordered("%d", "%m")),
        (true, false, true) => Form::One(pattern.ordered("%m", "%d")),
        (true, false, false) => Form::Own,
    }
}

/// Stands in a pattern for day and month, whose order all texts decide.
const ORDER: &str = "{}";

/// The form of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
    day_first: bool,
    month_first: bool,
    separator: char,
}

impl Pattern {
    fn ordered(&self, first: &str, second: &str) -> String {
        self.text.replace(ORDER, &format!("{first}{}{second}", self.separator))
    }

    fn agrees(&self, other: &Self) -> bool {
        self.text == other.text && self.separator == other.separator
    }

    fn narrow(&mut self, other: &Self) {
        self.day_first &= other.day_first;
        self.month_first &= other.month_first;
    }
}

/// The form of a text that is a time, but not in a form of the server's own.
pub(super) fn format_of(text: &str) -> Option<Pattern> {
    let mut rest = Rest(text);
    let mut pattern = rest.date()?;
    if !rest.0.is_empty() {
        pattern.text.push_str(&rest.clock()?);
    }
    rest.0.is_empty().then_some(pattern)
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if digits < least || digits > most {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        number.parse().ok()
    }

    fn one_of(&mut self, characters: &[char]) -> Option<char> {
        let first = self.0.chars().next().filter(|first| characters.contains(first))?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    fn skip(&mut self, character: char) -> bool {
        self.one_of(&[character]).is_some()
    }

    /// `%b` or `%B`, where a name of a month stands.
    fn month(&mut self) -> Option<&'static str> {
        let letters = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, rest) = self.0.split_at(letters);
        let name = name.to_ascii_lowercase();
        let (short, long) = (MONTHS.iter().any(|month| month[..3] == name), MONTHS.contains(&name.as_str()));
        if !short && !long {
            return None;
        }
        self.0 = rest;
        Some(if short { "%b" } else { "%B" })
    }

    fn date(&mut self) -> Option<Pattern> {
        let plain = |text: String| Pattern { text, day_first: false, month_first: false, separator: '-' };
        if let Some(month) = self.month() {
            // Jan 31, 2024
            self.one_of(&[' '])?;
            self.number(1, 2).filter(|day| (1..=31).contains(day))?;
            let comma = if self.skip(',') { "," } else { "" };
            self.one_of(&[' '])?;
            self.number(4, 4)?;
            return Some(plain(format!("{month} %d{comma} %Y")));
        }
        if self.0.bytes().take_while(u8::is_ascii_digit).count() == 4 {
            self.number(4, 4)?;
            let separator = self.one_of(&['/', '.'])?;
            self.number(1, 2).filter(|month| (1..=12).contains(month))?;
            self.one_of(&[separator])?;
            self.number(1, 2).filter(|day| (1..=31).contains(day))?;
            return Some(plain(format!("%Y{separator}%m{separator}%d")));
        }
        let first = self.number(1, 2)?;
        let separator = self.one_of(&['/', '.', '-', ' '])?;
        if let Some(month) = self.month() {
            // 31-Jan-2024
            self.one_of(&[separator])?;
            return Some(plain(format!("%d{separator}{month}{separator}{}", self.year()?)));
        }
        let second = self.number(1, 2)?;
        self.one_of(&[separator])?;
        let year = self.year()?;
        let (day_first, month_first) = (is_day_and_month(first, second), is_day_and_month(second, first));
        let text = format!("{ORDER}{separator}{year}");
        (day_first || month_first).then_some(Pattern { text, day_first, month_first, separator })
    }

    fn year(&mut self) -> Option<&'static str> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        self.number(digits, digits)?;
        match digits {
            4 => Some("%Y"),
            2 => Some("%y"),
            _ => None,
        }
    }

    /// ` 10:20:30.5 PM +0100`
    fn clock(&mut self) -> Option<String> {
        let between = if self.0.starts_with(", ") { ", ".to_owned() } else { self.0.chars().next()?.to_string() };
        if ![" ", "T", ":", ", "].contains(&between.as_str()) {
            return None;
        }
        self.0 = &self.0[between.len()..];
        let hour = self.number(1, 2).filter(|hour| *hour <= 24)?;
        let mut clock = String::from(":%M");
        self.one_of(&[':'])?;
        self.number(2, 2).filter(|minute| *minute < 60)?;
        if self.skip(':') {
            self.number(2, 2).filter(|second| *second <= 60)?;
            clock.push_str(":%S");
            if self.skip('.') {
                self.number(1, 9)?;
                clock.push_str("%.f");
            }
        }
        let is_half = hour <= 12 && self.half(&mut clock);
        self.offset(&mut clock)?;
        Some(format!("{between}{}{clock}", if is_half { "%I" } else { "%H" }))
    }

    /// AM or PM.
    fn half(&mut self, clock: &mut String) -> bool {
        let space = if self.0.starts_with(' ') { " " } else { "" };
        let word = self.0.get(space.len()..space.len() + 2).unwrap_or_default().to_ascii_lowercase();
        if word != "am" && word != "pm" {
            return false;
        }
        self.0 = &self.0[space.len() + 2..];
        clock.push_str(space);
        clock.push_str("%p");
        true
    }

    /// `+0100` or `+01:00`, after a space or at once; `None` where something else follows.
    fn offset(&mut self, clock: &mut String) -> Option<()> {
        if self.0.is_empty() {
            return Some(());
        }
        if self.skip(' ') {
            clock.push(' ');
        }
        self.one_of(&['+', '-'])?;
        self.number(2, 4)?;
        let has_colon = self.skip(':');
        if has_colon {
            self.number(2, 2)?;
        }
        clock.push_str(if has_colon { "%:z" } else { "%z" });
        Some(())
    }
}

fn is_day_and_month(day: u32, month: u32) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(values: &[&str]) -> Form {
        let mut column = Column::default();
        values.iter().for_each(|value| column.take(value.as_bytes()));
        column.form(true)
    }

    #[test]
    fn the_order_of_day_and_month_is_told_by_all_values_or_not_at_all() {
        let one = |format: &str| Form::One(format.to_owned());
        assert_eq!(form(&["01/02/2024", "13/02/2024"]), one("%d/%m/%Y"));
        assert_eq!(form(&["01/02/2024 10:00", "01/31/2024 11:30"]), one("%m/%d/%Y %H:%M"));
        assert_eq!(form(&["01.02.24", "03.04.24"]), Form::Either("%d.%m.%y".to_owned(), "%m.%d.%y".to_owned()));
        assert_eq!(form(&["13/02/2024", "02/13/2024"]), Form::Own, "they contradict each other");
    }

    #[test]
    fn forms_of_programs_are_known() {
        let cases = [
            ("01/31/2024 11:59:59.123 PM", "%m/%d/%Y %I:%M:%S%.f %p"),
            ("20240131102030", "%Y%m%d%H%M%S"),
            ("1706696430", "epoch-s"),
            ("1706696430123", "epoch-ms"),
            ("1706696430123456", "epoch-us"),
            ("1706696430123456000", "epoch-ns"),
        ];
        for (text, format) in
            [("31/Jan/2024:10:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z"), ("Jan 31, 2024 10:00 PM", "%b %d, %Y %I:%M %p")]
        {
            assert_eq!(shared_format(&[text]), Form::One(format.to_owned()), "{text}");
            assert_eq!(form(&[text]), Form::Own, "{text} is in no doubt for the server");
        }
        for (text, format) in cases {
            assert_eq!(form(&[text]), Form::One(format.to_owned()), "{text}");
        }
        for text in [
            "2024-01-31",
            "2024/01/31 10:00:00",
            "2024-01-31T10:00:00Z",
            "20240131",
            "word",
            "1.5",
            "10:20:30",
            "1/2",
            "5-3-x",
        ] {
            assert_eq!(form(&[text]), Form::Own, "{text}");
        }
    }
}
