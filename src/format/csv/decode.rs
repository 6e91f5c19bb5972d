//! The decoder of one piece: bytes to batches of text columns.
//!
//! Each wanted value is copied once, from the piece into the buffer of its column; the others are not touched.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use bytes::Bytes;

use super::dialect::{Dialect, NullMarks, Symbols};
use super::encoding::Encoding;
use super::offset;
use super::projection::{Feed, Projection};
use super::record::{Field, Group, Records, Site};
use super::text::TextColumn;
use super::utf16::Locator;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Decode, Step};
use crate::model::{Extent, Object, Origin, OriginText, RowFault, Rows};

/// Rows of a batch, unless set otherwise: enough to pay for a batch, few enough for its columns to stay in cache.
const ROWS_PER_BATCH: usize = 8192;

/// A batch ends after the group of records that brings it to this many bytes. A group is a run of the tape (64 KiB) or
/// a single longer record, so 32-bit offsets always hold.
const BATCH_BYTES: usize = 4 << 20;

/// Decodes one piece.
#[derive(Debug)]
pub struct CsvDecoder {
    site: Site,
    range: Range<u64>,
    first_record: u64,
    dialect: Arc<Dialect>,
    projection: Arc<Projection>,
    locator: Locator,
    symbols: Symbols,
    nulls: NullMarks,
    rows_per_batch: usize,
    /// Whether records that are no rows are passed over: the profile has noted them.
    passing_over: bool,
    /// Bytes that each text column had in the last batch, to begin the next one with.
    column_bytes: Vec<usize>,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// The bytes are not there yet.
    Waiting,
    /// Records are read, from the text of the piece.
    Reading(Bytes, Box<Records>),
    /// The piece is at its end, or failed.
    Over,
}

impl CsvDecoder {
    /// For the piece `extent` of `object`; `dialect` is the one that [`read_header`](super::read_header) found for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the extent is not a range of bytes.
    pub fn new(object: &Object, extent: Extent, dialect: Arc<Dialect>, projection: Arc<Projection>) -> Result<Self> {
        let Extent::Bytes { start, end, first_record } = extent else {
            let message = "a piece of delimited text is a range of bytes";
            return Err(Error::new(ErrorKind::Internal, message).at_object(&object.uri));
        };
        let utf16 = dialect.encoding.utf16();
        Ok(Self {
            // Positions in transcoded text become offsets of the object by the locator.
            site: Site { object: Arc::from(object.uri.as_str()), start: if utf16.is_some() { 0 } else { start } },
            locator: Locator::new(start, utf16),
            range: start..end,
            first_record,
            symbols: dialect.symbols(),
            nulls: NullMarks::new(&dialect),
            rows_per_batch: ROWS_PER_BATCH,
            passing_over: false,
            column_bytes: vec![0; projection.feeds().len()],
            progress: Progress::Waiting,
            dialect,
            projection,
        })
    }

    /// Sets the most rows of a batch, at least 1.
    #[must_use]
    pub fn with_rows_per_batch(mut self, rows: usize) -> Self {
        self.rows_per_batch = rows.max(1);
        self
    }

    /// Passes over records that are no rows, rather than failing at the first: [`profile`](super::profile()) has noted them.
    #[must_use]
    pub fn passing_over(mut self, passing: bool) -> Self {
        self.passing_over = passing;
        self
    }

    /// The next batch; `None` at the end of the piece.
    fn next_rows(&mut self, piece: &Bytes, records: &mut Records) -> Result<Option<Rows>> {
        let mut batch = Batch::new(self);
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.rows_per_batch && bytes < BATCH_BYTES {
            let group = records.next_group(piece, self.rows_per_batch - rows);
            let Some(group) = group.map_err(|error| self.relocated(error, piece))? else { break };
            batch.push(piece, &group);
            rows += group.len();
            bytes += group.bytes();
        }
        drop(records.take_misread());
        if rows == 0 {
            return Ok(None);
        }
        let (mut rows, column_bytes) = batch.finish(piece)?;
        if let Some(text) = rows.origin.text.as_mut().filter(|_| self.dialect.encoding.utf16().is_some()) {
            text.starts.clone_from(&rows.origin.bytes);
        }
        for start in rows.origin.bytes.iter_mut().flatten() {
            *start = self.locator.locate(piece, text_position(*start));
        }
        self.column_bytes = column_bytes;
        Ok(Some(rows))
    }
}

