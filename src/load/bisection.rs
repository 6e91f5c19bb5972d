//! Which rows of some the server refuses, found by trying parts of them in their order: the rows before and after the one
//! that it names, or equal divisions where it names none.
//!
//! A row is at fault only where it was refused alone, after all rows before it were taken or found to be at fault. How large
//! parts are follows what was refused so far: half of the parts should be taken whole, whatever the share of rows at fault.

use std::ops::Range;

/// Parts that a refused part is divided into where the server names no row. They are sent in one round trip, so more of them
/// cost fewer round trips, and more statements.
const DIVISIONS: usize = 6;

/// Rows of the largest part.
const PART_ROWS_MAX: usize = 4096;

/// Rows of the first part, before anything is known of the share of rows at fault.
pub(super) const PART_ROWS: usize = 256;

/// Some rows, and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bisection {
    /// Parts of refused parts, the next one last.
    parts: Vec<Range<usize>>,
    /// Rows after those, of which no part was tried.
    rest: Range<usize>,
    /// Rows of the next part of the rest.
    part_rows: usize,
}

impl Bisection {
    /// Of `rows` rows, none of which was tried; `part_rows` of them are tried first.
    pub(super) fn new(rows: usize, part_rows: usize) -> Self {
        Self { parts: Vec::new(), rest: 0..rows, part_rows: part_rows.max(1) }
    }

    /// The next part to be tried, taken out; it is not empty.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        if let Some(part) = self.parts.pop() {
            return Some(part);
        }
        let part = self.rest.start..self.rest.end.min(self.rest.start.saturating_add(self.part_rows));
        self.rest.start = part.end;
        (!part.is_empty()).then_some(part)
    }

    /// The next parts to be tried, in order: at most `parts` of them, of `rows` rows together, but one at least.
    pub(super) fn next_within(&mut self, parts: usize, rows: usize) -> Vec<Range<usize>> {
        let (mut taken, mut taken_rows) = (Vec::new(), 0);
        while taken.len() < parts.max(1) {
            let Some(part) = self.next() else { break };
            if !taken.is_empty() && taken_rows + part.len() > rows {
                self.parts.push(part);
                break;
            }
            taken_rows += part.len();
            taken.push(part);
        }
        taken
    }

    /// Rows of the next part of those that were never tried.
    pub(super) fn part_rows(&self) -> usize {
        self.part_rows
    }

    /// Notes that a part was taken.
    pub(super) fn taken(&mut self, part: &Range<usize>) {
        if part.len() >= self.part_rows {
            self.part_rows = (self.part_rows * 2).min(PART_ROWS_MAX);
        }
    }

    /// Has parts tried that were handed out and were not; they are in order, and before all that are left.
    pub(super) fn put_back(&mut self, parts: &[Range<usize>]) {
        self.parts.extend(parts.iter().rev().cloned());
    }

    /// Notes that `part` was refused, for the row with this number in it (from 1) where the server tells one. A row that was
    /// refused alone is given back; a larger part is tried in smaller ones.
    pub(super) fn refused(&mut self, part: Range<usize>, row: Option<u64>) -> Option<usize> {
        if part.len() >= self.part_rows {
            self.part_rows = (part.len().min(self.part_rows) / 2).max(1);
        }
        if part.len() == 1 {
            return Some(part.start);
        }
        let named = row.and_then(|row| usize::try_from(row).ok()?.checked_sub(1)).filter(|row| *row < part.len());
        if let Some(row) = named.map(|row| part.start + row) {
            let parts = [row + 1..part.end, row..row + 1, part.start..row];
            self.parts.extend(parts.into_iter().filter(|part| !part.is_empty()));
        } else {
            let rows = part.len().div_ceil(DIVISIONS);
            let division = |start: usize| start..part.end.min(start + rows);
            self.parts.extend(part.clone().step_by(rows).map(division).rev());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came of some rows: those found, those taken, and how often the server was asked.
    type Outcome = (Vec<usize>, Vec<usize>, usize);

    /// Asks a server that refuses `bad` rows of `rows`, and names the first of a part where `names` says so, about `parts` parts
    /// at once: it looks at none after the first that it refuses.
    fn find(rows: usize, bad: &[usize], parts: usize, names: impl Fn(usize) -> bool) -> Outcome {
        let (mut bisection, mut found, mut taken, mut probes) =
            (Bisection::new(rows, PART_ROWS), Vec::new(), Vec::new(), 0);
        loop {
            let asked = bisection.next_within(parts, 1000);
            if asked.is_empty() {
                return (found, taken, probes);
            }
            for (at, part) in asked.iter().enumerate() {
                probes += 1;
                let Some(first) = bad.iter().copied().find(|row| part.contains(row)) else {
                    bisection.taken(part);
                    taken.extend(part.clone());
                    continue;
                };
                bisection.put_back(&asked[at + 1..]);
                let row = names(first).then(|| (first - part.start + 1) as u64);
                found.extend(bisection.refused(part.clone(), row));
                break;
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn exactly_the_bad_rows_are_found_in_order_with_few_probes(
            rows in 1..3000_usize,
            bad in proptest::collection::btree_set(0..3000_usize, 0..12),
            parts in 1..16_usize,
            named in 0..4_usize,
        ) {
            let bad: Vec<usize> = bad.into_iter().filter(|row| *row < rows).collect();
            let names = |row: usize| match named { 0 => false, 1 => true, _ => row.is_multiple_of(2) };
            let (found, taken, probes) = find(rows, &bad, parts, names);
            proptest::prop_assert_eq!(&found, &bad);
            let good: Vec<usize> = (0..rows).filter(|row| !bad.contains(row)).collect();
            proptest::prop_assert_eq!(taken, good);
            let whole = 1 + rows / PART_ROWS;
            let levels = 2 + rows.ilog2() as usize / 2;
            let most = whole + bad.len() * (if named == 1 { 6 } else { DIVISIONS * levels + 6 });
            proptest::prop_assert!(probes <= most, "{probes} probes, at most {most}");
        }

        #[test]
        fn a_number_that_makes_no_sense_costs_probes_and_no_rows(rows in 1..200_usize, bad in 0..200_usize, told in 0..400_u64) {
            let (mut bisection, mut found, mut taken) = (Bisection::new(rows, rows), Vec::new(), 0);
            while let Some(part) = bisection.next() {
                if part.contains(&bad) {
                    found.extend(bisection.refused(part, Some(told)));
                } else {
                    taken += part.len();
                }
            }
            proptest::prop_assert_eq!(found.len(), usize::from(bad < rows));
            proptest::prop_assert_eq!(taken + found.len(), rows);
        }
    }

    #[test]
    fn parts_grow_where_rows_are_taken_and_shrink_to_single_rows_where_all_are_refused() {
        let mut bisection = Bisection::new(100_000, PART_ROWS);
        for _ in 0..10 {
            let part = bisection.next().unwrap();
            bisection.taken(&part);
        }
        assert_eq!(bisection.part_rows(), PART_ROWS_MAX);
        let all: Vec<usize> = (0..10_000).collect();
        let (found, taken, probes) = find(10_000, &all, 16, |_| false);
        assert_eq!((found.len(), taken.len()), (10_000, 0));
        assert!(probes < 12_000, "{probes} probes");
    }
}
