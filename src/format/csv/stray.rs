//! Stray quotes, kept: which quotes open and close a field and which are plain text, where a file quotes carelessly.
//!
//! This is the one definition of `--stray-quotes keep`. It reads from left to right:
//!
//! 1. A field is quoted if it begins with a quote (with `--trim`: after blanks). In any other field a quote is plain text.
//! 2. In a quoted field the escape byte before a quote or an escape byte makes that literal, as always; so a quote before
//!    a quote is one quote, where no other escape is set.
//! 3. A quote in a quoted field closes it if the delimiter, a line end byte or the end of the object follows (with `--trim`:
//!    after blanks). Any other is plain text.
//!
//! Well-formed text means the same with it as without it.

use memchr::{memchr, memchr2};

use super::dialect::{Delimiter, Symbols};
use super::survey::State;

/// Bytes of the longest delimiter but its last, which tells that it is one.
const PARTIAL_MAX: u8 = 7;

/// How many states there are.
pub(super) const STATES: usize = 22;

impl State {
    /// States that any dialect may be in.
    pub(super) const COMMON: [Self; 5] = [Self::Start, Self::Outside, Self::Inside, Self::Escaped, Self::Comment];

    /// All states that a reader which keeps stray quotes may be in.
    pub(super) fn all(delimiter: Delimiter) -> impl Iterator<Item = Self> {
        let partial = |length: u8| [Self::Delimiting(length), Self::Closing(length)];
        let further = [Self::Field, Self::Closing(0), Self::Closed];
        let lengths = (1..=PARTIAL_MAX).filter(move |&length| usize::from(length) < delimiter.as_bytes().len());
        Self::COMMON.into_iter().chain(further).chain(lengths.flat_map(partial))
    }

    /// A number of its own, below [`STATES`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Start => 0,
            Self::Outside => 1,
            Self::Inside => 2,
            Self::Escaped => 3,
            Self::Comment => 4,
            Self::Field => 5,
            Self::Closed => 6,
            Self::Closing(length) => 7 + usize::from(length),
            Self::Delimiting(length) => 7 + usize::from(PARTIAL_MAX) + usize::from(length),
        }
    }

    /// Whether the bytes so far, if they are all, end inside quotes.
    pub(super) fn is_unclosed(self) -> bool {
        matches!(self, Self::Inside | Self::Escaped | Self::Closing(1..))
    }
}

impl Symbols {
    /// The state in which a record's first field begins.
    pub(super) fn first_field(&self) -> State {
        if self.keeps_stray_quotes { State::Field } else { State::Outside }
    }

    /// [`Symbols::step`] where stray quotes are kept. A step that stays where it is changes the state.
    pub(super) fn step_keeping(&self, bytes: &[u8], at: usize, state: State) -> (usize, State) {
        let (rest, next) = (&bytes[at..], at + 1);
        let Some(&byte) = rest.first() else { return (at, state) };
        match state {
            State::Start if self.comment == Some(byte) => (next, State::Comment),
            State::Start => (at, State::Field),
            State::Comment => {
                memchr(self.terminator, rest).map_or((bytes.len(), state), |end| (next + end, State::Start))
            }
            State::Field if self.is_blank(byte) => (next, State::Field),
            State::Field if self.quote == Some(byte) => (next, State::Inside),
            State::Field => (at, State::Outside),
            State::Outside => self.step_unquoted(bytes, at),
            State::Delimiting(length) if self.goes_on(length, byte) => {
                (next, self.after_part(length, State::Delimiting))
            }
            State::Delimiting(length) => (at, self.fall_back(length)),
            State::Inside => self.step_quoted(bytes, at),
            State::Escaped => (next, State::Inside),
            State::Closing(_) | State::Closed => self.step_closing(byte, at, state),
        }
    }

