//! The rules a byte at a time, written apart from the code that they check: the server's, and those of the options.

use super::{Cells, Failure, Record};
use crate::error::ErrorKind;
use crate::format::csv::dialect::Symbols;
use crate::format::csv::{Dialect, Header, offset};
use crate::model::{Mended, RepeatedHeader, StrayQuotes};

/// A line read: where the next one starts, and its fields, `None` in a comment, or the byte of what is wrong.
type Line = (usize, Result<Option<Fields>, usize>);

/// The fields of a line.
#[derive(Default)]
pub(super) struct Fields {
    cells: Cells,
    /// Whether each had blanks around it, and whether it had a stray quote.
    mended: Vec<(bool, bool)>,
    /// Whether nothing stands in the line, so that it is a record of one column data only.
    is_empty: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    dialect: &'a Dialect,
    symbols: Symbols,
    at: usize,
    fields: Fields,
    /// The first byte that would end lines elsewhere.
    stray: Option<usize>,
    /// The quote that is open.
    opened: Option<usize>,
}

/// The next record from `start`.
pub(super) fn read_plainly(bytes: &[u8], start: usize, dialect: &Dialect) -> Line {
    let symbols = dialect.symbols();
    let fields = Fields::default();
    let mut reader = Reader { bytes, dialect, symbols, at: start, fields, stray: None, opened: None };
    if symbols.comment == bytes.get(start).copied() {
        while reader.at < bytes.len() && bytes[reader.at] != symbols.terminator {
            reader.at += 1;
        }
        return (reader.at + 1, Ok(None));
    }
    while !reader.field() {
        reader.at += symbols.delimiter.as_bytes().len();
    }
    let end = reader.at;
    let next = if end < bytes.len() { end + reader.line_end().unwrap() } else { end };
    let is_blank = bytes[start..end].iter().all(|&byte| reader.is_blank(byte));
    reader.fields.is_empty = reader.fields.cells.len() == 1 && is_blank;
    match (reader.opened, reader.stray) {
        (Some(at), _) | (None, Some(at)) => (next, Err(at)),
        (None, None) => (next, Ok(Some(reader.fields))),
    }
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Length of the line end that stands here.
    fn line_end(&self) -> Option<usize> {
        let pair = self.symbols.terminator == b'\n' && self.bytes[self.at..].starts_with(b"\r\n");
        if pair { Some(2) } else { (self.byte() == Some(self.symbols.terminator)).then_some(1) }
    }

    fn is_delimiter(&self, at: usize) -> bool {
        self.bytes[at..].starts_with(self.symbols.delimiter.as_bytes())
    }

    fn is_blank(&self, byte: u8) -> bool {
        self.dialect.trim && b" \t".contains(&byte)
    }

    fn skip_blanks(&self, mut at: usize) -> usize {
        while self.bytes.get(at).is_some_and(|&byte| self.is_blank(byte)) {
            at += 1;
        }
        at
    }

    /// Reads a field up to what ends it; whether that ends the record too.
    fn field(&mut self) -> bool {
        let (start, keeps) = (self.at, self.dialect.stray_quotes == StrayQuotes::Keep && self.symbols.quote.is_some());
        let first = self.skip_blanks(start);
        let mut stray_quote = false;
        let (mut text, quoted) = if keeps && self.bytes.get(first).copied() == self.symbols.quote {
            self.at = first;
            let text = self.quoted_to_its_end(&mut stray_quote);
            self.unquoted();
            (text, true)
        } else if keeps {
            self.unquoted();
            let raw = self.bytes[start..self.at].to_vec();
            stray_quote = raw.iter().any(|&byte| Some(byte) == self.symbols.quote);
            (raw, false)
        } else {
            self.toggled()
        };
        let raw = &self.bytes[start..self.at];
        let blank = |byte: &&u8| self.is_blank(**byte);
        let lead = raw.iter().take_while(blank).count();
        let tail = raw[lead..].iter().rev().take_while(blank).count();
        if !keeps || !quoted {
            // What was trimmed from the raw field is in the text too, for it is not quoted.
            text = text[lead..text.len() - tail].to_vec();
        }
        let is_null = match quoted {
            true => self.dialect.quoted_empty_is_null && text.is_empty(),
            false => self.dialect.null_marks.contains(&text),
        };
        self.fields.cells.push((!is_null).then_some(text));
        self.fields.mended.push((lead + tail > 0, stray_quote));
        self.at >= self.bytes.len() || self.line_end().is_some()
    }

    /// The text of a quoted field where stray quotes are kept.
    fn quoted_to_its_end(&mut self, stray_quote: &mut bool) -> Vec<u8> {
        let (quote, opened) = (self.symbols.quote, self.at);
        let escape = self.symbols.escape.or(quote);
        let mut text = Vec::new();
        self.at += 1;
        while let Some(byte) = self.byte() {
            let next = self.bytes.get(self.at + 1).copied();
            if Some(byte) == escape && next.is_some() && (next == quote || next == escape) {
                text.extend(next);
                self.at += 2;
                continue;
            }
            self.at += 1;
            if Some(byte) == quote {
                let after = self.skip_blanks(self.at);
                let ends = self.bytes.get(after).is_none_or(|byte| b"\r\n".contains(byte)) || self.is_delimiter(after);
                if ends {
                    return text;
                }
                *stray_quote = true;
            }
            text.push(byte);
        }
        self.opened = Some(opened);
        text
    }

    /// Goes on to what ends a field that is not quoted from here.
    fn unquoted(&mut self) {
        while self.at < self.bytes.len() && self.line_end().is_none() && !self.is_delimiter(self.at) {
            self.note_stray();
            self.at += 1;
        }
    }

    fn note_stray(&mut self) {
        self.stray = self.stray.or((self.byte() == Some(self.symbols.stray)).then_some(self.at));
    }

    /// The text of a field in which any quote toggles, and whether it has one.
    fn toggled(&mut self) -> (Vec<u8>, bool) {
        let escape = self.symbols.escape.or(self.symbols.quote);
        let (mut text, mut saw_quote) = (Vec::new(), false);
        while let Some(byte) = self.byte() {
            let next = self.bytes.get(self.at + 1).copied();
            if self.opened.is_some() {
                if Some(byte) == escape && next.is_some() && (next == self.symbols.quote || next == escape) {
                    text.extend(next);
                    self.at += 1;
                } else if Some(byte) == self.symbols.quote {
                    self.opened = None;
                } else {
                    text.push(byte);
                }
            } else if self.line_end().is_some() || self.is_delimiter(self.at) {
                break;
            } else if Some(byte) == self.symbols.quote {
                (self.opened, saw_quote) = (Some(self.at), true);
            } else {
                self.note_stray();
                text.push(byte);
            }
            self.at += 1;
        }
        (text, saw_quote)
    }
}

