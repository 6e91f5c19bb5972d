//! Tells an object's format from its first and last bytes, never from its name.
//!
//! Names lie (`.gz.parquet` that is not gzip, `.csv` that is); the signatures below are those of the formats' own
//! specifications. What has none is text.

use crate::error::{Error, ErrorKind, Result};
use crate::model::Format;

/// How many first bytes are looked at: the longest signature, that of bzip2.
pub(super) const HEAD_BYTES: u64 = 10;
/// How many last bytes are looked at, where the first ones ask for it.
pub(super) const TAIL_BYTES: u64 = 4;

const PARQUET: &[u8] = b"PAR1";
const PARQUET_ENCRYPTED: &[u8] = b"PARE";

/// The smallest Parquet file: magic, an empty footer, its length, magic.
const PARQUET_BYTES_MIN: u64 = 12;

/// What the first bytes tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Nothing known: text.
    Text,
    /// The start of a Parquet file; the last bytes decide.
    Parquet,
    /// Something that is not read.
    Refused { what: &'static str, hint: &'static str },
}

/// Judges the first [`HEAD_BYTES`] bytes (fewer, if the object has fewer).
pub(super) fn head(bytes: &[u8]) -> Head {
    if bytes.starts_with(PARQUET) {
        return Head::Parquet;
    }
    let refused = SIGNATURES.iter().find(|(magic, ..)| bytes.starts_with(magic));
    match refused {
        Some(&(_, what, hint)) => Head::Refused { what, hint },
        // After "BZh" comes the block size, then the first block's mark (the digits of pi).
        None if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") => Head::Refused {
            what: "is compressed with bzip2: compressed text is not read yet",
            hint: "unpack it first: bunzip2 FILE",
        },
        None => Head::Text,
    }
}

const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "is compressed with gzip: compressed text is not read yet", "unpack it first: gunzip FILE"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: compressed text is not read yet", "unpack it first: unzstd FILE"),
    (b"\xfd7zXZ\0", "is compressed with xz: compressed text is not read yet", "unpack it first: unxz FILE"),
    (b"\x04\x22\x4d\x18", "is compressed with lz4: compressed text is not read yet", "unpack it first: unlz4 FILE"),
    (b"PK\x03\x04", "is a zip archive, which is not read", "unpack it first: unzip FILE"),
    (b"ARROW1\0\0", "is an Arrow IPC file, which is not read", "write it as Parquet"),
    (b"Obj\x01", "is an Avro file, which is not read", "write it as Parquet"),
    (PARQUET_ENCRYPTED, "is an encrypted Parquet file, which is not read", "write it without encryption"),
];

/// The format of an object of `size` bytes that starts like Parquet and ends with `tail`.
pub(super) fn parquet(size: u64, tail: &[u8]) -> Result<Format> {
    if tail == PARQUET_ENCRYPTED {
        return Err(refused("is an encrypted Parquet file, which is not read", "write it without encryption"));
    }
    if size < PARQUET_BYTES_MIN || tail != PARQUET {
        return Err(refused(
            "starts like a Parquet file but does not end like one: it is cut off",
            "write or copy the file again; its last four bytes must be PAR1",
        ));
    }
    Ok(Format::Parquet)
}

/// The error for an object that is not read.
pub(super) fn refused(what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Source, what).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_fits_into_the_bytes_that_are_read() {
        for (magic, ..) in SIGNATURES {
            assert!(magic.len() as u64 <= HEAD_BYTES);
        }
    }

    #[test]
    fn text_that_only_resembles_a_signature_is_text() {
        for text in [&b"BZh9,a,b\n1,2"[..], b"PARIS,ROME", b"PAR", b"", b"Object,1", b"PK,x"] {
            assert_eq!(head(text), Head::Text, "{}", String::from_utf8_lossy(text));
        }
        assert!(matches!(head(b"BZh91AY&SY"), Head::Refused { .. }));
        assert!(matches!(head(b"\x1f\x8b\x08"), Head::Refused { .. }));
    }

    #[test]
    fn a_parquet_file_must_end_like_one() {
        assert_eq!(parquet(12, b"PAR1").unwrap(), Format::Parquet);
        assert_eq!(parquet(100, b"\0\0\0\0").unwrap_err().kind(), ErrorKind::Source);
        assert_eq!(parquet(4, b"PAR1").unwrap_err().kind(), ErrorKind::Source);
        assert!(parquet(100, b"PARE").unwrap_err().to_string().contains("encrypted"));
    }
}
