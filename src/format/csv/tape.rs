//! The tape: where fields and lines end in a run of bytes, found without looking at each byte alone.
//!
//! Where the parity of quotes decides, 64 bytes at a time become three bit masks (delimiters, line ends, quotes), and a
//! prefix sum of the quote bits tells which of the others are data. Other dialects, and those whose delimiter has several
//! bytes, walk the automaton of [`survey`](super::survey()) instead.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};

use super::dialect::Symbols;
use super::masks::{BLOCK_BYTES, MASK_BITS, Masks, Needles, blocks, carry_of, prefix_parity};
use super::survey::State;

/// Set on the mark of a field that holds a quote.
const QUOTED: u32 = 1 << 31;

/// Bytes whose marks are made at once: they and their marks stay in the second-level cache. Tests cross many runs.
const RUN_BYTES: usize = if cfg!(test) { 128 } else { 64 << 10 };

/// Marks of the fields and lines of a run of bytes.
#[derive(Debug)]
pub(super) struct Tape {
    symbols: Symbols,
    /// For each field the offset from `base` of the byte after it, with [`QUOTED`]; filled up to `filled`.
    marks: Vec<u32>,
    filled: usize,
    /// For each line, how many marks there are up to its end.
    lines: Vec<usize>,
    base: usize,
    /// How far the bytes have been looked at.
    scanned: usize,
    state: State,
    /// Where in the bytes a delimiter of several bytes may still begin, in an unquoted run.
    unsearched: usize,
    /// Whether a quote stands between the last mark and `scanned`.
    quote_seen: bool,
    /// Whether a stray line-end byte may stand in the lines on the tape.
    stray_seen: bool,
}

/// A mark, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Position of the byte after the field.
    pub(super) end: usize,
    /// Whether the field holds a quote.
    pub(super) quoted: bool,
}

impl Tape {
    pub(super) fn new(symbols: Symbols) -> Self {
        Self {
            symbols,
            marks: Vec::new(),
            filled: 0,
            lines: Vec::new(),
            base: 0,
            scanned: 0,
            state: State::Start,
            unsearched: 0,
            quote_seen: false,
            stray_seen: false,
        }
    }

    /// For each line on the tape, how many marks there are up to its end.
    pub(super) fn lines(&self) -> &[usize] {
        &self.lines
    }

    pub(super) fn mark(&self, index: usize) -> Mark {
        let mark = self.marks[index];
        Mark { end: self.base + (mark & !QUOTED) as usize, quoted: mark & QUOTED != 0 } // u32 fits usize on every target
    }

    pub(super) fn stray_seen(&self) -> bool {
        self.stray_seen
    }

    pub(super) fn scanned(&self) -> usize {
        self.scanned
    }

    /// Whether the bytes looked at so far end inside quotes.
    pub(super) fn ends_inside(&self) -> bool {
        self.state.is_unclosed()
    }

    /// Forgets all lines, and the marks before number `first`; the line that is not complete begins at `start`.
    pub(super) fn forget(&mut self, first: usize, start: usize) {
        self.lines.clear();
        self.stray_seen &= start < self.scanned;
        self.marks.copy_within(first..self.filled, 0);
        self.filled -= first;
        let moved = u32::try_from(start - self.base).expect("a tape is shorter than the longest record and a run");
        for mark in &mut self.marks[..self.filled] {
            *mark -= moved; // the mark stands behind `start`, so its flag is untouched
        }
        self.base = start;
    }

