//! Records: the lines of a piece that are rows, checked, as groups that decoding and profiling walk column by column.
//!
//! This is the one place that decides what is a record and what is wrong with one; no byte is copied here.

use std::cmp::Ordering;
use std::sync::Arc;

use memchr::memchr;

use super::dialect::{Dialect, Symbols};
use super::header::BYTE_ORDER_MARK;
use super::offset;
use super::survey::State;
use super::tape::Tape;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Mended, Ragged, RepeatedHeader};

/// Where a piece stands, for errors.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// URI of the object; empty where only the caller knows it.
    pub(super) object: Arc<str>,
    /// Offset of the piece in the object.
    pub(super) start: u64,
}

/// Reads the records of one piece. The piece itself is passed to each call, so that its owner can be anyone.
#[derive(Debug)]
pub(super) struct Records {
    site: Site,
    symbols: Symbols,
    tape: Tape,
    /// How many fields a record has; `None` takes any number, and then each record is a group of its own.
    columns: Option<usize>,
    record_bytes_max: usize,
    ragged: Ragged,
    /// The header, where records that repeat it are skipped.
    header: Option<Arc<[u8]>>,
    mended: Mended,
    rows: Vec<Row>,
    /// How many fields of each of the rows count.
    fields: usize,
    /// Lines and marks of the tape that are done with.
    lines_done: usize,
    marks_done: usize,
    /// Where the next line starts in the piece.
    at: usize,
    /// Where the last one started.
    line_start: usize,
    /// Number of the next record; 0 for a header.
    record: u64,
    /// Records that cannot be read and were passed over; `None` where the first of them is an error.
    misread: Option<Vec<Misread>>,
}

/// A record that cannot be read as a row.
#[derive(Debug)]
pub(super) struct Misread {
    /// Where it stands in the piece, its line end not included.
    pub(super) range: std::ops::Range<usize>,
    /// What is wrong with it, with its place.
    pub(super) error: Error,
}

/// A record of a group.
#[derive(Debug, Clone, Copy)]
struct Row {
    start: usize,
    /// Position after its last field.
    end: usize,
    /// Number on the tape of its first field's mark.
    mark: usize,
}

/// Some consecutive records with the same number of fields each.
pub(super) struct Group<'a> {
    tape: &'a Tape,
    rows: &'a [Row],
    columns: usize,
    delimiter_bytes: usize,
    first_record: u64,
}

/// A field as it stands in the piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it holds a quote.
    pub(super) quoted: bool,
}

impl Records {
    pub(super) fn new(site: Site, first_record: u64, dialect: &Dialect, columns: Option<usize>) -> Self {
        let symbols = dialect.symbols();
        Self {
            site,
            symbols,
            tape: Tape::new(symbols),
            columns,
            record_bytes_max: usize::try_from(dialect.record_bytes_max).unwrap_or(usize::MAX),
            ragged: dialect.ragged,
            header: dialect.header.clone().filter(|_| dialect.repeated_header == RepeatedHeader::Skip),
            mended: Mended::default(),
            fields: 0,
            rows: Vec::new(),
            lines_done: 0,
            marks_done: 0,
            at: 0,
            line_start: 0,
            record: first_record,
            misread: None,
        }
    }

    /// Passes over records that are no rows, and keeps them to be taken; what may be the rest of the piece, an unclosed quote
    /// or a record beyond the limit, stays an error.
    pub(super) fn passing_over(mut self, passing: bool) -> Self {
        self.misread = passing.then(Vec::new);
        self
    }

    /// The records that were passed over since this was last asked.
    pub(super) fn take_misread(&mut self) -> Vec<Misread> {
        self.misread.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What was mended so far in records as such; fields are not looked into.
    pub(super) fn mended(&self) -> Mended {
        self.mended
    }

    /// The next records, at most `rows_max`; `None` at the end of the piece.
    pub(super) fn next_group(&mut self, piece: &[u8], rows_max: usize) -> Result<Option<Group<'_>>> {
        self.rows.clear();
        let rows_max = if self.columns.is_some() { rows_max } else { 1 };
        loop {
            while self.lines_done < self.tape.lines().len() && self.rows.len() < rows_max && self.next_line_fits() {
                let first_record = self.record;
                let Err(error) = self.take_line(piece) else { continue };
                self.pass_over(piece, error)?;
                if !self.rows.is_empty() {
                    // A group is of consecutive records.
                    return Ok(Some(self.group(first_record)));
                }
            }
            if !self.rows.is_empty() {
                return Ok(Some(self.group(self.record)));
            }
            if self.at >= piece.len() {
                return Ok(None);
            }
            self.refill(piece)?;
        }
    }