/// All records of `bytes`, any number of fields each, a byte at a time.
pub(super) fn read_all_plainly(bytes: &[u8], dialect: &Dialect) -> Result<Vec<Record>, Failure> {
    let (mut at, mut records) = (0, Vec::new());
    while at < bytes.len() {
        let (next, record) = read_plainly(bytes, at, dialect);
        match record {
            Ok(Some(fields)) if !fields.is_empty => records.push((offset(at), fields.cells)),
            Ok(_) => {}
            Err(byte) => return Err(failure(byte, records.len())),
        }
        at = next;
    }
    Ok(records)
}

/// Where the records end, and how many lines are left out behind them.
fn cut_footer(bytes: &[u8], body: usize, dialect: &Dialect) -> (usize, u64) {
    let terminator = dialect.symbols().terminator;
    let lines: Vec<&[u8]> = bytes[body..].split_inclusive(|&byte| byte == terminator).collect();
    let kept = lines.len().saturating_sub(usize::try_from(dialect.footer_lines).unwrap());
    (body + lines[..kept].concat().len(), offset(lines.len() - kept))
}

/// What is wrong at `byte` in the record after so many.
fn failure(byte: usize, records: usize) -> Failure {
    Failure { kind: ErrorKind::Data, byte: Some(offset(byte)), record: Some(offset(records) + 1) }
}

/// The records of an object with this header, `columns` fields each, and what was mended.
pub(super) fn read_mending(bytes: &[u8], header: &Header, columns: usize) -> Result<(Vec<Record>, Mended), Failure> {
    let (dialect, body) = (&*header.dialect, usize::try_from(header.body).unwrap());
    let (end, footer_lines) = cut_footer(bytes, body, dialect);
    let bytes = &bytes[..end];
    let (mut at, mut records) = (body, Vec::new());
    let mut mended = Mended { footer_lines, ..Mended::default() };
    let count = |flags: &mut dyn Iterator<Item = bool>| offset(flags.take(columns).filter(|flag| *flag).count());
    while at < bytes.len() {
        let (start, (next, line)) = (at, read_plainly(bytes, at, dialect));
        at = next;
        let Some(fields) = line.map_err(|byte| failure(byte, records.len()))? else { continue };
        if fields.is_empty && columns > 1 {
            continue;
        }
        let line = bytes[start..next].strip_suffix(b"\r\n").or(bytes[start..next].strip_suffix(b"\n"));
        let line = line.or(bytes[start..next].strip_suffix(b"\r")).unwrap_or(&bytes[start..next]);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if dialect.repeated_header == RepeatedHeader::Skip && dialect.header.as_deref() == Some(line) {
            mended.repeated_headers += 1;
            continue;
        }
        let mut cells = fields.cells;
        match cells.len() {
            few if few < columns && dialect.ragged.pad => mended.padded += 1,
            many if many > columns && dialect.ragged.trim => mended.cut += 1,
            same if same == columns => {}
            _ => return Err(failure(start, records.len())),
        }
        cells.resize(columns, None);
        mended.trimmed += count(&mut fields.mended.iter().map(|flags| flags.0));
        mended.stray_quotes += count(&mut fields.mended.iter().map(|flags| flags.1));
        records.push((offset(start), cells));
    }
    Ok((records, mended))
}
