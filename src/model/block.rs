//! A block: encoded COPY bytes of some rows, with their count and hash.

use std::fmt;
use std::ops::{Add, AddAssign};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// Encoded COPY bytes of some rows, without the stream's header and trailer.
#[derive(Debug, Clone)]
pub struct Block {
    /// The rows as COPY takes them.
    pub bytes: Bytes,
    /// How many rows there are.
    pub rows: u64,
    /// The sum of their hashes.
    pub hash: RowHash,
}

/// The sum, modulo 2^128, of a 128-bit hash of each row's COPY BINARY fields.
///
/// A sum does not depend on the order of rows or on how they were batched, and, unlike exclusive or, it tells one copy
/// of a row from three. The hash is XXH3-128 of the fields (lengths included, the field count not).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RowHash(u128);

impl RowHash {
    /// The hash of one row's fields.
    #[must_use]
    pub fn of_row(fields: &[u8]) -> Self {
        Self(xxh3_128(fields))
    }

    /// The big-endian bytes, as the ledger stores them.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From the ledger's bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl Add for RowHash {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for RowHash {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for RowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_row_hashes_ignores_order_and_counts_copies() {
        let [a, b] = [RowHash::of_row(b"a"), RowHash::of_row(b"b")];
        assert_eq!(a + b, b + a);
        assert_ne!(a + b, a + b + b + b);
        assert_eq!(RowHash::from_bytes((a + b).to_bytes()), a + b);
    }
}
