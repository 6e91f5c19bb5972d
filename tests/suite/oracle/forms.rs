//! The forms of dates, times and intervals that the README promises to read. Of other forms, which the server reads by
//! guess, by its settings, or that nobody writes, each may be refused; these must not be.

/// Longer texts are refused here; the server takes intervals like `PT1H1H1H…` of any length.
const LONGEST: usize = 100;

/// Takes what it can from the front of a text.
#[derive(Clone, Copy)]
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn of(text: &'t str) -> Self {
        Self(text.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\u{b}'))
    }

    /// The digits that come next.
    fn digits(&mut self) -> usize {
        self.while_is(|letter| letter.is_ascii_digit())
    }

    fn spaces(&mut self) -> usize {
        self.while_is(|letter| letter.is_ascii_whitespace() || letter == '\u{b}')
    }

    fn while_is(&mut self, wanted: impl Fn(char) -> bool) -> usize {
        let rest = self.0.trim_start_matches(wanted);
        let taken = self.0.len() - rest.len();
        self.0 = rest;
        taken
    }

    fn one_of(&mut self, letters: &[char]) -> Option<char> {
        let letter = self.0.chars().next().filter(|letter| letters.contains(letter))?;
        self.0 = &self.0[letter.len_utf8()..];
        Some(letter)
    }

    /// One of the words, whatever its case, if no letter follows it.
    fn word(&mut self, words: &[&str]) -> bool {
        let end = self.0.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(self.0.len());
        let found = words.iter().any(|word| self.0[..end].eq_ignore_ascii_case(word));
        if found {
            self.0 = &self.0[end..];
        }
        found
    }

    /// `YYYY-MM-DD`, with `/` or `.` likewise, or `YYYYMMDD`.
    fn date(&mut self) -> bool {
        let year = self.digits();
        match self.one_of(&['-', '/', '.']) {
            None => year == 8,
            Some(separator) => {
                let month = self.digits();
                let separated = self.one_of(&[separator]).is_some();
                (4..=7).contains(&year) && (1..=2).contains(&month) && separated && (1..=2).contains(&self.digits())
            }
        }
    }

    /// `HH:MM[:SS[.f]]` or `HHMMSS[.f]`, and am or pm.
    fn clock(&mut self) -> bool {
        let from = self.0;
        let hour = self.digits();
        // Without colons the server does not look whether there is such a time.
        let mut whole = hour == 6 && from[..2] <= *"23" && from[2..4] <= *"59" && from[4..6] <= *"59";
        if (1..=2).contains(&hour) && self.one_of(&[':']).is_some() {
            let minute = self.digits();
            whole = false;
            if !(1..=2).contains(&minute) {
                return false;
            }
            if self.one_of(&[':']).is_some() {
                whole = (1..=2).contains(&self.digits());
                if !whole {
                    return false;
                }
            }
        } else if !whole {
            return false;
        }
        if whole && self.one_of(&['.']).is_some() {
            self.digits();
        }
        // Before a sign they are the name of a zone to the server.
        self.after_spaces(|rest| rest.word(&["am", "pm"]) && !rest.0.starts_with(['+', '-']));
        true
    }

    /// `Z`, `UTC`, `GMT`, `+HH`, `+HHMM`, `+HH:MM[:SS]`.
    fn offset(&mut self) -> bool {
        if self.word(&["z", "utc", "gmt"]) {
            return true;
        }
        if self.one_of(&['+', '-']).is_none() {
            return false;
        }
        let hours = self.digits();
        let mut parts = 0;
        while parts < 2 && hours <= 2 && self.one_of(&[':']).is_some() {
            if !(1..=2).contains(&self.digits()) {
                return false;
            }
            parts += 1;
        }
        (1..=4).contains(&hours)
    }

    /// The name of a month, or its first three letters.
    fn month(&mut self) -> bool {
        self.word(&["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"])
            || self.word(&["january", "february", "march", "april", "june", "july", "august", "september"])
            || self.word(&["october", "november", "december"])
    }

    /// `2 Jan 2024`, `02-Jan-2024`, `02/Jan/2024`, `2024-Jan-02`, `Jan 2, 2024`, after a weekday perhaps.
    fn named_date(&mut self) -> bool {
        if self.word(&["mon", "tue", "wed", "thu", "fri", "sat", "sun", "monday", "tuesday", "sunday"]) {
            let comma = self.one_of(&[',']).is_some();
            if self.spaces() == 0 && !comma {
                return false;
            }
        }
        if self.month() {
            let day = self.spaces() > 0 && (1..=2).contains(&self.digits());
            let comma = self.one_of(&[',']).is_some();
            return day && (self.spaces() > 0 || comma) && self.digits() == 4;
        }
        let first = self.digits();
        let separator = self.one_of(&['-', '/']);
        let separated = |rest: &mut Self| match separator {
            Some(letter) => rest.one_of(&[letter]).is_some(),
            None => rest.spaces() > 0,
        };
        let month = (separator.is_some() || separated(self)) && self.month();
        let last = if month && separated(self) { self.digits() } else { 0 };
        matches!((first, last), (1 | 2, 4) | (4, 1 | 2))
    }

    /// What follows white space, if it is there.
    fn after_spaces(&mut self, take: impl Fn(&mut Self) -> bool) {
        let mut ahead = *self;
        ahead.spaces();
        if take(&mut ahead) {
            *self = ahead;
        }
    }
}

