//! What the rows of a structure say: where the header is and whether there is one, what follows the last row, which texts
//! are null, and what is wrong with some.

use super::super::encoding::Encoding;
use super::structure::{Structure, sep_line};
use super::times::Form;
use super::trial::{Quotes, Record, terminator};
use super::values::{Kind, Seen, is_special, kind};
use super::{Settled, Sniffed, SniffedColumn};
use crate::model::{Ragged, RepeatedHeader};
use crate::options::EmptyFields;

/// Records of the head that are looked at.
const RECORDS_MAX: usize = 20_000;

/// Records that the types of columns are judged by when the header is looked for.
const JUDGES_MAX: usize = 1000;

/// With fewer records than this share in the same shape, the structure is in doubt.
const SHARE_SURE: f64 = 0.8;

/// Lines that a footer may have.
const FOOTER_LINES_MAX: usize = 10;

/// Bytes of a line that are shown.
const SHOWN_BYTES: usize = 60;

/// Names that times are kept under.
const TIME_NAMES: [&str; 9] =
    ["ts", "time", "timestamp", "datetime", "date", "epoch", "created_at", "time_hour", "event_time"];

/// Describes the object whose head is `text`.
pub(super) fn describe(
    text: &[u8],
    tail: &[u8],
    whole: bool,
    structure: &Structure,
    (settled, encoding): (&Settled<'_>, &Encoding),
) -> Sniffed {
    let found = structure.trial.read(text, structure.start, whole, RECORDS_MAX);
    let is_complete = whole && !found.is_open && found.records.len() < RECORDS_MAX;
    let mut records = found.records;
    // An empty line is a record where there is one column, but never its header.
    let filled = records.iter().position(|record| !record.is_empty).unwrap_or(records.len());
    records.drain(..filled);
    records.retain(|record| !record.is_empty || structure.columns == 1);
    let mut rows = Rows { text, records: &records, structure, settled, encoding, sniffed: base(structure, settled) };
    if found.is_open {
        let note = "a quote is never closed: with --quote none each line is read by itself, with --stray-quotes keep \
                    quotes count around fields only";
        rows.note(note);
    }
    rows.describe(tail, is_complete);
    rows.sniffed
}

fn base(structure: &Structure, settled: &Settled<'_>) -> Sniffed {
    let trial = &structure.trial;
    let character = |byte: u8| char::from(byte);
    Sniffed {
        delimiter: String::from_utf8_lossy(&trial.delimiter).into_owned(),
        quote: trial.quote.map(character),
        escape: trial.escape.map(character),
        comment: trial.comment.map(character),
        has_header: settled.csv.columns.is_none(),
        null_marks: settled.csv.null_marks.clone(),
        keeps_stray_quotes: trial.keeps_stray_quotes,
        skip_lines: settled.csv.skip_lines,
        footer_lines: settled.csv.footer_lines,
        empty_as_null: settled.csv.empty_fields == EmptyFields::Null,
        ragged: settled.csv.ragged,
        trim: settled.csv.trim,
        repeated_header: settled.csv.repeated_header == RepeatedHeader::Skip,
        ..Sniffed::default()
    }
}

struct Rows<'a> {
    text: &'a [u8],
    records: &'a [Record],
    structure: &'a Structure,
    settled: &'a Settled<'a>,
    encoding: &'a Encoding,
    sniffed: Sniffed,
}