    /// Whether the next line has as many fields as the rows of the group, which all have the same number.
    fn next_line_fits(&self) -> bool {
        let mends = self.ragged.pad || self.ragged.trim;
        if !mends || self.rows.is_empty() {
            return true;
        }
        let fields = self.tape.lines()[self.lines_done] - self.marks_done;
        self.columns.map_or(fields, |columns| columns.min(fields)) == self.fields
    }

    /// The rows taken, which are not none and end before record `end`.
    fn group(&self, end: u64) -> Group<'_> {
        Group {
            tape: &self.tape,
            rows: &self.rows,
            columns: self.fields,
            delimiter_bytes: self.symbols.delimiter.as_bytes().len(),
            first_record: end - offset(self.rows.len()),
        }
    }

    /// Goes on past the line that was taken last, which is a record but no row.
    fn pass_over(&mut self, piece: &[u8], error: Error) -> Result<()> {
        if self.misread.is_none() || error.kind() != ErrorKind::Data {
            return Err(error);
        }
        let misread = Misread { range: self.line(piece), error };
        self.misread.get_or_insert_default().push(misread);
        self.record += 1;
        Ok(())
    }

    /// Where the line that was taken last stands in the piece, its end not included.
    pub(super) fn line(&self, piece: &[u8]) -> std::ops::Range<usize> {
        let end = (self.at - 1).min(piece.len());
        let in_pair = self.symbols.stray == b'\r' && end < piece.len() && piece[self.line_start..end].ends_with(b"\r");
        self.line_start..end - usize::from(in_pair)
    }

    /// Puts at least one complete line on the tape.
    fn refill(&mut self, piece: &[u8]) -> Result<()> {
        self.tape.forget(self.marks_done, self.at);
        (self.lines_done, self.marks_done) = (0, 0);
        while self.tape.lines().is_empty() {
            if self.tape.scanned() - self.at > self.record_bytes_max {
                return Err(self.too_long());
            }
            if self.tape.scanned() < piece.len() {
                self.tape.extend(piece);
            } else if self.tape.ends_inside() {
                return Err(self.never_closed(piece));
            } else {
                self.tape.close();
            }
        }
        if self.tape.scanned() == piece.len() && !self.tape.ends_inside() {
            self.tape.close();
        }
        Ok(())
    }

    /// Moves on by one line; makes a row of it if it is a record.
    fn take_line(&mut self, piece: &[u8]) -> Result<()> {
        let (start, mark) = (self.at, self.marks_done);
        self.line_start = start;
        self.marks_done = self.tape.lines()[self.lines_done];
        self.lines_done += 1;
        let last = self.tape.mark(self.marks_done - 1);
        self.at = last.end + 1;
        if self.symbols.comment.is_some() && self.symbols.comment == piece.get(start).copied() {
            return self.check_comment(start, last.end);
        }
        let stray_seen = self.tape.stray_seen();
        let end = if stray_seen { self.before_pair(piece, start, last.end) } else { last.end };
        let fields = self.marks_done - mark;
        if fields == 1 && self.columns != Some(1) && self.symbols.trim(&piece[start..end]).is_empty() {
            return Ok(());
        }
        if self.repeats_header(&piece[start..end]) {
            self.mended.repeated_headers += 1;
            return Ok(());
        }
        // First of all, for where less is scanned at a time nothing else is known of such a record.
        if end - start > self.record_bytes_max {
            self.at = start;
            return Err(self.too_long());
        }
        if stray_seen {
            self.check_stray(piece, start, end)?;
        }
        let columns = self.columns.unwrap_or(fields);
        let end = match fields.cmp(&columns) {
            Ordering::Equal => end,
            Ordering::Less if self.ragged.pad => {
                self.mended.padded += 1;
                end
            }
            Ordering::Greater if self.ragged.trim => {
                self.mended.cut += 1;
                self.tape.mark(mark + columns - 1).end
            }
            Ordering::Less | Ordering::Greater => return Err(self.ragged(start, fields)),
        };
        self.fields = fields.min(columns);
        self.rows.push(Row { start, end, mark });
        self.record += 1;
        Ok(())
    }

    /// Whether `line` is the header once more, with its byte order mark or without.
    fn repeats_header(&self, line: &[u8]) -> bool {
        let Some(header) = &self.header else { return false };
        line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) == &**header
    }

    /// Refuses a comment that is longer than a record may be: it takes as much memory, and where an object is read in chunks
    /// no record is found in it for as long.
    fn check_comment(&mut self, start: usize, end: usize) -> Result<()> {
        if end - start <= self.record_bytes_max {
            return Ok(());
        }
        let message =
            format!("the comment is longer than {} bytes, which is the limit of records", self.record_bytes_max);
        Err(self.error(ErrorKind::Limit, message, start).with_hint("raise the limit: --record-bytes"))
    }

    /// Where the last field of the line `start..end` ends: before the `\r` of `\r\n`.
    fn before_pair(&self, piece: &[u8], start: usize, end: usize) -> usize {
        let stray = self.symbols.stray;
        let ends_in_pair = stray == b'\r' && end < piece.len() && end > start && piece[end - 1] == stray;
        end - usize::from(ends_in_pair)
    }

    /// Refuses an unquoted byte in the record `start..end` that ends lines elsewhere, as the server does.
    fn check_stray(&self, piece: &[u8], start: usize, end: usize) -> Result<()> {
        let (stray, line) = (self.symbols.stray, &piece[start..end]);
        let found = memchr(stray, line).and_then(|_| self.symbols.find_unquoted(stray, line));
        found.map_or(Ok(()), |at| Err(self.stray(start + at)))
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>, at: usize) -> Error {
        let mut error = Error::new(kind, message).at_byte(self.site.start + offset(at));
        if !self.site.object.is_empty() {
            error = error.at_object(&*self.site.object);
        }
        if self.record > 0 { error.at_record(self.record) } else { error }
    }

    fn too_long(&self) -> Error {
        let message = format!("the record is longer than {} bytes", self.record_bytes_max);
        self.error(ErrorKind::Limit, message, self.at).with_hint(
            "a quote that is never closed is the usual cause: `--quote none` reads each line by itself, \
             `--stray-quotes keep` takes quotes within fields as text; `--record-bytes` allows longer records",
        )
    }

    fn ragged(&self, start: usize, fields: usize) -> Error {
        let expected = self.columns.unwrap_or(fields);
        let plural = if fields == 1 { "" } else { "s" };
        let error =
            self.error(ErrorKind::Data, format!("the record has {fields} field{plural}, expected {expected}"), start);
        error.with_hint(match fields < expected {
            true => "`--ragged pad` fills short records up with nulls; another --delimiter may be the cause too",
            false => "`--ragged trim` leaves surplus fields out; a field that holds the delimiter must be quoted",
        })
    }

    fn stray(&self, at: usize) -> Error {
        let (stray, other) =
            if self.symbols.stray == b'\r' { ("carriage return", "newline") } else { ("newline", "carriage return") };
        let message = format!("unquoted {stray} in an object whose lines end with a {other}");
        self.error(ErrorKind::Data, message, at).with_hint("quote the field if it is data")
    }

    fn never_closed(&self, piece: &[u8]) -> Error {
        let (mut at, mut state, mut opened) = (self.at, State::Start, self.at);
        while at < piece.len() {
            let (next, after) = self.symbols.step(piece, at, state);
            if matches!((state, after), (State::Outside | State::Field, State::Inside)) {
                // A doubled quote closes and opens at once: the field opened before it.
                let doubled =
                    state == State::Outside && self.symbols.escape.is_none() && at > self.at && at + 1 == next;
                opened = if doubled { opened } else { next - 1 };
            }
            (at, state) = (next, after);
        }
        self.error(ErrorKind::Data, "the quote that opens here is never closed", opened).with_hint(
            "`--stray-quotes keep` takes quotes within fields as text; `--quote none` takes all quotes so; no \
                 --max-rejects sets it aside, for what it takes with it cannot be told",
        )
    }
}