/// Whether a text is a date, alone or with a time of day after `T` or spaces, an offset after that and an era last.
pub(super) fn is_moment(text: &str) -> bool {
    let mut rest = Rest::of(text);
    if ["infinity", "-infinity", "epoch"].iter().any(|word| rest.0.eq_ignore_ascii_case(word)) {
        return true;
    }
    let named = {
        let mut ahead = rest;
        let named = ahead.named_date();
        if named {
            rest = ahead;
        }
        named
    };
    let before = Rest::of(text).0;
    if !named && !rest.date() {
        return false;
    }
    // A zone right behind `02-Jan-2024` is none to the server.
    let is_joined = named && !before[..before.len() - rest.0.len()].contains(char::is_whitespace);
    if is_joined && rest.0.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return false;
    }
    let mut ahead = rest;
    if (!named && ahead.one_of(&['T', 't']).is_some() || ahead.spaces() > 0) && ahead.clock() {
        rest = ahead;
        rest.after_spaces(Rest::offset);
    } else if !rest.0.starts_with('-') {
        rest.after_spaces(Rest::offset);
    }
    let mut era = rest;
    if era.spaces() > 0 && era.word(&["bc", "ad"]) {
        rest = era;
    }
    rest.0.is_empty()
}

/// Whether a text is a time of day, with or without an offset.
pub(super) fn is_clock(text: &str) -> bool {
    let mut rest = Rest::of(text);
    rest.one_of(&['T', 't']);
    let mut ahead = rest;
    if ahead.digits() == 4 && !ahead.0.starts_with('.') {
        rest = ahead;
    } else if !rest.clock() {
        return false;
    }
    rest.after_spaces(Rest::offset);
    rest.0.is_empty()
}

/// Whether a text is numbers with units, a time of day and `ago`, or the ISO form with designators.
pub(super) fn is_span(text: &str) -> bool {
    let mut rest = Rest::of(text);
    if text.starts_with('P') {
        // But for the alternative form without separators.
        let has_run = text.split(|letter: char| !letter.is_ascii_digit()).any(|digits| matches!(digits.len(), 6 | 8));
        return text.len() <= LONGEST
            && text.chars().skip(1).all(|letter| letter.is_ascii_digit() || "YMWDTHS.-:".contains(letter))
            && !has_run;
    }
    loop {
        rest.one_of(&['+', '-']);
        if rest.digits() == 0 {
            return false;
        }
        if rest.one_of(&[':']).is_some() {
            return is_rest_of_clock(rest);
        }
        if rest.one_of(&['.']).is_some() && rest.digits() == 0 {
            return false;
        }
        if rest.0.is_empty() {
            return true;
        }
        rest.spaces();
        if !rest.word(UNITS) {
            return false;
        }
        let spaced = rest.spaces() > 0;
        if rest.0.is_empty() || spaced && rest.0.eq_ignore_ascii_case("ago") {
            return true;
        }
        if !spaced {
            return false;
        }
    }
}

fn is_rest_of_clock(mut rest: Rest) -> bool {
    if !(1..=2).contains(&rest.digits()) {
        return false;
    }
    if rest.one_of(&[':']).is_some() {
        let seconds = (1..=2).contains(&rest.digits());
        if !seconds {
            return false;
        }
        if rest.one_of(&['.']).is_some() {
            rest.digits();
        }
    }
    rest.0.is_empty() || rest.spaces() > 0 && rest.0.eq_ignore_ascii_case("ago")
}

const UNITS: &[&str] = &[
    "y",
    "yr",
    "yrs",
    "year",
    "years",
    "decade",
    "decades",
    "century",
    "centuries",
    "millennium",
    "millennia",
    "us",
    "usec",
    "usecs",
    "microsecond",
    "microseconds",
    "ms",
    "msec",
    "msecs",
    "millisecond",
    "milliseconds",
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "m",
    "min",
    "mins",
    "minute",
    "minutes",
    "h",
    "hr",
    "hrs",
    "hour",
    "hours",
    "d",
    "day",
    "days",
    "w",
    "week",
    "weeks",
    "mon",
    "mons",
    "month",
    "months",
];
