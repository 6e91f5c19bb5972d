//! A reject: a source row that was not loaded, where it stood, and why.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

/// A source row that was not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// URI of its object.
    pub object: Arc<str>,
    /// Its record number in the object, from 1; a CSV header is not counted.
    pub record: u64,
    /// Byte offset in the object of the start of the record, or of the failing byte, where the format has such a thing.
    pub byte: Option<u64>,
    /// The target column that its value was refused for; `None` where the record as a whole is at fault.
    pub column: Option<String>,
    /// Why, as a lower-case phrase.
    pub reason: String,
    /// The server's five-character code, where there is one.
    pub sqlstate: Option<String>,
    /// The record as it stood.
    pub raw: RawRecord,
}

/// A record as it stood in its object: the bytes of delimited text without the line end, or the source columns of another
/// format as one record of delimited text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRecord {
    /// The bytes, whatever they are: they need not be UTF-8, and may hold NUL.
    pub bytes: Bytes,
    /// Whether the record was longer than what is kept of one.
    pub is_cut: bool,
}

impl RawRecord {
    /// At most `bytes_max` bytes of `record`, copied: a slice would keep all that it is a slice of in memory.
    #[must_use]
    pub fn of(record: &[u8], bytes_max: usize) -> Self {
        let kept = &record[..record.len().min(bytes_max)];
        Self { bytes: Bytes::copy_from_slice(kept), is_cut: kept.len() < record.len() }
    }
}

impl Reject {
    /// Bytes that it takes in memory, nearly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let column = self.column.as_ref().map_or(0, String::len);
        size_of::<Self>() + column + self.reason.len() + self.raw.bytes.len()
    }
}

/// Where a reject stood and why, as a sentence: that of the error which it would have been.
impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(column) = &self.column {
            write!(f, " in column \"{column}\"")?;
        }
        if let Some(code) = &self.sqlstate {
            write!(f, " ({code})")?;
        }
        write!(f, ", {} record {}", self.object, self.record)?;
        match self.byte {
            Some(byte) => write!(f, ", byte {byte}"),
            None => Ok(()),
        }
    }
}

/// How many rejects there are for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectCount {
    /// The reason, with values left out of it: `"…" is not an integer`.
    pub reason: String,
    /// The target column, where it was one column's value.
    pub column: Option<String>,
    /// How many.
    pub rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject() -> Reject {
        Reject {
            object: "a.csv".into(),
            record: 1041,
            byte: Some(88_213),
            column: Some("host".to_owned()),
            reason: "null value".to_owned(),
            sqlstate: Some("23502".to_owned()),
            raw: RawRecord::of(b"1,,3", 64),
        }
    }

    #[test]
    fn a_reject_reads_like_the_error_that_it_would_have_been() {
        assert_eq!(reject().to_string(), "null value in column \"host\" (23502), a.csv record 1041, byte 88213");
        let bare = Reject { column: None, sqlstate: None, byte: None, ..reject() };
        assert_eq!(bare.to_string(), "null value, a.csv record 1041");
    }

    #[test]
    fn a_long_record_is_kept_in_part_and_says_so() {
        assert_eq!(RawRecord::of(b"abcd", 4), RawRecord { bytes: Bytes::from_static(b"abcd"), is_cut: false });
        assert_eq!(RawRecord::of(b"abcd", 3), RawRecord { bytes: Bytes::from_static(b"abc"), is_cut: true });
    }
}
