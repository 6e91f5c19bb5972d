//! Pieces and a range to windows: the same pieces and options always give the same plan.

mod grid;
mod spans;

use std::collections::BTreeMap;

pub use grid::Grid;
use spans::SpanIndex;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, KeySpan, Piece, TimeKey, Window};

/// The windows of a job in chronological order, with the pieces that may hold their rows.
#[derive(Debug)]
pub struct Plan {
    /// What the time column holds; `None` for a table without one.
    pub kind: Option<KeyKind>,
    /// The windows, oldest first.
    pub windows: Vec<PlannedWindow>,
    /// The pieces, in the order of the profile.
    pub pieces: Vec<Piece>,
    /// Bytes that are read if every window reads all pieces that may hold its rows.
    pub read_bytes: u64,
    index: SpanIndex,
}

/// A window with what it is expected to hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedWindow {
    /// The window.
    pub window: Window,
    /// Rows, estimated from the pieces' spans as if rows were spread evenly inside each.
    pub rows: f64,
    /// Source bytes, likewise.
    pub bytes: f64,
    /// Pieces that may hold its rows.
    pub pieces: usize,
}

/// Stretches of a piece's keys, in ascending order, for pieces whose keys are far apart.
pub type Parts = BTreeMap<usize, Vec<Stretch>>;

/// Some of the keys of a piece, which lie close together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The smallest and the largest of them.
    pub span: KeySpan,
    /// Their rows.
    pub rows: u64,
}

/// The half-open range that is asked for; `None` is unbounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// First key inside.
    pub from: Option<TimeKey>,
    /// First key after it.
    pub until: Option<TimeKey>,
}

/// A bound of a window, as [`Window::bounds`] gives it.
type Bound = i64;

/// Source bytes that a window of a table without a time column holds, about.
const WINDOW_BYTES: u64 = 64 << 20;

impl Range {
    /// The part of `span` inside the range.
    pub(crate) fn clip(&self, span: KeySpan) -> Option<KeySpan> {
        let min = self.from.map_or(span.min, |from| span.min.max(from));
        let max = self.until.map_or(span.max, |until| span.max.min(TimeKey(until.0.saturating_sub(1))));
        (min <= max).then_some(KeySpan { min: min.before_last(), max: max.before_last() })
    }
}

impl Plan {
    /// Plans windows on the cells of `grid` that may hold rows of `pieces` inside `range`; pieces that have `parts` hold rows in
    /// these alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if there would be more than `windows_max` windows.
    pub fn over_time(
        pieces: (Vec<Piece>, &Parts),
        kind: KeyKind,
        range: Range,
        grid: &Grid,
        windows_max: usize,
    ) -> Result<Self> {
        let (pieces, parts) = pieces;
        let index = SpanIndex::new(&pieces, parts, range);
        let cells = cells(&index, range, grid, windows_max)?;
        let mut plan = Self { kind: Some(kind), windows: Vec::new(), pieces, read_bytes: 0, index };
        plan.estimate(cells, parts);
        Ok(plan)
    }

    /// Plans windows of consecutive pieces, for a table without a time column.
    #[must_use]
    pub fn over_pieces(pieces: Vec<Piece>) -> Self {
        let mut windows: Vec<PlannedWindow> = Vec::new();
        let mut first = 0;
        let (mut rows, mut bytes) = (0, 0);
        for (i, piece) in pieces.iter().enumerate() {
            (rows, bytes) = (rows + piece.rows, bytes + piece.bytes);
            let end = i + 1;
            if bytes >= WINDOW_BYTES || end == pieces.len() {
                // usize has at most 64 bits
                let window = Window::pieces(first as u64, end as u64).expect("the run holds this piece");
                #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                windows.push(PlannedWindow { window, rows: rows as f64, bytes: bytes as f64, pieces: end - first });
                (first, rows, bytes) = (end, 0, 0);
            }
        }
        let read_bytes = pieces.iter().map(|piece| piece.bytes).sum();
        Self { kind: None, windows, index: SpanIndex::default(), pieces, read_bytes }
    }