impl Decode for CsvDecoder {
    fn step(&mut self) -> Result<Step> {
        match std::mem::replace(&mut self.progress, Progress::Over) {
            Progress::Waiting if self.range.is_empty() => Ok(Step::Done),
            Progress::Waiting => {
                self.progress = Progress::Waiting;
                Ok(Step::Need(vec![self.range.clone()]))
            }
            Progress::Reading(piece, mut records) => {
                let Some(rows) = self.next_rows(&piece, &mut records)? else { return Ok(Step::Done) };
                self.progress = Progress::Reading(piece, records);
                Ok(Step::Rows(rows))
            }
            Progress::Over => Ok(Step::Done),
        }
    }

    fn supply(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<()> {
        let fits = ranges == [self.range.clone()]
            && matches!(&*data, [bytes] if offset(bytes.len()) == self.range.end - self.range.start)
            && matches!(self.progress, Progress::Waiting);
        match data.into_iter().next() {
            Some(piece) if fits => {
                let columns = Some(self.projection.columns());
                let piece = match self.dialect.encoding.utf16() {
                    Some(utf16) => Bytes::from(utf16.to_utf8(&piece)),
                    None => piece,
                };
                let records = Records::new(self.site.clone(), self.first_record, &self.dialect, columns);
                let records = records.passing_over(self.passing_over);
                self.progress = Progress::Reading(piece, Box::new(records));
                Ok(())
            }
            _ => Err(Error::new(ErrorKind::Internal, "the bytes supplied are not the bytes of the piece")
                .at_object(&*self.site.object)
                .at_byte(self.range.start)),
        }
    }
}

/// A batch in the making.
struct Batch<'a> {
    decoder: &'a CsvDecoder,
    first_record: u64,
    /// Where records were passed over, as [`Origin`] has it.
    gaps: Vec<(usize, u64)>,
    /// Number of the record after the last row.
    next_record: u64,
    /// A text column for each feed that is a field.
    columns: Vec<Option<TextColumn>>,
    /// Position in the text of the piece of each row.
    starts: Vec<u64>,
}

