//! Decoded rows, where each of them stood in its object, and which of them are at fault.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;

/// A decoded batch of rows, with their origin.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The values, a column each for every mapped source column, in mapping order.
    pub batch: RecordBatch,
    /// Where the rows stood.
    pub origin: Origin,
    /// Rows with a value that could not be decoded, in their order; in its place the batch has a null or a guess. Such a row
    /// must not be loaded.
    pub faults: Vec<RowFault>,
}

/// Why a decoded row must not be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Row in the batch, from 0.
    pub row: usize,
    /// Position of the column in the mapping.
    pub column: usize,
    /// Why, as a lower-case phrase.
    pub reason: String,
    /// Byte offset in the object of what is wrong, where that is known; else the record's start says where it is.
    pub byte: Option<u64>,
    /// The server's code for it, where it has one.
    pub sqlstate: Option<&'static str>,
}

/// Where the rows of a batch stood in their object.
#[derive(Debug, Clone)]
pub struct Origin {
    /// URI of the object.
    pub object: Arc<str>,
    /// Record number of row 0, from 1; rows are consecutive records but for the gaps.
    pub first_record: u64,
    /// Byte offset in the object of the start of each row, where the format has such a thing.
    pub bytes: Option<Vec<u64>>,
    /// Where records were passed over: a row, and the record number that is its own, in the order of rows.
    pub gaps: Vec<(usize, u64)>,
    /// The bytes that the rows were read from, where each row is a stretch of them.
    pub text: Option<OriginText>,
}

/// Bytes that rows were read from.
#[derive(Debug, Clone)]
pub struct OriginText {
    /// The bytes: a stretch of the object, or that in UTF-8.
    pub bytes: Bytes,
    /// Offset in the object of the first.
    pub start: u64,
    /// Where each row starts in the bytes, if they are not those of the object.
    pub starts: Option<Vec<u64>>,
}

impl Origin {
    /// Of consecutive records of `object` in a format without byte offsets.
    #[must_use]
    pub fn of_records(object: Arc<str>, first_record: u64) -> Self {
        Self { object, first_record, bytes: None, gaps: Vec::new(), text: None }
    }

    /// Record number of row `row` of the batch, from 1.
    #[must_use]
    pub fn record(&self, row: usize) -> u64 {
        let before = self.gaps.partition_point(|(first, _)| *first <= row);
        let (first, record) = before.checked_sub(1).map_or((0, self.first_record), |gap| self.gaps[gap]);
        record + (row - first) as u64 // usize has at most 64 bits
    }

    /// Byte offset in the object of the start of row `row`, if the format has such a thing.
    #[must_use]
    pub fn byte(&self, row: usize) -> Option<u64> {
        self.bytes.as_ref().and_then(|bytes| bytes.get(row).copied())
    }

    /// The bytes from the start of row `row` on, to the end of what was read with it.
    #[must_use]
    pub fn text_from(&self, row: usize) -> Option<Bytes> {
        let text = self.text.as_ref()?;
        let at = match &text.starts {
            Some(starts) => *starts.get(row)?,
            None => self.byte(row)?.checked_sub(text.start)?,
        };
        let at = usize::try_from(at).ok().filter(|at| *at <= text.bytes.len())?;
        Some(text.bytes.slice(at..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_after_a_gap_have_the_numbers_of_their_records() {
        let mut origin = Origin::of_records("a".into(), 5);
        assert_eq!((origin.record(0), origin.record(3)), (5, 8));
        origin.gaps = vec![(2, 9), (3, 20)];
        assert_eq!([0, 1, 2, 3, 4].map(|row| origin.record(row)), [5, 6, 9, 20, 21]);
    }

    #[test]
    fn the_text_of_a_row_begins_where_the_row_does() {
        let mut origin = Origin::of_records("a".into(), 1);
        assert_eq!(origin.text_from(0), None);
        origin.bytes = Some(vec![10, 14]);
        let bytes = Bytes::from_static(b"1,2\n3,4\n");
        origin.text = Some(OriginText { bytes, start: 10, starts: None });
        assert_eq!(origin.text_from(1).as_deref(), Some(&b"3,4\n"[..]));
    }
}