    /// Positions of the pieces that may hold rows of `window`.
    #[must_use]
    pub fn pieces_of(&self, window: &Window) -> Vec<usize> {
        match *window {
            Window::Time { start, end } => self.index.overlapping(start, end),
            Window::Pieces { first, end } => {
                let place = |n| usize::try_from(n).expect("a window of pieces names pieces of this plan");
                (place(first)..place(end)).collect()
            }
        }
    }

    /// Positions of the pieces that may hold rows of one of `windows`, which are some of the plan's, in order.
    #[must_use]
    pub fn pieces_of_any(&self, windows: &[Window]) -> Vec<usize> {
        let meets = |(first, last): (Bound, Bound)| {
            let next = windows.partition_point(|window| window.bounds().1 <= first);
            windows.get(next).is_some_and(|window| window.bounds().0 <= last)
        };
        let mut pieces: Vec<usize> =
            self.spans().filter(|(_, first, last)| meets((*first, *last))).map(|(piece, ..)| piece).collect();
        pieces.sort_unstable();
        pieces.dedup();
        pieces
    }

    /// For each window, the sum modulo 2^128 of `weights`, one an object, over the objects that may hold its rows. It takes
    /// as long as there are pieces, however many windows each of them meets.
    #[must_use]
    pub fn sums_over_objects(&self, weights: &[u128]) -> Vec<u128> {
        let window_of = |key: Bound| self.windows.partition_point(|planned| planned.window.bounds().1 <= key);
        let object = |piece: usize| self.pieces[piece].object as usize; // usize has at least 32 bits
        let mut meetings: Vec<(usize, usize, usize)> =
            self.spans().map(|(piece, first, last)| (object(piece), window_of(first), window_of(last))).collect();
        meetings.sort_unstable();
        let mut changes = vec![0_u128; self.windows.len() + 1];
        for meetings in meetings.chunk_by(|one, two| one.0 == two.0) {
            let weight = weights[meetings[0].0];
            // Pieces of one object may meet the same windows, which count it once.
            let mut next = 0;
            for (_, first, last) in meetings {
                let first = next.max(*first);
                if first <= *last {
                    changes[first] = changes[first].wrapping_add(weight);
                    changes[last + 1] = changes[last + 1].wrapping_sub(weight);
                    next = last + 1;
                }
            }
        }
        let running = changes.iter().scan(0_u128, |sum, change| {
            *sum = sum.wrapping_add(*change);
            Some(*sum)
        });
        running.take(self.windows.len()).collect()
    }

    /// Each piece that holds rows of some window, with the first and last of its keys, or of its position, inside the range.
    fn spans(&self) -> impl Iterator<Item = (usize, Bound, Bound)> {
        let positions = if self.kind.is_none() { 0..self.pieces.len() } else { 0..0 };
        let position = |piece: usize| i64::try_from(piece).expect("a plan has fewer pieces than i64 counts");
        let by_time = self.index.entries.iter().map(|entry| (entry.piece, entry.span.min.0, entry.span.max.0));
        by_time.chain(positions.map(move |piece| (piece, position(piece), position(piece))))
    }

    /// Bytes of all pieces that hold rows of some window.
    #[must_use]
    pub fn source_bytes(&self) -> u64 {
        match self.kind {
            Some(_) => {
                let mut pieces: Vec<usize> = self.index.entries.iter().map(|entry| entry.piece).collect();
                pieces.sort_unstable();
                pieces.dedup();
                pieces.into_iter().map(|piece| self.pieces[piece].bytes).sum()
            }
            None => self.pieces.iter().map(|piece| piece.bytes).sum(),
        }
    }

