//! Where records start in a chunk of an object, without knowing whether the chunk begins inside quotes.
//!
//! A survey follows a chunk from every state that the chunk may begin in, so that chunks can be surveyed in parallel
//! and joined afterwards. Most lanes fall together within a few bytes and are followed once; where the parity of quotes
//! alone decides, a lane costs no more than counting them.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

use super::dialect::{Dialect, Symbols};
use super::masks::{BLOCK_BYTES as MASK_BYTES, Needles, blocks, carry_of, prefix_parity};
use super::offset;
use super::stray::STATES;
use super::utf16::{UNIT_BYTES, bytes_of};
use crate::error::{Error, ErrorKind, Result};

/// Bytes that are followed for all lanes before the next ones: they stay in the first-level cache. Tests cross many.
const BLOCK_BYTES: usize = if cfg!(test) { 97 } else { 16 << 10 };

/// What stands before a byte: the whole memory of a reader of delimited text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A line starts here.
    Start,
    /// In a record, outside quotes.
    Outside,
    /// In a record, inside quotes.
    Inside,
    /// Inside quotes, after an escape byte that is not the quote itself.
    Escaped,
    /// In a comment line.
    Comment,
    /// At the start of a field; this and what follows only where [stray quotes](super::Dialect::stray_quotes) are kept.
    Field,
    /// In an unquoted field, after so many bytes of what may be a delimiter.
    Delimiting(u8),
    /// In a quoted field, after a quote and so many bytes of what may be a delimiter.
    Closing(u8),
    /// In a quoted field, after a quote and blanks.
    Closed,
}

impl Symbols {
    /// Goes from `at` to the next byte that changes the state, or to the end: the position after it, and the new state.
    pub(super) fn step(&self, bytes: &[u8], at: usize, state: State) -> (usize, State) {
        if self.keeps_stray_quotes {
            return self.step_keeping(bytes, at, state);
        }
        let rest = &bytes[at..];
        let found = match state {
            State::Start if self.comment == rest.first().copied() => return (at + 1, State::Comment),
            State::Escaped => return (at + 1, State::Inside),
            State::Comment => memchr(self.terminator, rest),
            State::Outside => match self.quote {
                Some(quote) => memchr2(quote, self.terminator, rest),
                None => memchr(self.terminator, rest),
            },
            State::Inside => match (self.quote, self.escape) {
                (Some(quote), Some(escape)) => memchr2(quote, escape, rest),
                (Some(quote), None) => memchr(quote, rest),
                (None, _) => None,
            },
            // The others are states of a reader that keeps stray quotes, and never met here.
            State::Start | State::Field | State::Delimiting(_) | State::Closing(_) | State::Closed => {
                return (at, State::Outside);
            }
        };
        let Some(found) = found else { return (bytes.len(), state) };
        let next = match state {
            State::Inside if self.escape == Some(rest[found]) => State::Escaped,
            State::Inside => State::Outside,
            _ if rest[found] == self.terminator => State::Start,
            _ => State::Inside,
        };
        (at + found + 1, next)
    }

    /// The state after `bytes`, which are not empty, where the parity of quotes alone decides.
    fn toggle(&self, bytes: &[u8], state: State) -> State {
        let quotes = self.quote.map_or(0, |quote| memchr_iter(quote, bytes).count());
        match (state == State::Inside) ^ (quotes % 2 == 1) {
            true => State::Inside,
            false if bytes.last() == Some(&self.terminator) => State::Start,
            false => State::Outside,
        }
    }

    /// Where the first line starts in `bytes`, where the parity of quotes alone decides.
    fn first_start(&self, bytes: &[u8], state: State) -> Option<usize> {
        let unquoted = match state {
            State::Start => return Some(0),
            State::Inside => memchr(self.quote?, bytes)? + 1,
            _ => 0,
        };
        let needles = Needles::new(self);
        let (mut at, mut carry) = (unquoted, 0);
        for block in blocks(&bytes[unquoted..]) {
            let masks = needles.masks(&block);
            let inside = prefix_parity(masks.quotes) ^ carry;
            let ends = masks.terminators & !inside;
            if ends != 0 {
                let start = at + ends.trailing_zeros() as usize + 1; // at most 64
                return (start < bytes.len()).then_some(start);
            }
            carry = carry_of(inside);
            at += MASK_BYTES;
        }
        None
    }
}

/// What a chunk does to each state that it may begin in.
#[derive(Debug, Clone)]
pub struct Survey {
    bytes: u64,
    /// A lane for each state that the dialect may be in, by its number.
    lanes: Vec<Lane>,
}

#[derive(Debug, Clone, Copy)]
struct Lane {
    state: State,
    first: Option<u64>,
}

/// Surveys `chunk`, any part of the records of an object, for every state that it may begin in. A chunk of UTF-16 begins
/// at an even offset.
#[must_use]
pub fn survey(chunk: &[u8], dialect: &Dialect) -> Survey {
    if let Some(utf16) = dialect.encoding.utf16() {
        let text = utf16.to_utf8(chunk);
        let mut survey = survey_text(&text, dialect);
        let position = |at: u64| usize::try_from(at).expect("it is a position in the chunk");
        for first in survey.lanes.iter_mut().filter_map(|lane| lane.first.as_mut()) {
            *first = bytes_of(&text[..position(*first)]);
        }
        return Survey { bytes: offset(chunk.len()), ..survey };
    }
    survey_text(chunk, dialect)
}

