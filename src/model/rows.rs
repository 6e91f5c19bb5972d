//! Decoded rows and where each of them stood in its object.

use std::sync::Arc;

use arrow_array::RecordBatch;

/// A decoded batch of rows, with their origin.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The values, a column each for every mapped source column, in mapping order.
    pub batch: RecordBatch,
    /// Where the rows stood.
    pub origin: Origin,
}

/// Where the rows of a batch stood in their object.
#[derive(Debug, Clone)]
pub struct Origin {
    /// URI of the object.
    pub object: Arc<str>,
    /// Record number of row 0, from 1; rows are consecutive records.
    pub first_record: u64,
    /// Byte offset in the object of the start of each row, where the format has such a thing.
    pub bytes: Option<Vec<u64>>,
}

impl Origin {
    /// Record number of row `row` of the batch, from 1.
    #[must_use]
    pub fn record(&self, row: usize) -> u64 {
        self.first_record + row as u64 // usize has at most 64 bits
    }

    /// Byte offset in the object of the start of row `row`, if the format has such a thing.
    #[must_use]
    pub fn byte(&self, row: usize) -> Option<u64> {
        self.bytes.as_ref().and_then(|bytes| bytes.get(row).copied())
    }
}