    /// Spreads rows and bytes of each piece over the windows that its span meets, in constant time a piece: the inner
    /// windows of a span take a density, which is summed up at the end.
    #[expect(clippy::cast_precision_loss, reason = "estimates")]
    fn estimate(&mut self, cells: Vec<(TimeKey, TimeKey)>, parts: &Parts) {
        let width = |(start, end): (TimeKey, TimeKey)| end.0 as f64 - start.0 as f64;
        let mut sums = vec![[0.0_f64; 2]; cells.len()];
        let mut density = vec![[0.0_f64; 2]; cells.len() + 1];
        let mut pieces = vec![0_isize; cells.len() + 1];
        for entry in &self.index.entries {
            let piece = &self.pieces[entry.piece];
            let first = cells.partition_point(|cell| cell.1 <= entry.span.min);
            let last = cells.partition_point(|cell| cell.0 <= entry.span.max) - 1;
            self.read_bytes += piece.bytes * (last - first + 1) as u64; // usize has at most 64 bits
            pieces[first] += 1;
            pieces[last + 1] -= 1;
            let stretch = parts.get(&entry.piece).and_then(|parts| part_of(parts, entry.span));
            let whole = stretch.map_or(piece.keys, |stretch| Some(stretch.span)).unwrap_or(entry.span);
            let keys = whole.max.0 as f64 - whole.min.0 as f64 + 1.0;
            let rows = stretch.map_or(piece.rows, |stretch| stretch.rows) as f64;
            let bytes = piece.bytes as f64 * (rows / piece.rows.max(1) as f64);
            let each = [rows / keys, bytes / keys];
            let mut add = |cell: usize, from: TimeKey, to: f64| {
                for (sum, each) in sums[cell].iter_mut().zip(each) {
                    *sum += each * (to - from.0 as f64);
                }
            };
            if first == last {
                add(first, entry.span.min, entry.span.max.0 as f64 + 1.0);
                continue;
            }
            add(first, entry.span.min, cells[first].1.0 as f64);
            add(last, cells[last].0, entry.span.max.0 as f64 + 1.0);
            for (i, each) in each.into_iter().enumerate() {
                density[first + 1][i] += each;
                density[last][i] -= each;
            }
        }
        let (mut running, mut meeting) = ([0.0; 2], 0);
        for (((cell, sum), change), pieces) in cells.into_iter().zip(sums).zip(density).zip(pieces) {
            running = [running[0] + change[0], running[1] + change[1]];
            meeting += pieces;
            let window = Window::time(cell.0, cell.1).expect("a cell is never empty");
            let total = |i: usize| sum[i] + running[i].max(0.0) * width(cell);
            let pieces = meeting.unsigned_abs(); // never below zero
            self.windows.push(PlannedWindow { window, rows: total(0), bytes: total(1), pieces });
        }
    }
}

/// The stretch that `span` is of.
fn part_of(parts: &[Stretch], span: KeySpan) -> Option<&Stretch> {
    parts.iter().find(|stretch| stretch.span.min <= span.min && span.max <= stretch.span.max)
}

/// The grid's cells that meet a span, clipped to the range.
fn cells(index: &SpanIndex, range: Range, grid: &Grid, windows_max: usize) -> Result<Vec<(TimeKey, TimeKey)>> {
    let mut cells: Vec<(TimeKey, TimeKey)> = Vec::new();
    for entry in &index.entries {
        let mut key = entry.span.min.max(cells.last().map_or(entry.span.min, |cell| cell.1));
        while key <= entry.span.max {
            if cells.len() == windows_max {
                return Err(Error::new(ErrorKind::Limit, format!("the plan has more than {windows_max} windows"))
                    .with_hint("choose wider windows: --window '1 month', or a shorter range: --from, --until; or allow more: --windows-max"));
            }
            let (start, end) = grid.cell(key);
            let start = range.from.map_or(start, |from| start.max(from));
            let end = range.until.map_or(end, |until| end.min(until));
            cells.push((start, end));
            key = end;
        }
    }
    Ok(cells)
}

#[cfg(test)]
mod tests;
