//! A piece: a part of an object that can be read alone, with what the profile found in it.

use super::KeySpan;

/// A part of an object that can be read alone. It exists only profiled: rows and keys are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Position of its object in the profile's list of objects.
    pub object: u32,
    /// Which part of the object it is.
    pub extent: Extent,
    /// Rows in it, those that cannot be read included.
    pub rows: u64,
    /// Bytes that a reader fetches for it.
    pub bytes: u64,
    /// Smallest and largest finite time key in it; `None` where no row has one, or the table has no time column.
    pub keys: Option<KeySpan>,
    /// Rows whose time is null, infinite or unreadable, and which therefore belong to no window.
    pub unkeyed: u64,
}

/// Which part of its object a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Bytes `[start, end)` on record boundaries of delimited text.
    Bytes {
        /// Offset of the first byte of the first record.
        start: u64,
        /// Offset after the last byte of the last record, its line end included.
        end: u64,
        /// Number of the first record in the object, from 1.
        first_record: u64,
    },
    /// Row groups `first..first + count` of a Parquet object.
    RowGroups {
        /// Position of the first row group.
        first: u32,
        /// How many.
        count: u32,
        /// Number of the first row in the object, from 1.
        first_record: u64,
    },
    /// A part that only the custom source understands.
    Custom {
        /// The source's own number for it.
        number: u64,
    },
}

impl Extent {
    /// Number of the piece's first record in its object, from 1.
    #[must_use]
    pub fn first_record(&self) -> u64 {
        match *self {
            Self::Bytes { first_record, .. } | Self::RowGroups { first_record, .. } => first_record,
            Self::Custom { .. } => 1,
        }
    }
}

/// Rows of a source, by where they fall.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceRows {
    /// All rows.
    pub all: u64,
    /// Rows before the range.
    pub before: u64,
    /// Rows at or after the completion point.
    pub after: u64,
    /// Rows whose time is null or infinite.
    pub unkeyed: u64,
    /// Rows that belong to no window because they, or their time, cannot be read.
    pub rejected: u64,
}

impl SourceRows {
    /// Rows that the windows must hold in the end, those that they reject included.
    #[must_use]
    pub fn inside(&self) -> u64 {
        self.all - self.before - self.after - self.unkeyed - self.rejected
    }
}

impl std::ops::AddAssign for SourceRows {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.before += other.before;
        self.after += other.after;
        self.unkeyed += other.unkeyed;
        self.rejected += other.rejected;
    }
}
