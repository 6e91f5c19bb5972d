//! Reads an object's metadata from its end, without I/O: says which bytes it needs and is handed them.

use std::ops::Range;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use super::canonical::canonical;
use super::guard::guarded;
use super::{Metadata, nesting};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Object;

/// How many last bytes are asked for at first: holds the whole footer of most files, so that one read does.
const TAIL_BYTES: u64 = 64 << 10;

/// The most bytes of metadata that are read, unless told otherwise. Metadata grows some ten times when it is decoded.
const METADATA_BYTES_MAX: u64 = 64 << 20;

/// The length of the metadata and the magic, at the very end.
const TRAILER_BYTES: u64 = 8;

/// What a [`Footer`] wants or has.
#[derive(Debug)]
pub enum FooterStep {
    /// These byte ranges of the object, by [`Footer::supply`], before the next step.
    Need(Vec<Range<u64>>),
    /// The metadata; the footer is done.
    Ready(Metadata),
}

/// Reads the metadata of one Parquet object.
#[derive(Debug)]
pub struct Footer {
    object: Object,
    metadata_bytes_max: u64,
    progress: Progress,
}

/// How much of the object has been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Nothing,
    /// The end, which says that the metadata stands here.
    Tail(Range<u64>),
    /// The metadata.
    Metadata(Bytes),
}

impl Footer {
    /// A reader for the metadata of `object`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] if the object is too small to be a Parquet file.
    pub fn try_new(object: &Object) -> Result<Self> {
        if object.bytes < TRAILER_BYTES {
            return Err(Error::new(ErrorKind::Source, "is too small to be a Parquet file").at_object(&object.uri));
        }
        Ok(Self { object: object.clone(), metadata_bytes_max: METADATA_BYTES_MAX, progress: Progress::Nothing })
    }

    /// Refuses metadata of more than `bytes` bytes; 64 MiB unless told otherwise.
    #[must_use]
    pub fn with_metadata_bytes_max(mut self, bytes: u64) -> Self {
        self.metadata_bytes_max = bytes;
        self
    }

    /// Goes one step on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] if the metadata is corrupt or encrypted, [`ErrorKind::Limit`] if there is too much of it,
    /// [`ErrorKind::Schema`] if two columns have one name; all name the object.
    pub fn step(&mut self) -> Result<FooterStep> {
        self.try_step().map_err(|error| error.at_object(&self.object.uri))
    }

    fn try_step(&mut self) -> Result<FooterStep> {
        match &self.progress {
            Progress::Nothing => {
                let tail = self.object.bytes.saturating_sub(TAIL_BYTES)..self.object.bytes;
                Ok(FooterStep::Need(vec![tail]))
            }
            Progress::Tail(metadata) => Ok(FooterStep::Need(vec![metadata.clone()])),
            Progress::Metadata(bytes) => self.read(bytes).map(FooterStep::Ready),
        }
    }

    /// Reads the metadata once its nesting and its form were checked: the decoder believes both.
    fn read(&self, bytes: &[u8]) -> Result<Metadata> {
        nesting::check(bytes)?;
        let footer = canonical(bytes)?;
        let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(&footer.bytes)).map_err(corrupt)?;
        Metadata::try_new(metadata, &self.object, &footer.encrypted)
    }

    /// Hands over the bytes asked for by the last [`FooterStep::Need`], a buffer for each range.
    ///
    /// # Errors
    ///
    /// If the bytes are not what was asked for, or say that the metadata cannot be read.
    #[expect(clippy::needless_pass_by_value, reason = "called as `Decode::supply` is")]
    pub fn supply(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<()> {
        self.look(&ranges, &data).map_err(|error| error.at_object(&self.object.uri))
    }

    fn look(&mut self, ranges: &[Range<u64>], data: &[Bytes]) -> Result<()> {
        let ([range], [bytes]) = (ranges, data) else { return Err(wrong_bytes()) };
        if range.end.checked_sub(range.start) != Some(bytes.len() as u64) {
            return Err(wrong_bytes()); // usize has at most 64 bits
        }
        if self.progress == Progress::Nothing {
            self.progress = Progress::Tail(self.check_trailer(bytes)?);
        }
        let Progress::Tail(metadata) = &self.progress else { return Err(wrong_bytes()) };
        if range.start <= metadata.start && metadata.end <= range.end {
            let at = |offset: u64| usize::try_from(offset - range.start).expect("it is within bytes that are there");
            self.progress = Progress::Metadata(bytes.slice(at(metadata.start)..at(metadata.end)));
        }
        Ok(())
    }

    /// Judges the last eight bytes, for errors that say more than the decoder's; gives where the metadata stands.
    fn check_trailer(&self, tail: &[u8]) -> Result<Range<u64>> {
        let Some((length, magic)) = tail.last_chunk::<8>().and_then(|trailer| trailer.split_first_chunk::<4>()) else {
            return Err(Error::new(ErrorKind::Source, "is too small to be a Parquet file"));
        };
        if magic == b"PARE" {
            return Err(Error::new(ErrorKind::Source, "is encrypted, and encrypted Parquet files are not read")
                .with_hint("write it without encryption"));
        }
        if magic != b"PAR1" {
            return Err(Error::new(
                ErrorKind::Source,
                "does not end like a Parquet file: it is cut off or was never one",
            ));
        }
        let length = u64::from(u32::from_le_bytes(*length));
        if length > self.object.bytes - TRAILER_BYTES {
            return Err(Error::new(ErrorKind::Source, format!("says that it has {length} bytes of metadata: corrupt")));
        }
        if length > self.metadata_bytes_max {
            let message = format!("has {length} bytes of metadata, and at most {} are read", self.metadata_bytes_max);
            return Err(Error::new(ErrorKind::Limit, message).with_hint("write fewer, larger row groups"));
        }
        let end = self.object.bytes - TRAILER_BYTES;
        Ok(end - length..end)
    }
}

fn wrong_bytes() -> Error {
    Error::new(ErrorKind::Internal, "wrong bytes were supplied")
}

fn corrupt(error: ParquetError) -> Error {
    Error::new(ErrorKind::Source, "the Parquet metadata cannot be read").with_source(error)
}
