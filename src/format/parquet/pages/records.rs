//! How many values the longest record of a nested column has, told from its repetition levels alone.

use super::super::thrift::Compact;
use super::delta::bits;

/// Counts the values of records over the pages of a column: a record goes on until a value of level 0.
#[derive(Debug, Default)]
pub(super) struct Records {
    open: u64,
    longest: u64,
}

impl Records {
    /// Counts `values` levels of at most `level_max` in the hybrid of runs and packed groups. `None` where they are none.
    pub(super) fn push(&mut self, levels: &[u8], values: u64, level_max: i16) -> Option<()> {
        let width = u8::try_from(16 - u16::try_from(level_max).ok()?.leading_zeros()).ok()?;
        let (mut reader, mut left) = (Compact(levels), values);
        while left > 0 {
            let head = reader.unsigned()?;
            if head & 1 == 0 {
                let run = (head >> 1).min(left);
                let level = reader.take(usize::from(width).div_ceil(8))?;
                self.run(level.iter().all(|byte| *byte == 0), run);
                left = if run == 0 { return None } else { left - run };
                continue;
            }
            let groups = usize::try_from(head >> 1).ok().filter(|groups| *groups > 0)?;
            let packed = reader.take(groups.checked_mul(width.into())?.min(reader.0.len()))?;
            let held = (packed.len() * 8 / usize::from(width.max(1))) as u64; // usize has at most 64 bits
            let count = held.min(left);
            if count == 0 {
                return None;
            }
            for at in 0..usize::try_from(count).ok()? {
                self.run(bits(packed, at, width)? == 0, 1);
            }
            left -= count;
        }
        Some(())
    }

    /// Takes values of which nothing is known but that they are there.
    pub(super) fn push_unknown(&mut self, values: u64) {
        self.run(false, values);
    }

    fn run(&mut self, begins_records: bool, values: u64) {
        // Each value of level 0 is the first of a record.
        self.open = if begins_records { 1 } else { self.open.saturating_add(values) };
        self.longest = self.longest.max(self.open);
    }

    /// Values of the longest record.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_the_next_value_begins_one() {
        let mut records = Records::default();
        // A packed group 0 1 1 0 1 0 0 1, a run of five 1, and a run of two 0.
        records.push(&[3, 0b1001_0110, 10, 1, 4, 0], 15, 1).unwrap();
        assert_eq!(records.longest(), 7);
        records.push(&[20, 1], 10, 1).unwrap();
        assert_eq!(records.longest(), 11);
    }

    #[test]
    fn levels_without_end_are_refused() {
        assert_eq!(Records::default().push(&[20], 10, 1), None);
        assert_eq!(Records::default().push(&[0, 0, 0, 0], 10, 1), None);
        assert_eq!(Records::default().push(&[], 1, 1), None);
    }
}
