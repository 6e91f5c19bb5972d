//! Where encoded rows gather until they are a block.

use bytes::Bytes;

use crate::model::{Block, RowHash};

/// Gathers encoded rows into a [`Block`].
#[derive(Debug)]
pub struct BlockBuilder {
    bytes: Vec<u8>,
    rows: u64,
    hash: RowHash,
    capacity: usize,
}

/// How far a builder was filled, to go back to when a batch cannot be encoded to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    bytes: usize,
    rows: u64,
    hash: RowHash,
}

impl BlockBuilder {
    /// A builder that allocates `capacity` bytes for each block, once its first row comes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { bytes: Vec::new(), rows: 0, hash: RowHash::default(), capacity }
    }

    /// Bytes gathered.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Rows gathered.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The block, of which nothing remains in the builder.
    #[must_use]
    pub fn finish(&mut self) -> Block {
        let block = Block {
            bytes: Bytes::from(std::mem::take(&mut self.bytes)),
            rows: std::mem::take(&mut self.rows),
            hash: std::mem::take(&mut self.hash),
        };
        debug_assert!(block.rows > 0 || block.bytes.is_empty(), "bytes belong to rows");
        block
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), rows: self.rows, hash: self.hash }
    }

    pub(super) fn return_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.rows = mark.rows;
        self.hash = mark.hash;
    }

    /// The buffer that rows are appended to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(self.capacity);
        }
        &mut self.bytes
    }

    /// Counts rows whose bytes were appended.
    pub(super) fn count(&mut self, rows: usize, hash: RowHash) {
        self.rows += rows as u64; // usize has at most 64 bits
        self.hash += hash;
    }
}