impl Symbols {
    /// Position of the first `byte` outside quotes in `line`.
    fn find_unquoted(&self, byte: u8, line: &[u8]) -> Option<usize> {
        let (mut at, mut state) = (0, self.first_field());
        while at < line.len() {
            let (next, after) = self.step(line, at, state);
            if state == State::Outside
                && let Some(found) = memchr(byte, &line[at..next])
            {
                return Some(at + found);
            }
            (at, state) = (next, after);
        }
        None
    }
}

impl Group<'_> {
    /// How many records there are; never none.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Number of the first record.
    pub(super) fn first_record(&self) -> u64 {
        self.first_record
    }

    /// Where record `row` of the group starts in the piece.
    pub(super) fn start(&self, row: usize) -> usize {
        self.rows[row].start
    }

    /// Position in the piece of each record's first byte.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(|row| row.start)
    }

    /// How many fields each record has; fewer than there are columns where such records are filled up with nulls.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes from the start of the first record to the end of the last one.
    pub(super) fn bytes(&self) -> usize {
        match self.rows {
            [first, .., last] => last.end - first.start,
            [only] => only.end - only.start,
            [] => 0,
        }
    }

    /// The field of each record in the same column, which all of them have.
    #[inline]
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = Field> {
        let is_last = self.columns == column + 1;
        self.rows.iter().map(move |row| {
            let mark = self.tape.mark(row.mark + column);
            let start = match column {
                0 => row.start,
                _ => self.tape.mark(row.mark + column - 1).end + self.delimiter_bytes,
            };
            Field { start, end: if is_last { row.end } else { mark.end }, quoted: mark.quoted }
        })
    }
}
