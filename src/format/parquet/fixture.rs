//! Small Parquet files in memory, and the driver that an engine would be, for the tests.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::error::Result;
use crate::format::{Decode, Step};
use crate::model::{Extent, Format, Object, Rows};

/// A Parquet file in memory.
pub(super) struct File {
    pub(super) object: Object,
    pub(super) bytes: Bytes,
}

impl File {
    pub(super) fn of_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let object = Object {
            uri: "/data/test.parquet".to_owned(),
            bytes: bytes.len() as u64,
            version: "1".to_owned(),
            format: Format::Parquet,
            path_columns: Vec::new(),
            file: None,
        };
        Self { object, bytes }
    }

    /// What the Arrow writer makes of `columns`, with row groups of at most `rows` rows.
    pub(super) fn of_columns(columns: Vec<(&str, ArrayRef)>, rows: usize) -> Self {
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows)).build();
        Self::with_properties(&RecordBatch::try_from_iter_with_nullable(nullable(columns)).unwrap(), properties)
    }

    pub(super) fn with_properties(batch: &RecordBatch, properties: WriterProperties) -> Self {
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        Self::of_bytes(writer.into_inner().unwrap())
    }

    /// A file of one row group with the schema in `message`; `write` fills its columns in their order.
    pub(super) fn of_message(message: &str, write: impl Fn(usize, &mut dyn FnMut(Raw<'_>))) -> Self {
        Self::of_message_with(message, WriterProperties::default(), write)
    }

    pub(super) fn of_message_with(
        message: &str,
        properties: WriterProperties,
        write: impl Fn(usize, &mut dyn FnMut(Raw<'_>)),
    ) -> Self {
        let schema = Arc::new(parse_message_type(message).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        let mut row_group = writer.next_row_group().unwrap();
        let mut index = 0;
        while let Some(mut column) = row_group.next_column().unwrap() {
            write(index, &mut |raw| {
                match raw {
                    Raw::Int32(values) => column.typed::<Int32Type>().write_batch(values, None, None),
                    Raw::Int64(values) => column.typed::<Int64Type>().write_batch(values, None, None),
                    Raw::Bytes(values) => {
                        let values: Vec<ByteArray> = values.iter().map(|value| value.to_vec().into()).collect();
                        column.typed::<ByteArrayType>().write_batch(&values, None, None)
                    }
                    Raw::Fixed(values) => {
                        let values: Vec<FixedLenByteArray> =
                            values.iter().map(|value| ByteArray::from(value.to_vec()).into()).collect();
                        column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None)
                    }
                    Raw::Levels(values, definitions, repetitions) => {
                        column.typed::<Int32Type>().write_batch(values, Some(definitions), Some(repetitions))
                    }
                    Raw::Int96(values, levels) => column.typed::<Int96Type>().write_batch(values, levels, None),
                }
                .unwrap();
            });
            column.close().unwrap();
            index += 1;
        }
        row_group.close().unwrap();
        Self::of_bytes(writer.into_inner().unwrap())
    }

    pub(super) fn read(&self, ranges: &[Range<u64>]) -> Vec<Bytes> {
        let position = |offset| usize::try_from(offset).unwrap();
        ranges.iter().map(|range| self.bytes.slice(position(range.start)..position(range.end))).collect()
    }

    pub(super) fn metadata(&self) -> Result<Metadata> {
        self.drive(Footer::try_new(&self.object)?)
    }

    pub(super) fn drive(&self, mut footer: Footer) -> Result<Metadata> {
        loop {
            match footer.step()? {
                FooterStep::Ready(metadata) => return Ok(metadata),
                FooterStep::Need(ranges) => {
                    let data = self.read(&ranges);
                    footer.supply(ranges, data)?;
                }
            }
        }
    }

    /// All rows of the wanted columns, in batches of at most `rows_per_batch`.
    pub(super) fn decode(&self, projection: &Projection, rows_per_batch: usize) -> Result<Vec<Rows>> {
        let metadata = self.metadata()?;
        let count = u32::try_from(metadata.row_group_count()).unwrap();
        let extent = Extent::RowGroups { first: 0, count, first_record: 1 };
        self.run(ParquetDecoder::try_new(&self.object, &metadata, extent, projection, rows_per_batch)?)
    }

    pub(super) fn run(&self, mut decoder: ParquetDecoder) -> Result<Vec<Rows>> {
        let mut all = Vec::new();
        loop {
            match decoder.step()? {
                Step::Rows(rows) => all.push(rows),
                Step::Done => return Ok(all),
                Step::Need(ranges) => {
                    let data = self.read(&ranges);
                    decoder.supply(ranges, data)?;
                }
            }
        }
    }
}

/// Values for a column that the Arrow writer would not write.
pub(super) enum Raw<'a> {
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Bytes(&'a [&'a [u8]]),
    Fixed(&'a [&'a [u8]]),
    /// Values in lists, with their definition and repetition levels.
    Levels(&'a [i32], &'a [i16], &'a [i16]),
    /// Values, and a 1 or (for null) a 0 for each row.
    Int96(&'a [<Int96Type as DataType>::T], Option<&'a [i16]>),
}

pub(super) fn nullable(columns: Vec<(&str, ArrayRef)>) -> Vec<(&str, ArrayRef, bool)> {
    columns.into_iter().map(|(name, array)| (name, array, true)).collect()
}
