//! What must hold for any bytes at all: each check takes some, and panics where a promise is broken.
//!
//! The fuzz targets of `tests/fuzz` feed them what libFuzzer makes up; the suite feeds them the corpus that is kept in
//! the tree. They know the crate by its public names alone.

pub(crate) mod array;
pub(crate) mod block;
pub(crate) mod copy_binary;
pub(crate) mod csv;
pub(crate) mod interval;
pub(crate) mod numeric;
pub(crate) mod parquet;
pub(crate) mod single;
pub(crate) mod timestamp;

/// A check of some bytes.
pub(crate) type Check = fn(&[u8]);

/// Each check by the name of its target.
pub(crate) const CHECKS: [(&str, Check); 7] = [
    ("array", array::check),
    ("block", block::check),
    ("csv", csv::check),
    ("interval", interval::check),
    ("numeric", numeric::check),
    ("parquet", parquet::check),
    ("timestamp", timestamp::check),
];

/// Bytes as choices and values: what runs out is zero.
pub(crate) struct Feed<'a>(pub(crate) &'a [u8]);

impl<'a> Feed<'a> {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// Up to `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// One of `choices`.
    pub(crate) fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[usize::from(self.byte()) % choices.len()]
    }
}
