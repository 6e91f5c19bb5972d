//! Parquet: any bytes are rows or an error that names the object, within bounds of time and memory.

use std::ops::Range;

use bytes::Bytes;
use pgbackfill::format::parquet::{Footer, FooterStep, Metadata, ParquetDecoder, Projection, key_spans};
use pgbackfill::format::{Decode, Step};
use pgbackfill::model::{Extent, Format, KeyKind, Object};
use pgbackfill::schema::Reading;
use pgbackfill::{Error, ErrorKind, Result};

/// Batches after which a check has seen enough: a few bytes can stand for thousands of millions of nulls.
const BATCHES_MAX: usize = 64;

/// Columns that are looked at one by one.
const COLUMNS_MAX: usize = 32;

/// The bytes are the object.
pub(crate) fn check(data: &[u8]) {
    read(&Bytes::copy_from_slice(data));
}

/// Reads an object as far as it can be read; whether all that was looked at could be.
pub(crate) fn read(bytes: &Bytes) -> bool {
    let object = Object {
        uri: "/data/hostile.parquet".to_owned(),
        bytes: bytes.len() as u64, // usize has at most 64 bits
        version: "1".to_owned(),
        format: Format::Parquet,
        path_columns: Vec::new(),
        file: None,
    };
    let metadata = match metadata(&object, bytes) {
        Ok(metadata) => metadata,
        Err(error) => {
            judge(&error);
            return false;
        }
    };
    let names: Vec<String> = metadata.columns().into_iter().map(|(name, _)| name).take(COLUMNS_MAX).collect();
    let mut is_read = true;
    for name in &names {
        for kind in [KeyKind::TimestampTz, KeyKind::Date, KeyKind::Integer] {
            is_read &= judge_all(key_spans(&metadata, name, kind, &Reading::utc()));
        }
        is_read &= judge_all(decode(&object, &metadata, bytes, &Projection::of_columns([name])));
    }
    is_read & judge_all(decode(&object, &metadata, bytes, &Projection::of_columns(&names)))
}

fn judge_all<T>(outcome: Result<T>) -> bool {
    outcome.map_err(|error| judge(&error)).is_ok()
}

fn judge(error: &Error) {
    let kinds = [ErrorKind::Source, ErrorKind::Schema, ErrorKind::Limit, ErrorKind::Data];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    assert!(error.place().object.is_some(), "{error:?}");
}

fn metadata(object: &Object, bytes: &Bytes) -> Result<Metadata> {
    let mut footer = Footer::try_new(object)?;
    loop {
        match footer.step()? {
            FooterStep::Ready(metadata) => return Ok(metadata),
            FooterStep::Need(ranges) => {
                let data = slices(bytes, &ranges);
                footer.supply(ranges, data)?;
            }
        }
    }
}

fn decode(object: &Object, metadata: &Metadata, bytes: &Bytes, projection: &Projection) -> Result<()> {
    metadata.row_groups(projection)?;
    let count = u32::try_from(metadata.row_group_count()).unwrap_or(u32::MAX);
    for first in 0..count.min(8) {
        let extent = Extent::RowGroups { first, count: 1, first_record: 1 };
        let mut decoder = ParquetDecoder::try_new(object, metadata, extent, projection, 1024)?;
        for _ in 0..BATCHES_MAX {
            match decoder.step() {
                Ok(Step::Rows(_)) => {}
                Ok(Step::Done) => break,
                Ok(Step::Need(ranges)) => {
                    let data = slices(bytes, &ranges);
                    decoder.supply(ranges, data)?;
                }
                Err(error) => {
                    // The place may be known to the record; what is corrupt is told by its row group.
                    let names_group = error.kind() == ErrorKind::Data || error.to_string().contains("row group");
                    assert!(names_group, "{error:?}");
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

fn slices(bytes: &Bytes, ranges: &[Range<u64>]) -> Vec<Bytes> {
    let at = |offset| usize::try_from(offset).expect("only bytes of the object are asked for");
    ranges.iter().map(|range| bytes.slice(at(range.start)..at(range.end))).collect()
}