    /// Adds the marks of the next run of `bytes`, which are always the same buffer.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let run = self.scanned..bytes.len().min(self.scanned + RUN_BYTES);
        self.stray_seen |= memchr(self.symbols.stray, &bytes[run.clone()]).is_some();
        if self.symbols.are_maskable() {
            self.extend_by_masks(&bytes[run.clone()]);
        } else {
            self.extend_by_states(&bytes[..run.end]);
        }
        self.scanned = run.end;
    }

    /// Ends the last line at the end of the bytes, where no line end does.
    pub(super) fn close(&mut self) {
        if self.scanned > self.base + self.last_line_end() {
            self.push(self.scanned);
            self.lines.push(self.filled);
        }
    }

    /// Offset from `base` of the byte after the last line on the tape.
    fn last_line_end(&self) -> usize {
        match self.lines.last() {
            Some(&marks) => self.mark(marks - 1).end - self.base + 1,
            None => 0,
        }
    }

    fn extend_by_masks(&mut self, run: &[u8]) {
        let needles = Needles::new(&self.symbols);
        let mut carry = if self.state == State::Inside { u64::MAX } else { 0 };
        let mut from =
            u32::try_from(self.scanned - self.base).expect("a record is shorter than the limit of positions");
        for block in blocks(run) {
            self.push_block(&needles.masks(&block), &mut carry, from);
            from += MASK_BITS;
        }
        self.state = if carry == 0 { State::Outside } else { State::Inside };
    }

    /// Adds the marks of one block that begins `from` bytes after `base`.
    #[inline]
    fn push_block(&mut self, masks: &Masks, carry: &mut u64, from: u32) {
        let inside = prefix_parity(masks.quotes) ^ *carry;
        *carry = carry_of(inside);
        let ends = (masks.delimiters | masks.terminators) & !inside;
        let mut line_ends = masks.terminators & !inside;
        while line_ends != 0 {
            let bit = line_ends & line_ends.wrapping_neg();
            self.lines.push(self.filled + count(ends & (bit - 1)) + 1);
            line_ends ^= bit;
        }
        self.make_room();
        if masks.quotes == 0 && !self.quote_seen {
            self.push_plain(ends, from);
        } else {
            self.push_quoted(ends, masks.quotes, from);
        }
    }

    #[inline]
    fn push_plain(&mut self, mut ends: u64, from: u32) {
        let marks = count(ends);
        for mark in &mut self.marks[self.filled..self.filled + marks] {
            *mark = from + ends.trailing_zeros();
            ends &= ends - 1;
        }
        self.filled += marks;
    }

    fn push_quoted(&mut self, ends: u64, quotes: u64, from: u32) {
        let mut bits = ends | quotes;
        while bits != 0 {
            let bit = bits.trailing_zeros();
            if quotes >> bit & 1 == 1 {
                self.quote_seen = true;
            } else {
                let flag = if std::mem::take(&mut self.quote_seen) { QUOTED } else { 0 };
                self.marks[self.filled] = (from + bit) | flag;
                self.filled += 1;
            }
            bits &= bits - 1;
        }
    }

    fn extend_by_states(&mut self, bytes: &[u8]) {
        let mut at = self.scanned;
        while at < bytes.len() {
            let (next, state) = self.symbols.step(bytes, at, self.state);
            if self.symbols.keeps_stray_quotes {
                self.push_kept(next, state);
            } else if self.state == State::Outside {
                let stop = if state == State::Outside { next } else { next - 1 };
                self.push_delimiters(bytes, at..stop);
                self.quote_seen |= state == State::Inside;
            } else if state == State::Outside {
                self.unsearched = next;
            }
            if state == State::Start {
                self.push(next - 1);
                self.lines.push(self.filled);
            }
            (at, self.state) = (next, state);
        }
    }

    /// Adds the mark of a field that ends with a step to `state` before `next`, where stray quotes are kept.
    fn push_kept(&mut self, next: usize, state: State) {
        match (self.state, state) {
            (State::Field, State::Inside) => self.quote_seen = true,
            (State::Start | State::Field, State::Field) => {}
            (_, State::Field) => self.push(next - self.symbols.delimiter.as_bytes().len()),
            _ => {}
        }
    }

    /// Adds the marks of the fields that a delimiter in an unquoted run ends.
    fn push_delimiters(&mut self, bytes: &[u8], run: Range<usize>) {
        let delimiter = self.symbols.delimiter;
        if let [byte] = delimiter.as_bytes() {
            for found in memchr_iter(*byte, &bytes[run.clone()]) {
                self.push(run.start + found);
            }
            return;
        }
        // What was looked at before may have ended within a delimiter, so it may begin before the run does.
        let length = delimiter.as_bytes().len();
        while let Some(found) = memmem::find(&bytes[self.unsearched..run.end], delimiter.as_bytes()) {
            self.push(self.unsearched + found);
            self.unsearched += found + length;
        }
        self.unsearched = self.unsearched.max(run.end.saturating_sub(length - 1));
    }

    /// Adds the mark of a field that ends at `end`.
    fn push(&mut self, end: usize) {
        self.make_room();
        let mark = u32::try_from(end - self.base).expect("a record is shorter than the limit of positions");
        let flag = if std::mem::take(&mut self.quote_seen) { QUOTED } else { 0 };
        self.marks[self.filled] = mark | flag;
        self.filled += 1;
    }

    /// Room for the marks of a block, so that filling them is a loop over a slice.
    #[inline]
    fn make_room(&mut self) {
        if self.marks.len() < self.filled + BLOCK_BYTES {
            self.marks.resize((self.filled + BLOCK_BYTES).next_power_of_two().max(1 << 12), 0);
        }
    }
}

#[inline]
fn count(bits: u64) -> usize {
    bits.count_ones() as usize // at most 64
}
