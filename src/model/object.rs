//! An object: one file or object-store object, as it stood when it was listed.

use std::fmt;

/// One file or object-store object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where it is: an absolute path for a local file.
    pub uri: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// What changes when its content does: an `ETag`, else the modification time in nanoseconds since 1970.
    pub version: String,
    /// How it is to be decoded, told from its content.
    pub format: Format,
    /// Columns spelled in its path as `name=value` folders (hive partitioning), in path order; `None` is null.
    pub path_columns: Vec<(String, Option<String>)>,
    /// Which file it is, where that can be told: another file may have its name, its size and its time. It is compared for
    /// as long as a run lasts, and never kept, for a copy of the file serves the next run as well.
    pub file: Option<FileIdentity>,
}

/// What tells a file from another that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// Its inode.
    pub inode: u64,
    /// When its inode was last changed, in nanoseconds since 1970.
    pub changed_nanos: i128,
}

impl FileIdentity {
    /// Whether `now` is another file. Some file systems give one file several inodes over time, and a change of mode or of
    /// links changes the time of an inode; only a file that was made anew differs in both.
    #[must_use]
    pub fn is_replaced_by(self, now: Self) -> bool {
        self.inode != now.inode && self.changed_nanos != now.changed_nanos
    }
}

/// How an object is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Delimited text.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Batches supplied by a [`crate::Source`] of the library's user.
    Custom,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Custom => "custom",
        })
    }
}
