//! Delimited text: header, survey, profile and decoder agree with each other, wherever the object is cut.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use pgbackfill::format::csv::{
    CsvDecoder, Delimiter, Dialect, Feed as Column, ProfileContext, Projection, Seams, profile, read_header, renumber,
    survey,
};
use pgbackfill::format::{Decode, Step};
use pgbackfill::model::{Extent, Format, Object};
use pgbackfill::{Error, ErrorKind, Result};

use super::Feed;

/// A record: its offset and its values.
type Record = (u64, Vec<Option<String>>);

/// Where and how a reading failed.
#[derive(Debug, PartialEq)]
struct Failure {
    kind: ErrorKind,
    byte: Option<u64>,
    record: Option<u64>,
    /// A field that is not UTF-8 is found when its batch is done, after the structure of the records behind it.
    is_text: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        assert!(error.kind() != ErrorKind::Internal, "{error}");
        let (kind, place) = (error.kind(), error.place());
        Self { kind, byte: place.byte, record: place.record, is_text: is_text(&error) }
    }
}

fn is_text(error: &Error) -> bool {
    error.to_string().contains("UTF-8")
}

/// Bytes that choose the dialect and the length of chunks, then the object.
pub(crate) fn check(data: &[u8]) {
    let mut feed = Feed(data);
    let Some(dialect) = dialect(&mut feed) else { return };
    let chunk_bytes = usize::from(feed.byte()) + 1;
    let bytes = feed.0;
    let header = match read_header(bytes, true, &dialect) {
        Ok(header) => header.expect("the head is whole"),
        Err(error) => return assert!(error.kind() != ErrorKind::Internal, "{error}"),
    };
    // Of fewer bytes the header is the same, or not known yet.
    let head = &bytes[..chunk_bytes.min(bytes.len())];
    if let Ok(Some(early)) = read_header(head, false, &dialect) {
        assert_eq!(early, header, "the header of the first {chunk_bytes} bytes");
    }
    if header.columns == 0 || header.columns > 1_000 {
        return;
    }
    let object = Read { bytes, body: header.body, dialect: header.dialect, columns: header.columns };
    let whole = object.records(usize::MAX);
    let pieces = object.records(chunk_bytes);
    match (&whole.1, &pieces.1) {
        // A chunk in which no record starts is too long sooner than the record itself.
        (Some(_), Some(Failure { kind: ErrorKind::Limit, record: None, .. })) => {}
        (Some(one), Some(two)) if one.is_text || two.is_text => {}
        (one, two) => assert_eq!(one, two, "chunks of {chunk_bytes} bytes"),
    }
    let common = whole.0.len().min(pieces.0.len());
    assert_eq!(whole.0[..common], pieces.0[..common], "chunks of {chunk_bytes} bytes");
    if whole.1.is_none() {
        assert_eq!(whole.0.len(), pieces.0.len(), "chunks of {chunk_bytes} bytes");
    }
}

fn dialect(feed: &mut Feed<'_>) -> Option<Dialect> {
    let (symbols, extras) = (feed.byte(), feed.byte());
    let long: [&[u8]; 8] = [b"", b"||", b",,", b"ab", b"::,", b"12345678", b"\xc2\xa7", b", "];
    let delimiter = match long[usize::from(extras >> 5)] {
        b"" => [&b","[..], b";", b"\t", b"|"][usize::from(symbols % 4)],
        long => long,
    };
    let choice = |shift: u8, count: u8| usize::from(symbols >> shift) % usize::from(count);
    let dialect = Dialect {
        delimiter: Delimiter::try_new(delimiter).ok()?,
        quote: [Some(b'"'), Some(b'\''), None, Some(b'"')][choice(2, 4)],
        escape: [None, Some(b'\\'), Some(b'"'), None][choice(4, 4)],
        comment: [None, Some(b'#')][choice(6, 2)],
        quoted_empty_is_null: extras & 2 == 0,
        has_header: extras & 1 == 0,
        null_marks: if extras & 2 == 0 { vec![Vec::new()] } else { vec![Vec::new(), b"NA".to_vec()] },
        skip_lines: u64::from(extras >> 2 & 3),
        record_bytes_max: if extras & 16 == 0 { 1 << 20 } else { 32 },
        ..Dialect::default()
    };
    dialect.validate().is_ok().then_some(dialect)
}

struct Read<'a> {
    bytes: &'a [u8],
    body: u64,
    dialect: Arc<Dialect>,
    columns: usize,
}

