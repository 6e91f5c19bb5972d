//! Which cells of the grid hold rows, for pieces whose keys are far apart.
//!
//! A piece is profiled to the smallest and the largest of its keys. One row of year 9999 among those of a month would make
//! windows of all that lies between. So where a piece meets very many cells, its keys are read once more, now that the grid is
//! known, and the stretches that hold rows take the place of the one span.

use std::collections::BTreeMap;

use arrow_array::Int64Array;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::clip::{Keys, TimeColumn};
use super::profile::Profiler;
use super::supply::{DetailKind, bytes_in_memory};
use crate::error::{Error, Result};
use crate::model::{KeySpan, Piece, Rows, TimeKey};
use crate::plan::{Grid, Parts, Range, Stretch};

/// A piece that meets no more cells than this is planned by its span: windows without rows cost little.
const CELLS_MAX: u64 = 1_000;

/// Stretches that are kept of one piece: outliers are few, and those that lie close together count as one.
const STRETCHES_MAX: usize = 64;

/// Stretches that are told apart while keys are read.
const STRETCHES_READ: usize = 4_096;

/// Pieces that are read before it is asked whether that was of use. It does not depend on the machine, so that the same source
/// gives the same plan.
const PIECES_AT_ONCE: usize = 8;

impl Profiler<'_> {
    /// The stretches of keys of those of `pieces` that meet very many cells. Those that meet most come first, and the search
    /// ends where they are full of rows: others of the same source are too.
    pub(crate) async fn parts(&self, pieces: &[Piece], grid: &Grid) -> Result<Parts> {
        let cells = |piece: &Piece| self.range.clip(piece.keys?).map(|span| grid.cells(span));
        let mut wide: Vec<(u64, usize)> = pieces
            .iter()
            .enumerate()
            .filter_map(|(at, piece)| Some((cells(piece)?, at)))
            .filter(|(cells, _)| *cells > CELLS_MAX)
            .collect();
        wide.sort_unstable_by_key(|(cells, at)| (std::cmp::Reverse(*cells), *at));
        let mut parts = Parts::new();
        for wave in wide.chunks(PIECES_AT_ONCE) {
            let read = wave.iter().copied().map(|(cells, at)| async move {
                let stretches = self.stretches(&pieces[at], grid).await?;
                Ok::<_, Error>((cells, at, stretches))
            });
            let read: Vec<_> = stream::iter(read).buffered(self.at_once).try_collect().await?;
            let mut is_of_use = false;
            for (before, at, stretches) in read {
                let after: u64 = stretches.iter().map(|stretch| grid.cells(stretch.span)).fold(0, u64::saturating_add);
                if after <= before / 2 {
                    is_of_use = true;
                    parts.insert(at, stretches);
                }
            }
            if !is_of_use {
                break;
            }
        }
        Ok(parts)
    }

    /// Reads the keys of `piece` once more.
    async fn stretches(&self, piece: &Piece, grid: &Grid) -> Result<Vec<Stretch>> {
        let position = piece.object as usize; // usize has at least 32 bits
        let Some((kind, reading)) = self.time.clone() else { return Ok(Vec::new()) };
        let passing_over = self.allowance.max.allows_any();
        let _permit = self.memory.take(bytes_in_memory(piece)).await;
        let (decoder, at) = match (self.supply.detail(position), self.supply.layout(position).time) {
            (DetailKind::Csv { .. }, Some(at)) => (self.supply.decoder(piece, passing_over)?, at),
            _ => (self.supply.key_decoder(piece)?, 0),
        };
        let time = TimeColumn { position: at, kind, reading, passing_over };
        let scan = Scan { time, grid: grid.clone(), range: self.range, found: BTreeMap::new(), last: None };
        let scan = self.supply.drain(self.pool, piece.object, decoder, scan, Scan::take).await?;
        Ok(joined(scan.found, STRETCHES_MAX).into_values().collect())
    }
}

/// Stretches by their smallest key.
type Found = BTreeMap<TimeKey, Stretch>;

/// The stretches of a piece that is being read.
struct Scan {
    time: TimeColumn,
    grid: Grid,
    range: Range,
    /// By the start of their first cell.
    found: Found,
    /// The cell of the last row: most rows are in the cell of the row before.
    last: Option<(TimeKey, TimeKey)>,
}

impl Scan {
    fn take(&mut self, rows: Rows) -> Result<()> {
        let (_, Keys { keys, .. }) = self.time.key(rows)?;
        self.count(&keys);
        Ok(())
    }

    fn count(&mut self, keys: &Int64Array) {
        for key in keys.iter().flatten().filter(|key| !self.time.infinite(*key)).map(TimeKey) {
            let Some(own) = self.range.clip(KeySpan { min: key, max: key }) else { continue };
            let cell = self.last.filter(|(start, end)| (*start..*end).contains(&own.min));
            let cell = cell.unwrap_or_else(|| self.grid.cell(own.min));
            self.last = Some(cell);
            // A stretch that was joined begins before this cell.
            let known = self.found.range_mut(..=cell.0).next_back().map(|(_, stretch)| stretch);
            match known.filter(|stretch| self.grid.cell(stretch.span.max).0 >= cell.0 || stretch.span.max >= own.min) {
                Some(stretch) => {
                    stretch.span = stretch.span.union(own);
                    stretch.rows += 1;
                }
                None => {
                    self.found.insert(cell.0, Stretch { span: own, rows: 1 });
                }
            }
            if self.found.len() > STRETCHES_READ {
                self.found = joined(std::mem::take(&mut self.found), STRETCHES_READ / 2);
            }
        }
    }
}

/// At most `most` stretches: those with the smallest gaps between them become one.
fn joined(found: Found, most: usize) -> Found {
    let gap = |one: &Stretch, next: &Stretch| next.span.min.0.abs_diff(one.span.max.0);
    let stretches: Vec<(TimeKey, Stretch)> = found.into_iter().collect();
    let mut gaps: Vec<(u64, usize)> =
        stretches.windows(2).enumerate().map(|(at, pair)| (gap(&pair[0].1, &pair[1].1), at + 1)).collect();
    gaps.sort_unstable_by_key(|(gap, at)| (std::cmp::Reverse(*gap), *at));
    gaps.truncate(most.saturating_sub(1));
    let mut starts: Vec<usize> = gaps.into_iter().map(|(_, at)| at).collect();
    starts.sort_unstable();
    let mut joined = Found::new();
    for (at, (start, stretch)) in stretches.into_iter().enumerate() {
        match joined.last_entry().filter(|_| starts.binary_search(&at).is_err()) {
            Some(mut last) => {
                let last = last.get_mut();
                *last = Stretch { span: last.span.union(stretch.span), rows: last.rows + stretch.rows };
            }
            None => {
                joined.insert(start, stretch);
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_gaps_stay() {
        let stretch =
            |key| (TimeKey(key), Stretch { span: KeySpan { min: TimeKey(key), max: TimeKey(key + 1) }, rows: 2 });
        let found: Found = [0, 10, 1_000, 1_010, 1_020, i64::MAX - 2].map(stretch).into_iter().collect();
        let spans = |most| {
            let joined = joined(found.clone(), most);
            joined.into_values().map(|it| (it.span.min.0, it.span.max.0, it.rows)).collect::<Vec<_>>()
        };
        assert_eq!(spans(3), [(0, 11, 4), (1_000, 1_021, 6), (i64::MAX - 2, i64::MAX - 1, 2)]);
        assert_eq!(spans(1), [(0, i64::MAX - 1, 12)]);
        assert_eq!(spans(9).len(), 6);
    }
}