    /// To the next byte of an unquoted field that may end it.
    fn step_unquoted(&self, bytes: &[u8], at: usize) -> (usize, State) {
        let Some(found) = memchr2(self.delimiter.as_bytes()[0], self.terminator, &bytes[at..]) else {
            return (bytes.len(), State::Outside);
        };
        let (found, next) = (at + found, at + found + 1);
        let is_end = bytes[found] == self.terminator;
        (next, if is_end { State::Start } else { self.after_part(0, State::Delimiting) })
    }

    /// To the next byte of a quoted field that may end it, or make another literal.
    fn step_quoted(&self, bytes: &[u8], at: usize) -> (usize, State) {
        let rest = &bytes[at..];
        let found = match (self.quote, self.escape) {
            (Some(quote), Some(escape)) => memchr2(quote, escape, rest),
            (Some(quote), None) => memchr(quote, rest),
            (None, _) => None,
        };
        let Some(found) = found else { return (bytes.len(), State::Inside) };
        let after = if self.escape == Some(rest[found]) { State::Escaped } else { State::Closing(0) };
        (at + found + 1, after)
    }

    /// What the byte after a quote in a quoted field, or after a part of a delimiter there, makes of that quote.
    fn step_closing(&self, byte: u8, at: usize, state: State) -> (usize, State) {
        let next = at + 1;
        let matched = if let State::Closing(length) = state { length } else { 0 };
        if matched == 0 {
            match byte {
                _ if self.is_line_end(byte) => return (at, State::Outside),
                _ if self.quote == Some(byte) && state == State::Closing(0) && self.escape.is_none() => {
                    return (next, State::Inside);
                }
                _ if self.is_blank(byte) => return (next, State::Closed),
                _ => {}
            }
        }
        if self.goes_on(matched, byte) { (next, self.after_part(matched, State::Closing)) } else { (at, State::Inside) }
    }

    /// Whether `byte` goes on with a delimiter of which `matched` bytes are there.
    fn goes_on(&self, matched: u8, byte: u8) -> bool {
        self.delimiter.as_bytes().get(usize::from(matched)) == Some(&byte)
    }

    /// The state after one more byte of the delimiter: in the `part` of it that is there, or at the next field.
    fn after_part(&self, matched: u8, part: fn(u8) -> State) -> State {
        let is_last = usize::from(matched) + 1 == self.delimiter.as_bytes().len();
        if is_last { State::Field } else { part(matched + 1) }
    }

    /// The longest part of the delimiter that the last bytes still are, once `matched` bytes of it turn out to be none.
    fn fall_back(&self, matched: u8) -> State {
        let seen = &self.delimiter.as_bytes()[..usize::from(matched)];
        let shorter = (1..matched).rev().find(|&length| seen.ends_with(&seen[..usize::from(length)]));
        shorter.map_or(State::Outside, State::Delimiting)
    }

    fn is_line_end(&self, byte: u8) -> bool {
        byte == self.terminator || byte == self.stray
    }

    /// Appends the text of the quoted field `raw`, quotes at both ends included, to `text`.
    pub(super) fn unquote_keeping(&self, raw: &[u8], text: &mut Vec<u8>) {
        let Some(mut rest) = raw.get(1..raw.len() - 1) else { return };
        let (quote, escape) = self.quote_and_escape();
        while let Some(found) = memchr(escape, rest) {
            let literal = rest.get(found + 1).copied().filter(|&byte| byte == quote || byte == escape);
            text.extend_from_slice(&rest[..found]);
            text.push(literal.unwrap_or(escape));
            rest = &rest[found + if literal.is_some() { 2 } else { 1 }..];
        }
        text.extend_from_slice(rest);
    }

    /// Whether a field has a quote that is kept as plain text only because stray quotes are.
    pub(super) fn has_stray_quote(&self, raw: &[u8], quoted: bool) -> bool {
        let Some(quote) = self.quote else { return false };
        if !quoted {
            return memchr(quote, raw).is_some();
        }
        let Some(mut rest) = raw.get(1..raw.len() - 1) else { return false };
        let (_, escape) = self.quote_and_escape();
        while let Some(found) = memchr2(quote, escape, rest) {
            let is_literal =
                rest[found] == escape && rest.get(found + 1).is_some_and(|&byte| byte == quote || byte == escape);
            if !is_literal && rest[found] == quote {
                return true;
            }
            rest = &rest[found + if is_literal { 2 } else { 1 }..];
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Dialect;
    use super::*;
    use crate::model::StrayQuotes;

    #[test]
    fn every_state_has_a_number_of_its_own() {
        let longest = Delimiter::try_new(&[b'|'; Delimiter::BYTES_MAX]).unwrap();
        let mut numbers: Vec<usize> = State::all(longest).map(State::index).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..STATES).collect::<Vec<_>>());
    }

