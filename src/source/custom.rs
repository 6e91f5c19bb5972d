//! A source of one's own: whatever can yield record batches for its parts.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::error::Result;

/// The batches of one part, in an order that is the same each time.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A supplier of record batches, for what is neither CSV nor Parquet.
///
/// # Obligations
///
/// The parts and the rows of each must be the same whenever they are asked for, until a part's `version` changes: a
/// window that failed is deleted and read again, and what verification compares was hashed at the first reading. Reading
/// happens on the CPU pool, several parts at once, and may block a thread of it.
pub trait Source: Send + Sync {
    /// A name that identifies the source in the ledger, as a path does a file.
    fn name(&self) -> &str;

    /// The columns that every batch has, in that order.
    fn schema(&self) -> SchemaRef;

    /// The parts that can be read alone.
    ///
    /// # Errors
    ///
    /// Whatever keeps the source from being listed.
    fn parts(&self) -> Result<Vec<Part>>;

    /// The batches of a part.
    ///
    /// # Errors
    ///
    /// Whatever keeps the part from being read.
    fn read(&self, part: &Part) -> Result<Batches>;
}

/// A part of a [`Source`] that can be read alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The source's own number for it.
    pub number: u64,
    /// What changes when its rows do.
    pub version: String,
    /// Bytes that it takes in memory, about.
    pub bytes: u64,
}