fn survey_text(chunk: &[u8], dialect: &Dialect) -> Survey {
    let symbols = dialect.symbols();
    let lane = |state| Lane { state, first: None };
    let mut lanes: Vec<Lane> = if symbols.keeps_stray_quotes {
        let mut lanes = vec![lane(State::Start); STATES];
        State::all(symbols.delimiter).for_each(|state| lanes[state.index()] = lane(state));
        lanes
    } else {
        State::COMMON.map(lane).to_vec()
    };
    let mut before = 0;
    for block in chunk.chunks(BLOCK_BYTES) {
        let mut known = [None; STATES];
        for lane in &mut lanes {
            let followed: Lane = *known[lane.state.index()].get_or_insert_with(|| follow(block, lane.state, &symbols));
            lane.first = lane.first.or(followed.first.map(|first| before + first));
            lane.state = followed.state;
        }
        before += offset(block.len());
    }
    Survey { bytes: before, lanes }
}

/// Follows `block` from one state.
fn follow(block: &[u8], mut state: State, symbols: &Symbols) -> Lane {
    if symbols.quotes_toggle() && !matches!(state, State::Escaped | State::Comment) {
        let first = symbols.first_start(block, state).map(offset);
        return Lane { state: symbols.toggle(block, state), first };
    }
    let (mut at, mut first) = (0, None);
    while at < block.len() {
        if state == State::Start && first.is_none() {
            first = Some(offset(at));
        }
        (at, state) = symbols.step(block, at, state);
    }
    Lane { state, first }
}

impl Survey {
    /// For a chunk that begins in `state`: the state at its end, and the offset in it of the first line that starts
    /// there.
    #[must_use]
    pub fn after(&self, state: State) -> (State, Option<u64>) {
        let lane = self.lanes[state.index()];
        (lane.state, lane.first)
    }

    /// Length of the chunk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Joins the surveys of consecutive chunks into pieces that begin and end on record boundaries.
///
/// The first chunk begins at the body of the object, and each other one where the one before it ends. A piece begins at
/// the first line that starts in a chunk, so a piece is about as long as a chunk.
#[derive(Debug)]
pub struct Seams {
    state: State,
    /// Where the next chunk begins.
    at: u64,
    /// Where the open piece begins.
    piece: u64,
    /// No line is known to start at or after this offset.
    silent: u64,
    record_bytes_max: u64,
}

impl Seams {
    /// For an object whose records begin at offset `body`.
    #[must_use]
    pub fn new(body: u64, dialect: &Dialect) -> Self {
        // A record of UTF-16 is measured in UTF-8, in which a unit is one byte at least.
        let unit_bytes = if dialect.encoding.utf16().is_some() { UNIT_BYTES } else { 1 };
        let record_bytes_max = dialect.record_bytes_max * unit_bytes;
        Self { state: State::Start, at: body, piece: body, silent: body, record_bytes_max }
    }

    /// Adds the next chunk; yields the piece that it completes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if no record started for so long that the longest record allowed is exceeded; the caller
    /// names the object. (The exact check is made by [`profile`](super::profile()); this one keeps the memory of a
    /// driver bounded.)
    pub fn push(&mut self, survey: &Survey) -> Result<Option<Range<u64>>> {
        let (state, first) = survey.after(self.state);
        let chunk = self.at;
        self.state = state;
        self.at += survey.bytes();
        let Some(first) = first else { return self.check_silence().map(|()| None) };
        self.silent = self.at;
        let piece = std::mem::replace(&mut self.piece, chunk + first)..chunk + first;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    fn check_silence(&self) -> Result<()> {
        if self.at - self.silent <= self.record_bytes_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!("no record ends within the longest record allowed, {} bytes", self.record_bytes_max),
        )
        .at_byte(self.silent)
        .with_hint(
            "a quote that is never closed is the usual cause; look for it before this byte. `--quote none` reads each line \
             by itself, `--stray-quotes keep` takes quotes within fields as text",
        ))
    }

    /// The last piece, up to the end of the object.
    #[must_use]
    pub fn finish(self) -> Option<Range<u64>> {
        Some(self.piece..self.at).filter(|piece| !piece.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_read_as_the_state_before_it_says() {
        let chunk = b"a\",\"b\nc\"\nd";
        let survey = survey(chunk, &Dialect::default());
        assert_eq!(survey.after(State::Outside), (State::Inside, Some(6)));
        assert_eq!(survey.after(State::Inside), (State::Outside, Some(9)));
        assert_eq!(survey.after(State::Start), (State::Inside, Some(0)));
        assert_eq!(survey.bytes(), 10);
    }

    #[test]
    fn an_empty_chunk_changes_nothing() {
        let survey = survey(b"", &Dialect::default());
        for state in State::COMMON {
            assert_eq!(survey.after(state), (state, None));
        }
    }

    #[test]
    fn seams_refuse_a_record_that_does_not_end() {
        let dialect = Dialect { record_bytes_max: 8, ..Dialect::default() };
        let mut seams = Seams::new(5, &dialect);
        assert_eq!(seams.push(&survey(b"a,b\n\"a", &dialect)).expect("short"), None);
        assert_eq!(seams.push(&survey(b"aaaaaa\n", &dialect)).expect("not yet"), None);
        let error = seams.push(&survey(b"aaaaaa\n", &dialect)).expect_err("too long");
        assert_eq!((error.kind(), error.place().byte), (ErrorKind::Limit, Some(11)));
    }
}
