//! Decoding without I/O: objects to pieces, and bytes to batches of rows.
//!
//! A decoder never reads: it says which byte ranges it needs, is handed them, and yields rows. Whoever drives it decides
//! where bytes come from and on which thread decoding runs.

pub mod csv;
pub mod parquet;

use std::ops::Range;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::model::Rows;
use crate::options::bounds::COLUMNS_MAX;

/// What a decoder wants or has.
#[derive(Debug)]
pub enum Step {
    /// These byte ranges of the object, by [`Decode::supply`], before the next step.
    Need(Vec<Range<u64>>),
    /// Decoded rows, the next of the piece.
    Rows(Rows),
    /// The piece is at its end.
    Done,
}

/// Room for records of one piece that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectRoom {
    /// How many may be kept.
    pub rows: usize,
    /// Bytes of memory that they may take together.
    pub bytes: usize,
    /// Bytes that are kept of each record.
    pub record_bytes: usize,
}

/// An object has more columns than are kept apart.
fn too_many_columns(columns: usize) -> Error {
    Error::new(ErrorKind::Limit, format!("has {columns} columns, and {COLUMNS_MAX} are the most"))
}

/// Decodes one piece. Runs on the CPU pool; must not block and must not do I/O.
pub trait Decode: Send {
    /// Goes one step on.
    ///
    /// # Errors
    ///
    /// Names object, record and byte of what cannot be decoded; after an error the decoder is not used again.
    fn step(&mut self) -> Result<Step>;

    /// Hands over the bytes asked for by the last [`Step::Need`], a buffer for each range, in order and of its length.
    ///
    /// # Errors
    ///
    /// If the bytes are not what was asked for.
    fn supply(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<()>;
}
