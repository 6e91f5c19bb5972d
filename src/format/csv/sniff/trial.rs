//! A trial: some bytes read by a dialect that may be the right one, and how well they fit it.
//!
//! It reads what no loader would, for a wrong dialect is tried too, and so stands beside the reader of records, whose
//! meaning it shares.

use std::ops::Range;

/// A dialect that may be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) delimiter: Vec<u8>,
    pub(super) quote: Option<u8>,
    /// Where it is not the quote itself.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
    /// Whether quotes count only around fields.
    pub(super) keeps_stray_quotes: bool,
}

/// A record of a trial.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Where it starts, in the bytes read.
    pub(super) start: usize,
    pub(super) fields: Vec<Field>,
    /// Whether it is a line of nothing.
    pub(super) is_empty: bool,
}

/// A field as it stands.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) range: Range<usize>,
    pub(super) quotes: Quotes,
}

/// Where a field has quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Nowhere.
    None,
    /// Around it, those inside doubled or escaped.
    Around,
    /// Around it, with others inside that nobody doubled.
    Inside,
    /// Somewhere else.
    Stray,
}

/// What a trial read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    /// Whether the last quote was not closed in all the bytes.
    pub(super) is_open: bool,
}

impl Trial {
    /// Reads records from `from` on, at most `records_max`. The last line counts only if it ends, or the bytes are `whole`.
    pub(super) fn read(&self, text: &[u8], from: usize, whole: bool, records_max: usize) -> Found {
        let mut reader = Reader { trial: self, text, at: from, terminator: terminator(text) };
        let mut found = Found::default();
        while reader.at < text.len() && found.records.len() < records_max {
            if self.comment.is_some() && text.get(reader.at).copied() == self.comment {
                reader.skip_line();
                continue;
            }
            let (record, end) = reader.record();
            match end {
                End::Line => found.records.push(record),
                End::Bytes if whole => found.records.push(record),
                End::Bytes => break,
                End::Open => {
                    found.is_open = true;
                    break;
                }
            }
        }
        found
    }
}

/// What ends lines: as in the reader of headers, what ends the first one.
pub(super) fn terminator(text: &[u8]) -> u8 {
    match memchr::memchr2(b'\n', b'\r', text) {
        Some(at) if text[at] == b'\r' && text.get(at + 1) != Some(&b'\n') => b'\r',
        _ => b'\n',
    }
}

struct Reader<'a> {
    trial: &'a Trial,
    text: &'a [u8],
    at: usize,
    terminator: u8,
}

enum End {
    Line,
    Bytes,
    Open,
}

impl Reader<'_> {
    fn skip_line(&mut self) {
        self.at =
            memchr::memchr(self.terminator, &self.text[self.at..]).map_or(self.text.len(), |end| self.at + end + 1);
    }

    fn record(&mut self) -> (Record, End) {
        let (start, mut fields) = (self.at, Vec::new());
        let end = loop {
            let (field, end) = self.field();
            fields.push(field);
            if let Some(end) = end {
                break end;
            }
        };
        if let Some(last) = fields.last_mut()
            && self.terminator == b'\n'
            && self.text[last.range.clone()].last() == Some(&b'\r')
        {
            last.range.end -= 1;
            last.quotes = self.quotes(last.range.clone(), last.quotes);
        }
        let is_empty = matches!(&*fields, [only] if only.range.is_empty());
        (Record { start, fields, is_empty }, end)
    }

    /// The next field; with what ended the record, if it is the last.
    fn field(&mut self) -> (Field, Option<End>) {
        let (start, mut is_inside, mut has_quote, mut has_undoubled) = (self.at, false, false, false);
        while let Some(&byte) = self.text.get(self.at) {
            let rest = &self.text[self.at..];
            if is_inside && self.trial.escape == Some(byte) && rest.get(1).is_some_and(|next| self.is_escapable(*next))
            {
                self.at += 2;
            } else if self.trial.quote == Some(byte) {
                self.at += 1;
                match (self.trial.keeps_stray_quotes, is_inside) {
                    (true, false) => is_inside = self.at - 1 == start,
                    (true, true) if rest.get(1) == Some(&byte) => self.at += 1,
                    (true, true) => {
                        is_inside = !self.ends_field();
                        has_undoubled |= is_inside;
                    }
                    (false, true) if rest.get(1) == Some(&byte) && self.trial.escape.is_none() => self.at += 1,
                    (false, true) => {
                        is_inside = false;
                        has_undoubled |= !self.ends_field();
                    }
                    (false, false) => is_inside = true,
                }
                has_quote = true;
            } else if !is_inside && rest.starts_with(&self.trial.delimiter) {
                let field = self.finished(start, has_quote, has_undoubled);
                self.at += self.trial.delimiter.len();
                return (field, None);
            } else if !is_inside && byte == self.terminator {
                let field = self.finished(start, has_quote, has_undoubled);
                self.at += 1;
                return (field, Some(End::Line));
            } else {
                self.at += 1;
            }
        }
        (self.finished(start, has_quote, has_undoubled), Some(if is_inside { End::Open } else { End::Bytes }))
    }

    fn is_escapable(&self, byte: u8) -> bool {
        Some(byte) == self.trial.quote || Some(byte) == self.trial.escape
    }

    fn ends_field(&self) -> bool {
        let rest = &self.text[self.at..];
        rest.is_empty() || rest.starts_with(&self.trial.delimiter) || matches!(rest[0], b'\n' | b'\r')
    }

    fn finished(&self, start: usize, has_quote: bool, has_undoubled: bool) -> Field {
        let range = start..self.at;
        let quotes = match (has_quote, has_undoubled) {
            (false, _) => Quotes::None,
            (true, true) => Quotes::Inside,
            (true, false) => Quotes::Around,
        };
        Field { quotes: self.quotes(range.clone(), quotes), range }
    }

    fn quotes(&self, range: Range<usize>, quotes: Quotes) -> Quotes {
        let field = &self.text[range.clone()];
        let is_around = field.len() > 1 && field.first().copied() == self.trial.quote && field.last() == field.first();
        match quotes {
            Quotes::None => Quotes::None,
            Quotes::Stray | Quotes::Around | Quotes::Inside if is_around => {
                if quotes == Quotes::Inside {
                    Quotes::Inside
                } else {
                    Quotes::Around
                }
            }
            // Of `\r\n` the first byte is not yet known to end the line.
            Quotes::Around if field.ends_with(b"\r") => Quotes::Around,
            _ => Quotes::Stray,
        }
    }
}

impl Field {
    /// Its text without the quotes around it; doubled ones stay.
    pub(super) fn text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let field = &bytes[self.range.clone()];
        if self.is_quoted() { &field[1..field.len() - 1] } else { field }
    }

    /// Whether quotes are around it.
    pub(super) fn is_quoted(&self) -> bool {
        matches!(self.quotes, Quotes::Around | Quotes::Inside) && self.range.len() > 1
    }
}