impl Rows<'_> {
    fn note(&mut self, note: impl Into<String>) {
        self.sniffed.notes.push(note.into());
    }

    fn describe(&mut self, tail: &[u8], is_complete: bool) {
        if self.records.is_empty() {
            self.note("there is no record");
            return;
        }
        self.note_doubt();
        let (header, first) = self.header();
        self.set_skip_lines(header.unwrap_or(first));
        let names = header.map(|at| &self.records[at]);
        let mut data: Vec<&Record> = self.records[first..].iter().collect();
        if let Some(header) = names {
            let same = |record: &Record| self.raw(record) == self.raw(header);
            let before = data.len();
            data.retain(|record| !same(record));
            self.sniffed.repeated_header |= data.len() < before && !self.settled.has("repeated-header");
        }
        let footer = if is_complete { self.footer(&data, self.text) } else { self.footer_of(tail, &data) };
        if footer.records > 0 && !self.settled.has("footer-lines") {
            self.sniffed.footer_lines = footer.lines;
            self.note(format!("the last lines look like a footer: {}", footer.shown));
        }
        let kept = if is_complete { data.len() - footer.records } else { data.len() };
        let data = &data[..kept];
        self.describe_columns(header, first, data);
        self.describe_shape(names, data);
    }

    /// Says what the structure leaves open.
    fn note_doubt(&mut self) {
        let (columns, share) = (self.structure.columns, self.structure.share);
        if columns == 1 && share < 1.0 {
            self.note(
                "no delimiter fits the lines: each is taken for one field; say what is between fields with --delimiter",
            );
        } else if share < SHARE_SURE {
            let percent = share * 100.0;
            self.note(format!(
                "only {percent:.0}% of the records have {columns} fields: look whether this is the right delimiter"
            ));
        }
    }

    fn raw(&self, record: &Record) -> &[u8] {
        let end = record.fields.last().map_or(record.start, |field| field.range.end);
        &self.text[record.start..end]
    }

    fn cell(&self, record: &Record, column: usize) -> Option<&[u8]> {
        record.fields.get(column).map(|field| field.text(self.text))
    }

    /// What is seen in each column of some records.
    fn seen<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Vec<Seen> {
        let mut seen: Vec<Seen> = (0..self.structure.columns).map(|_| Seen::default()).collect();
        for record in records {
            for (field, seen) in record.fields.iter().zip(&mut seen) {
                let text = field.text(self.text);
                seen.take(text, field.is_quoted());
            }
        }
        seen
    }

    /// Whether a record stands in the way of the types that others have: how many of its cells agree, and how many do not.
    fn agreement(&self, record: &Record, seen: &[Seen]) -> (usize, usize) {
        let (mut agree, mut differ) = (0, 0);
        for (column, kind_seen) in seen.iter().enumerate().filter_map(|(at, seen)| Some((at, seen.typed()?))) {
            match self.cell(record, column).filter(|cell| !is_special(cell)).map(kind) {
                None => {}
                Some(own) if own.join(kind_seen) == Kind::Text => differ += 1,
                Some(_) => agree += 1,
            }
        }
        (agree, differ)
    }

    /// The record that names the columns, if any, and the first that is data.
    fn header(&mut self) -> (Option<usize>, usize) {
        let records = self.records;
        let judged = |at: usize, header: usize| {
            let rest = &records[header + 1..];
            let is_other = |record: &&Record| self.raw(record) != self.raw(&records[header]);
            let seen = self.seen(rest.iter().take(judges(rest.len())).filter(is_other));
            self.agreement(&records[at], &seen)
        };
        let mut at = 0;
        if !self.settled.has("skip-lines") {
            let is_title = |at: usize, header: usize| judged(at, header).1 > 0;
            let is_header = |at: usize| {
                let (agree, differ) = judged(at, at);
                let is_name = |column| self.cell(&records[at], column).is_some_and(is_name);
                agree == 0 && differ > 0 && (at == 0 || (0..self.structure.columns).all(is_name))
            };
            let candidates = 1..records.len().saturating_sub(1).min(4);
            let later = candidates.rev().find(|later| is_header(*later) && (0..*later).all(|at| is_title(at, *later)));
            let is_first = is_header(0) && records[0].fields.iter().all(|field| is_name(field.text(self.text)));
            if let Some(later) = later.filter(|_| !is_first) {
                at = later;
            }
        }
        let (agree, differ) = judged(at, at);
        let below = if agree == 0 && differ > 0 { self.units(at + 1) } else { 0 };
        if let Some(columns) = &self.settled.csv.columns {
            let is_named = agree == 0 && differ > 0 && columns.len() == records[at].fields.len();
            return (None, if is_named && !self.settled.has("skip-lines") { at + 1 + below } else { at });
        }
        if agree > 0 && records.len() > 1 {
            self.sniffed.has_header = false;
            self.note("the first record looks like data: name the columns with --columns as the table does");
            return (None, at);
        }
        if below > 0 && !self.settled.has("skip-lines") {
            self.sniffed.has_header = false;
            self.note("the lines below the names are no data (units, or a rule): they are skipped with the names");
            return (None, at + 1 + below);
        }
        if differ == 0 && records.len() > 1 {
            self.note("all columns are text: the first record is taken for their names");
        }
        (Some(at), at + 1)
    }

    /// How many records from `at` on are units or a rule below the names: none of their cells is of its column's type.
    fn units(&self, at: usize) -> usize {
        let Some(rest) = self.records.get(at + 1..).filter(|rest| !rest.is_empty()) else { return 0 };
        let record = &self.records[at];
        if record.fields.len() != self.structure.columns || self.raw(record) == self.raw(&self.records[at - 1]) {
            return 0;
        }
        let is_line = |text: &[u8]| text.len() > 1 && text.iter().all(|byte| matches!(byte, b'-' | b'=' | b'_'));
        let is_rule = record.fields.iter().all(|field| is_line(field.text(self.text)));
        let (agree, differ) = self.agreement(record, &self.seen(rest.iter().take(judges(rest.len()))));
        usize::from(is_rule || agree == 0 && differ > 0)
    }

    fn set_skip_lines(&mut self, first: usize) {
        if self.settled.has("skip-lines") {
            return;
        }
        let start = self.records.get(first).map_or(self.text.len(), |record| record.start);
        let before = &self.text[..start];
        let terminator = terminator(self.text);
        let is_blank = |line: &[u8]| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.is_empty() || self.structure.trial.comment.is_some_and(|mark| line.first() == Some(&mark))
        };
        let mut lines = before.split(|byte| *byte == terminator);
        if before.is_empty() || lines.all(is_blank) {
            return;
        }
        self.sniffed.skip_lines = memchr::memchr_iter(terminator, before).count() as u64; // usize has at most 64 bits
        if sep_line(self.text).is_none() || self.sniffed.skip_lines > 1 {
            let shown = shown(before, self.encoding);
            self.note(format!("lines before the first record are skipped: {shown}"));
        }
    }

    fn footer(&self, data: &[&Record], text: &[u8]) -> Footer {
        let core = data.len() - (data.len() / 2).min(FOOTER_LINES_MAX);
        let seen = self.seen(data[..core].iter().copied());
        let is_off = |record: &&&Record| self.is_footer(record, &seen, text);
        let records = data.iter().skip(1).rev().take(FOOTER_LINES_MAX).take_while(is_off).count();
        Footer::of(&data[data.len() - records..], text, self.encoding)
    }

    /// A footer in the last bytes of a longer object, beside the records of its head.
    fn footer_of(&self, tail: &[u8], data: &[&Record]) -> Footer {
        let from = memchr::memchr(terminator(self.text), tail).map_or(tail.len(), |end| end + 1);
        let seen = self.seen(data.iter().copied());
        let found = self.structure.trial.read(tail, from, true, usize::MAX);
        let records: Vec<&Record> = found.records.iter().filter(|record| !record.is_empty).collect();
        let is_off = |record: &&&Record| self.is_footer(record, &seen, tail);
        let count = records.iter().rev().take(FOOTER_LINES_MAX).take_while(is_off).count();
        // A quote that opens before the tail turns everything around.
        if count == FOOTER_LINES_MAX || found.is_open {
            return Footer::default();
        }
        Footer::of(&records[records.len() - count..], tail, self.encoding)
    }

    /// Whether a record at the end is none: a label where a value should be, or one field alone that is text.
    fn is_footer(&self, record: &Record, seen: &[Seen], text: &[u8]) -> bool {
        let cell = |column: usize| record.fields.get(column).map_or(&b""[..], |field| field.text(text));
        let is_label = !is_special(cell(0)) && kind(cell(0)) == Kind::Text && seen.first().is_some_and(Seen::is_typed);
        let is_short = record.fields.len() < self.structure.columns;
        let is_alone = self.structure.columns > 1 && (1..self.structure.columns).all(|column| cell(column).is_empty());
        let others = seen.iter().skip(1).any(|seen| seen.values > 0 && !seen.has_null && seen.kind.is_some());
        let is_text = kind(cell(0)) == Kind::Text && !is_special(cell(0));
        self.structure.columns > 1
            && (is_label || (is_text && is_alone && others && (is_short || cell(0).contains(&b' '))))
    }

    fn describe_columns(&mut self, header: Option<usize>, first: usize, data: &[&Record]) {
        let seen = self.seen(data.iter().copied());
        let names = self.names(header, first);
        if !self.settled.has("null") {
            for mark in seen.iter().flat_map(Seen::nulls) {
                if !self.sniffed.null_marks.iter().any(|known| known == mark) {
                    self.sniffed.null_marks.push(mark.to_owned());
                }
            }
        }
        let settled_empty = self.settled.has("empty-as-null") || self.settled.has("empty-as-text");
        self.sniffed.empty_as_null |= !settled_empty && seen.iter().any(Seen::has_empty_nulls);
        for (name, seen) in names.iter().zip(&seen) {
            if seen.has_decimal_commas() {
                self.note(format!("column {name} has decimal commas, which only text holds: convert it in the table"));
            }
        }
        self.describe_times(&names, &seen);
        self.describe_names(&names);
        let column = |(name, seen): (String, &Seen)| SniffedColumn {
            name,
            holds: seen.kind.unwrap_or(Kind::Text).sql(),
            has_null: seen.has_null || seen.nulls().next().is_some(),
        };
        self.sniffed.columns = names.into_iter().zip(&seen).map(column).collect();
    }

    fn names(&self, header: Option<usize>, first: usize) -> Vec<String> {
        if let Some(columns) = &self.settled.csv.columns {
            return columns.clone();
        }
        let text = |bytes: &[u8]| self.encoding.decode_lossy(bytes).trim().replace("\"\"", "\"");
        // Names above units are still names.
        let above = (!self.sniffed.has_header && first >= 2).then(|| first - 2);
        match header.or(above) {
            Some(at) => self.records[at].fields.iter().map(|field| text(field.text(self.text))).collect(),
            None => (1..=self.structure.columns).map(|number| format!("c{number}")).collect(),
        }
    }

    fn describe_names(&mut self, names: &[String]) {
        let again = "name the columns yourself with --columns and --no-header, and skip the header with --skip-lines";
        if let Some(at) = names.iter().position(String::is_empty) {
            self.note(format!("column number {} has no name: {again}", at + 1));
        }
        let twice = names.iter().enumerate().find(|(at, name)| !name.is_empty() && names[..*at].contains(name));
        if let Some((_, name)) = twice {
            self.note(format!("two columns are called {name}: {again}"));
        }
    }

    fn describe_times(&mut self, names: &[String], seen: &[Seen]) {
        if self.settled.has("timestamp-format") {
            return;
        }
        let named = |name: &str| self.settled.time_column.is_some_and(|column| column.eq_ignore_ascii_case(name));
        let is_time = |name: &str| {
            named(name)
                || self.settled.time_column.is_none() && TIME_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        let forms: Vec<(&String, Form)> =
            names.iter().zip(seen).map(|(name, seen)| (name, seen.times.form(is_time(name)))).collect();
        let is_own_time = |seen: &Seen| matches!(seen.kind, Some(Kind::Date | Kind::Timestamp | Kind::TimestampTz));
        let has_own = seen.iter().zip(&forms).any(|(seen, (_, form))| *form == Form::Own && is_own_time(seen));
        let mut formats: Vec<(Option<String>, String)> = Vec::new();
        for (name, form) in forms {
            match form {
                Form::One(format) => {
                    self.note(format!("column {name} holds times as {format}"));
                    formats.push((Some(name.clone()), format));
                }
                Form::Either(one, other) => self.note(format!(
                    "column {name} holds times as {one} or as {other}: no day is past 12, so say which with --timestamp-format"
                )),
                Form::Own => {}
            }
        }
        // One format for all columns of times needs no name of the target's column.
        if !has_own && formats.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            formats.truncate(1);
            formats.iter_mut().for_each(|(column, _)| *column = None);
        }
        self.sniffed.timestamp_formats = formats;
    }

    /// What is wrong with the shape of records, and what serves them.
    fn describe_shape(&mut self, header: Option<&Record>, data: &[&Record]) {
        let columns = self.structure.columns;
        let short = data.iter().filter(|record| record.fields.len() < columns).count();
        let long: Vec<&&Record> = data.iter().filter(|record| record.fields.len() > columns).collect();
        let is_surplus_empty =
            |record: &&&Record| record.fields.iter().skip(columns).all(|field| field.range.is_empty());
        let all_empty = long.iter().all(is_surplus_empty);
        if !self.settled.has("ragged") && all_empty {
            self.sniffed.ragged = Ragged { pad: short > 0, trim: !long.is_empty() };
        }
        if self.sniffed.ragged.pad {
            self.note(format!("{short} records of the head have fewer fields than {columns}"));
        }
        if self.sniffed.ragged.trim {
            self.note(format!("records end with a delimiter that the {columns} columns do not have"));
        }
        if !all_empty {
            let example = shown(self.raw(long[0]), self.encoding);
            let count = long.len();
            self.note(format!("{count} records of the head have more fields than {columns}, the first is {example}"));
        }
        let is_blank_before = |field: &super::trial::Field| {
            let text = &self.text[field.range.clone()];
            let trimmed = text.trim_ascii();
            trimmed.len() < text.len()
                && field.quotes == Quotes::Stray
                && trimmed.first().copied() == self.structure.trial.quote
        };
        let is_padded = |field: &super::trial::Field| {
            let text = field.text(self.text);
            text.trim_ascii().len() < text.len()
        };
        let blanks = header.is_some_and(|header| header.fields.iter().any(is_padded))
            || data.iter().any(|record| record.fields.iter().any(is_blank_before));
        if blanks && !self.settled.has("trim") && columns > 1 {
            self.sniffed.trim = true;
            self.note("there are blanks around names or quotes, which COPY keeps");
        }
    }
}

