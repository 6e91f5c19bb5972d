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
