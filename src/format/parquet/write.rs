//! A batch as the bytes of a small Parquet file, for samples and tests: the only writing that this module knows.

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, ErrorKind, Result};

/// Rows of a row group: several in a file of some size, as files in the wild have.
const ROW_GROUP_ROWS: usize = 65_536;

/// The bytes of a Parquet file that holds `batch`.
///
/// # Errors
///
/// [`ErrorKind::Source`] if a column's type has no form in Parquet.
pub fn file_of(batch: &RecordBatch) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let mut bytes = Vec::new();
    let written = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).and_then(|mut writer| {
        writer.write(batch)?;
        writer.close()
    });
    written.map(|_| bytes).map_err(|error| Error::new(ErrorKind::Source, "write a Parquet file").with_source(error))
}