impl<'a> Batch<'a> {
    fn new(decoder: &'a CsvDecoder) -> Self {
        let feeds = decoder.projection.feeds().iter();
        let rows = decoder.rows_per_batch.min(ROWS_PER_BATCH);
        let columns = feeds.zip(&decoder.column_bytes).map(|(feed, bytes)| match feed {
            Feed::Field(_) => {
                let column = TextColumn::with_capacity(rows, bytes + bytes / 8);
                Some(column.with_legacy(decoder.dialect.encoding.legacy().cloned()))
            }
            Feed::Constant(_) => None,
        });
        Self {
            decoder,
            first_record: 0,
            gaps: Vec::new(),
            next_record: 0,
            columns: columns.collect(),
            starts: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, piece: &[u8], group: &Group<'_>) {
        match (self.starts.len(), group.first_record()) {
            (0, first) => self.first_record = first,
            (row, first) if first != self.next_record => self.gaps.push((row, first)),
            _ => {}
        }
        self.next_record = group.first_record() + offset(group.len());
        self.starts.extend(group.starts().map(offset));
        let decoder = self.decoder;
        let (nulls, symbols) = (&decoder.nulls, &decoder.symbols);
        for (feed, column) in decoder.projection.feeds().iter().zip(&mut self.columns) {
            let (Feed::Field(position), Some(column)) = (feed, column) else { continue };
            if *position >= group.columns() {
                (0..group.len()).for_each(|_| column.push_null());
            } else if symbols.trims {
                let trimmed = group.column(*position).map(|field| symbols.trimmed(piece, field));
                push_fields(column, piece, trimmed, nulls, symbols);
            } else {
                push_fields(column, piece, group.column(*position), nulls, symbols);
            }
        }
    }

    /// The rows, and how many bytes each column took.
    fn finish(self, piece: &Bytes) -> Result<(Rows, Vec<usize>)> {
        let rows = self.starts.len();
        let feeds = self.decoder.projection.feeds();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(feeds.len());
        let mut column_bytes = Vec::with_capacity(feeds.len());
        let mut faults = Vec::new();
        for (number, (feed, column)) in feeds.iter().zip(self.columns).enumerate() {
            column_bytes.push(column.as_ref().map_or(0, TextColumn::bytes));
            let array = match (feed, column) {
                (Feed::Field(position), Some(column)) => {
                    let (texts, invalid) = column.finish();
                    let fault = |row: usize| self.decoder.invalid_text(piece, self.starts[row], row, *position, number);
                    faults.extend(invalid.into_iter().map(fault));
                    texts
                }
                (Feed::Constant(Some(value)), _) => StringArray::from_iter_values(std::iter::repeat_n(value, rows)),
                _ => StringArray::new_null(rows),
            };
            arrays.push(Arc::new(array));
        }
        // Of several in a row the first column's is told.
        faults.sort_by_key(|fault| fault.row);
        faults.dedup_by_key(|fault| fault.row);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch =
            RecordBatch::try_new_with_options(Arc::clone(self.decoder.projection.schema()), arrays, &options)
                .map_err(|error| Error::new(ErrorKind::Internal, "columns do not make a batch").with_source(error))?;
        let origin = Origin {
            object: Arc::clone(&self.decoder.site.object),
            first_record: self.first_record,
            bytes: Some(self.starts),
            gaps: self.gaps,
            text: Some(OriginText { bytes: piece.clone(), start: self.decoder.range.start, starts: None }),
        };
        Ok((Rows { batch, origin, faults }, column_bytes))
    }
}

/// Adds one column's fields of a group: the hot loop of decoding.
fn push_fields(
    column: &mut TextColumn,
    piece: &[u8],
    fields: impl Iterator<Item = Field>,
    nulls: &NullMarks,
    symbols: &Symbols,
) {
    for field in fields {
        if field.quoted {
            column.push_quoted(piece, field, nulls, symbols);
        } else if nulls.holds(&piece[field.start..field.end]) {
            column.push_null();
        } else {
            column.push(piece, field.start..field.end);
        }
    }
}

impl CsvDecoder {
    /// The fault of row `row`, a record that stands at offset `start`, whose field `position`, feeding column `column`, is not
    /// UTF-8.
    fn invalid_text(&self, piece: &[u8], start: u64, row: usize, position: usize, column: usize) -> RowFault {
        let at = text_position(start);
        let site = Site { object: Arc::clone(&self.site.object), start };
        let mut records = Records::new(site, 1, &self.dialect, Some(self.projection.columns()));
        let field = match records.next_group(&piece[at..], 1) {
            Ok(Some(group)) => group.column(position).next(),
            _ => None,
        };
        let byte = field.map_or(0, |field| {
            let raw = &piece[at + field.start..at + field.end];
            field.start + self.dialect.encoding.decode(raw).err().unwrap_or(0)
        });
        RowFault {
            row,
            column,
            reason: format!("invalid byte sequence for {}", self.dialect.encoding.name()),
            byte: Some(self.locator.clone().locate(piece, at + byte)),
            sqlstate: Some("22021"),
        }
    }

    /// An error whose byte is a position in transcoded text, as one of the object.
    fn relocated(&self, error: Error, piece: &[u8]) -> Error {
        match self.dialect.encoding.utf16() {
            Some(_) => Encoding::relocated(error, self.range.start, piece),
            None => error,
        }
    }
}

/// The record that `text` begins with, without its line end; all of `text` where that cannot be told.
#[must_use]
pub fn first_record<'a>(text: &'a [u8], dialect: &Dialect, columns: usize) -> &'a [u8] {
    let site = Site { object: Arc::from(""), start: 0 };
    let mut records = Records::new(site, 1, dialect, Some(columns));
    match records.next_group(text, 1) {
        Ok(Some(_)) => &text[records.line(text)],
        _ => text,
    }
}

/// A position in the text of a piece, which was one before.
fn text_position(at: u64) -> usize {
    usize::try_from(at).expect("the record stands in the piece")
}