impl Read<'_> {
    /// All records up to the first fault, by pieces that are found in chunks of `chunk_bytes`.
    fn records(&self, chunk_bytes: usize) -> (Vec<Record>, Option<Failure>) {
        let mut records = Vec::new();
        let outcome = self.read(chunk_bytes, &mut records);
        (records, outcome.err().map(Failure::from))
    }

    fn read(&self, chunk_bytes: usize, records: &mut Vec<Record>) -> Result<()> {
        let mut end = self.body;
        for range in self.pieces(chunk_bytes)? {
            assert_eq!(range.start, end, "pieces lie side by side");
            assert!(range.end > range.start, "no piece is empty");
            end = range.end;
            let first_record = records.len() as u64 + 1; // usize has at most 64 bits
            let context = ProfileContext {
                object: "a.csv",
                dialect: &self.dialect,
                columns: self.columns,
                key: None,
                range: (None, None),
                rejects: None,
            };
            let profiled =
                profile(&self.slice(&range), range.start, 1, &context).map_err(|error| renumber(error, first_record));
            let before = records.len();
            let decoded = self.decode(&range, first_record, records);
            match (profiled, decoded) {
                (Ok(found), Ok(())) => assert_eq!(found.rows, (records.len() - before) as u64), // as above
                // What is in the fields is the decoder's to judge.
                (Ok(_), Err(error)) => {
                    assert!(is_text(&error), "the profile passed over: {error}");
                    return Err(error);
                }
                (Err(error), Ok(())) => panic!("the decoder passed over: {error}"),
                (Err(profiled), Err(decoded)) => {
                    let places = (profiled.place().byte, decoded.place().byte);
                    assert!(is_text(&decoded) || places.0 == places.1, "profile: {profiled}; decoder: {decoded}");
                    return Err(decoded);
                }
            }
        }
        assert_eq!(end, self.bytes.len() as u64, "pieces reach to the end"); // usize has at most 64 bits
        Ok(())
    }

    fn pieces(&self, chunk_bytes: usize) -> Result<Vec<Range<u64>>> {
        let mut seams = Seams::new(self.body, &self.dialect);
        let mut pieces = Vec::new();
        for chunk in self.slice(&(self.body..self.bytes.len() as u64)).chunks(chunk_bytes) {
            pieces.extend(seams.push(&survey(chunk, &self.dialect))?);
        }
        pieces.extend(seams.finish());
        Ok(pieces)
    }

    fn decode(&self, range: &Range<u64>, first_record: u64, records: &mut Vec<Record>) -> Result<()> {
        let object = Object {
            uri: "a.csv".to_owned(),
            bytes: self.bytes.len() as u64, // usize has at most 64 bits
            version: String::new(),
            format: Format::Csv,
            path_columns: Vec::new(),
            file: None,
        };
        let columns = (0..self.columns).map(|at| (format!("c{at}"), Column::Field(at))).collect();
        let projection = Arc::new(Projection::try_new(self.columns, columns)?);
        let extent = Extent::Bytes { start: range.start, end: range.end, first_record };
        let mut decoder =
            CsvDecoder::new(&object, extent, Arc::clone(&self.dialect), projection)?.with_rows_per_batch(5);
        loop {
            match decoder.step()? {
                Step::Need(ranges) => {
                    let data = ranges.iter().map(|range| self.slice(range)).collect();
                    decoder.supply(ranges, data)?;
                }
                Step::Rows(rows) => {
                    if let Some(fault) = rows.faults.first() {
                        let error = Error::new(ErrorKind::Data, &fault.reason).at_record(rows.origin.record(fault.row));
                        return Err(error.at_byte(fault.byte.expect("a fault of text has an offset")));
                    }
                    for row in 0..rows.batch.num_rows() {
                        assert_eq!(rows.origin.record(row), records.len() as u64 + 1, "records are numbered in order");
                        let start = rows.origin.byte(row).expect("a record of text has an offset");
                        records.push((start, cells(&rows.batch, row)));
                    }
                }
                Step::Done => return Ok(()),
            }
        }
    }

    fn slice(&self, range: &Range<u64>) -> Bytes {
        let at = |offset| usize::try_from(offset).expect("the offset is in the object");
        Bytes::copy_from_slice(&self.bytes[at(range.start)..at(range.end)])
    }
}

fn cells(batch: &RecordBatch, row: usize) -> Vec<Option<String>> {
    let value = |column| {
        let texts = batch.column(column).as_string::<i32>();
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    (0..batch.num_columns()).map(value).collect()
}