/// Lines after the last row.
#[derive(Debug, Default)]
struct Footer {
    records: usize,
    lines: u64,
    shown: String,
}

impl Footer {
    fn of(records: &[&Record], text: &[u8], encoding: &Encoding) -> Self {
        let Some(first) = records.first() else { return Self::default() };
        let rest = &text[first.start..];
        let ends = memchr::memchr_iter(terminator(text), rest).count();
        let is_open = rest.last() != Some(&terminator(text));
        let lines = ends + usize::from(is_open);
        Self { records: records.len(), lines: lines as u64, shown: shown(rest, encoding) } // usize has at most 64 bits
    }
}

/// Of so many records those that judge the types of columns: a footer or a bad record must not hide them.
fn judges(records: usize) -> usize {
    (records - records / 2).min(JUDGES_MAX)
}

/// Whether a text is likely to be the name of a column.
fn is_name(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let begins = text.first().is_some_and(|first| !first.is_ascii_digit() && !matches!(first, b'+' | b'-'));
    begins && text.len() <= 63 && !text.contains(&b':')
}

/// The beginning of some bytes, fit to be printed.
fn shown(bytes: &[u8], encoding: &Encoding) -> String {
    let text = encoding.decode_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]);
    let more = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    format!("\"{}{more}\"", text.trim_end().escape_debug())
}