    /// Fields of a line, each with whether it is quoted and has a stray quote, walked by the automaton.
    fn fields(line: &str, dialect: &Dialect) -> Vec<(String, bool, bool)> {
        let (symbols, bytes) = (dialect.symbols(), line.as_bytes());
        let (mut at, mut state, mut start, mut quoted, mut found) = (0, State::Start, 0, false, Vec::new());
        let mut end_field = |range: std::ops::Range<usize>, quoted: bool| {
            let raw = symbols.trim(&bytes[range]);
            let mut text = Vec::new();
            if quoted {
                symbols.unquote_keeping(raw, &mut text);
            } else {
                text.extend_from_slice(raw);
            }
            found.push((String::from_utf8(text).unwrap(), quoted, symbols.has_stray_quote(raw, quoted)));
        };
        while at < bytes.len() {
            let (next, after) = symbols.step_keeping(bytes, at, state);
            assert!(next > at || after != state, "{state:?} stands still");
            match (state, after) {
                (State::Field, State::Inside) => quoted = true,
                (State::Start | State::Field, State::Field) => {}
                (_, State::Field) => {
                    end_field(start..next - symbols.delimiter.as_bytes().len(), std::mem::take(&mut quoted));
                    start = next;
                }
                _ => {}
            }
            (at, state) = (next, after);
        }
        assert!(!state.is_unclosed(), "{line:?} ends inside quotes");
        end_field(start..bytes.len(), quoted);
        found
    }

    #[test]
    fn quotes_open_at_the_start_of_a_field_and_close_at_its_end() {
        let keep = Dialect { stray_quotes: StrayQuotes::Keep, ..Dialect::default() };
        let check = |line: &str, dialect: &Dialect, expected: &[(&str, bool, bool)]| {
            let expected: Vec<_> = expected.iter().map(|&(text, a, b)| (text.to_owned(), a, b)).collect();
            assert_eq!(fields(line, dialect), expected, "{line:?}");
        };
        check(
            r#"5" pipe,"a ""b"" c",x"y"z"#,
            &keep,
            &[(r#"5" pipe"#, false, true), (r#"a "b" c"#, true, false), (r#"x"y"z"#, false, true)],
        );
        check(
            r#""a "b" c","","",""",""""#,
            &keep,
            &[(r#"a "b" c"#, true, true), ("", true, false), ("", true, false), ("\",\"", true, false)],
        );
        let double = Delimiter::try_new(b"||").unwrap();
        let piped = Dialect { delimiter: double, ..keep.clone() };
        check(
            r#""a"|"b"||c|"d|||"e""#,
            &piped,
            &[(r#"a"|"b"#, true, true), (r#"c|"d"#, false, true), (r#"|"e""#, false, true)],
        );
        // Where bytes turn out to be no delimiter, the last of them may still begin one.
        let again = Dialect { delimiter: Delimiter::try_new(b"aaNaa").unwrap(), ..keep.clone() };
        check("xaaaNaay", &again, &[("xa", false, false), ("y", false, false)]);
        let trimmed = Dialect { trim: true, ..keep.clone() };
        check(" \"a\" \t, \"b\" c\" , d ", &trimmed, &[("a", true, false), ("b\" c", true, true), ("d", false, false)]);
        let escaped = Dialect { escape: Some(b'\\'), ..keep };
        check(r#""a\"b""c\\","d"#.trim_end_matches(r#","d"#), &escaped, &[(r#"a"b""c\"#, true, true)]);
    }
}
