//! Spans of pieces, ordered so that those which meet a window are found without looking at all.
//!
//! Entries stand by their smallest key. Over them stands a tree of largest keys, so that a piece that reaches far does not
//! make every search start from it: a search looks at some [`FAN`] entries for each level and each piece that it finds.

use super::{Parts, Range};
use crate::model::{KeySpan, Piece, TimeKey};

/// Spans of pieces inside a range.
#[derive(Debug, Default)]
pub(super) struct SpanIndex {
    /// By smallest key, then by piece.
    pub(super) entries: Vec<SpanEntry>,
    /// Largest keys: of every [`FAN`] entries, then of every [`FAN`] of those, up to a single one.
    largest: Vec<Vec<TimeKey>>,
}

#[derive(Debug)]
pub(super) struct SpanEntry {
    pub(super) span: KeySpan,
    pub(super) piece: usize,
}

/// Entries or nodes under one node: few levels, and a node's children in two cache lines.
const FAN: usize = 16;

/// Spans that meet `[start, …)` among the first so many entries.
struct Search {
    entries: usize,
    start: TimeKey,
    found: Vec<usize>,
}

impl SpanIndex {
    pub(super) fn new(pieces: &[Piece], parts: &Parts, range: Range) -> Self {
        let clipped = |piece: usize, span: KeySpan| Some(SpanEntry { span: range.clip(span)?, piece });
        let whole = |(piece, each): (usize, &Piece)| clipped(piece, each.keys.filter(|_| !parts.contains_key(&piece))?);
        let stretches = parts.iter().flat_map(|(piece, parts)| parts.iter().map(move |part| (*piece, part.span)));
        let mut entries: Vec<SpanEntry> = pieces.iter().enumerate().filter_map(whole).collect();
        entries.extend(stretches.filter_map(|(piece, span)| clipped(piece, span)));
        entries.sort_unstable_by_key(|entry| (entry.span.min, entry.piece));
        let most = |keys: &[TimeKey]| keys.iter().copied().max().expect("a chunk is never empty");
        let mut level: Vec<TimeKey> = entries.iter().map(|entry| entry.span.max).collect();
        let mut largest = Vec::new();
        while level.len() > 1 {
            level = level.chunks(FAN).map(most).collect();
            largest.push(level.clone());
        }
        Self { entries, largest }
    }

    /// Positions of the pieces with keys in `[start, end)`, as far as their spans tell, by smallest key.
    pub(super) fn overlapping(&self, start: TimeKey, end: TimeKey) -> Vec<usize> {
        let entries = self.entries.partition_point(|entry| entry.span.min < end);
        let mut search = Search { entries, start, found: Vec::new() };
        if entries > 0 {
            self.descend(self.largest.len(), 0, &mut search);
        }
        search.found
    }

    /// Looks below the node at `position` of `level`, or at an entry where `level` is 0.
    fn descend(&self, level: usize, position: usize, search: &mut Search) {
        let Some(below) = level.checked_sub(1) else {
            let entry = &self.entries[position];
            if entry.span.max >= search.start {
                search.found.push(entry.piece);
            }
            return;
        };
        if self.largest[below][position] < search.start {
            return;
        }
        let width = FAN.pow(u32::try_from(below).expect("sixteen levels hold all memory"));
        let (first, entries) = (position * FAN, search.entries);
        for child in (first..first + FAN).take_while(|child| child * width < entries) {
            self.descend(below, child, search);
        }
    }
}
