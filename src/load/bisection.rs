//! Which of some rows the server refuses, found by trying parts of them: the rows before and after the one that it names,
//! or halves where it names none.
//!
//! A row is at fault only where it was refused alone. What was taken before stays for the parts that follow, so that what is
//! loaded in the end is what row by row would be.

use std::ops::Range;

/// Parts of some rows that are still to be tried, in the order of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bisection {
    /// The next part last.
    parts: Vec<Range<usize>>,
}

impl Bisection {
    /// Of `rows` rows, none of which was tried.
    pub(super) fn new(rows: usize) -> Self {
        let all = 0..rows;
        Self { parts: if all.is_empty() { Vec::new() } else { vec![all] } }
    }

    /// The next part to be tried, taken out; it is not empty.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        self.parts.pop()
    }

    /// Notes that `part` was refused, for the row with this number in it (from 1) where the server tells one. A row that was
    /// refused alone is given back; a larger part is tried in smaller ones.
    pub(super) fn refused(&mut self, part: Range<usize>, row: Option<u64>) -> Option<usize> {
        if part.len() == 1 {
            return Some(part.start);
        }
        let named = row.and_then(|row| usize::try_from(row).ok()?.checked_sub(1)).filter(|row| *row < part.len());
        let parts = if let Some(row) = named.map(|row| part.start + row) {
            [part.start..row, row..row + 1, row + 1..part.end]
        } else {
            let middle = part.start + part.len() / 2;
            [part.start..middle, middle..part.end, part.end..part.end]
        };
        self.parts.extend(parts.into_iter().rev().filter(|part| !part.is_empty()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server that refuses `bad` rows, and names the first where `names` says so, makes of `rows`: the rows found, the
    /// rows taken, and how often it was asked.
    fn find(rows: usize, bad: &[usize], names: impl Fn(usize) -> bool) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut bisection, mut found, mut taken, mut probes) = (Bisection::new(rows), Vec::new(), Vec::new(), 0);
        while let Some(part) = bisection.next() {
            probes += 1;
            match bad.iter().copied().find(|row| part.contains(row)) {
                None => taken.extend(part),
                Some(first) => {
                    let row = names(first).then(|| (first - part.start + 1) as u64);
                    found.extend(bisection.refused(part, row));
                }
            }
        }
        (found, taken, probes)
    }

    proptest::proptest! {
        #[test]
        fn exactly_the_bad_rows_are_found_in_order_with_few_probes(
            rows in 1..3000_usize,
            bad in proptest::collection::btree_set(0..3000_usize, 0..12),
            named in 0..4_usize,
        ) {
            let bad: Vec<usize> = bad.into_iter().filter(|row| *row < rows).collect();
            let names = |row: usize| match named { 0 => false, 1 => true, _ => row.is_multiple_of(2) };
            let (found, taken, probes) = find(rows, &bad, names);
            proptest::prop_assert_eq!(&found, &bad);
            let good: Vec<usize> = (0..rows).filter(|row| !bad.contains(row)).collect();
            proptest::prop_assert_eq!(taken, good);
            let levels = rows.next_power_of_two().ilog2() as usize + 1;
            let most = if named == 1 { 1 + 3 * bad.len() } else { 1 + bad.len() * (2 * levels + 3) };
            proptest::prop_assert!(probes <= most, "{probes} probes, at most {most}");
        }

        #[test]
        fn a_number_that_makes_no_sense_costs_probes_and_no_rows(rows in 1..200_usize, bad in 0..200_usize, told in 0..400_u64) {
            let (mut bisection, mut found, mut taken) = (Bisection::new(rows), Vec::new(), 0);
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
}
