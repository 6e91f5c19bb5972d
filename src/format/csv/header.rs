//! The start of an object: byte order mark, skipped lines, the names of the columns, and what ends a line.

use std::sync::Arc;

use memchr::memchr2;

use super::dialect::{Dialect, LineEnd, Symbols};
use super::encoding::{Encoding, MARK_BYTES};
use super::offset;
use super::record::{Records, Site};
use super::survey::State;
use super::utf16::bytes_of;
use crate::error::{Error, ErrorKind, Result};
use crate::format::too_many_columns;
use crate::model::RepeatedHeader;
use crate::options::bounds::COLUMNS_MAX;

/// The longest header: as many columns as there may be, each with a hundred bytes.
const HEADER_BYTES_MAX: usize = 1 << 20;

const HINT_HEADER: &str = "is the text read as it is meant: --delimiter, --quote, --skip-lines, --encoding? A table has at most \
                           1,600 columns; leave out the others before the load";

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the first bytes of an object say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Names of the columns as they stand, which may repeat; none without a header or in an object without records.
    pub names: Vec<String>,
    /// Fields of the header, or without one of the first record; 0 in an object without records.
    pub columns: usize,
    /// Offset where the records begin.
    pub body: u64,
    /// The dialect for everything else of this object: the given one, with the object's line end.
    pub dialect: Arc<Dialect>,
}

impl Header {
    /// Position of the column called `name`, to the letter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if several columns are called so.
    pub fn position(&self, name: &str) -> Result<Option<usize>> {
        let mut positions = self.names.iter().enumerate().filter(|(_, other)| *other == name).map(|(at, _)| at);
        match (positions.next(), positions.next()) {
            (Some(first), Some(second)) => Err(Error::new(
                ErrorKind::Schema,
                format!("the header names column \"{name}\" twice, as number {} and {}", first + 1, second + 1),
            )),
            (first, _) => Ok(first),
        }
    }
}

/// Reads the start of an object from its first bytes, `head`; `whole` says that these are all of it. `None` means that
/// more bytes are needed.
///
/// An object in which no line holds anything (no bytes, or only skipped, comment and empty lines) has no names and 0
/// columns; with a header to be expected its body is its end.
///
/// # Errors
///
/// They name no object: the caller does. [`ErrorKind::Settings`] if the dialect contradicts itself, [`ErrorKind::Data`]
/// if the header is not UTF-8 or its quotes do not close, [`ErrorKind::Limit`] if it is longer than the longest record.
pub fn read_header(head: &[u8], whole: bool, dialect: &Dialect) -> Result<Option<Header>> {
    dialect.validate()?;
    if !whole && head.len() < MARK_BYTES {
        return Ok(None);
    }
    let (encoding, mark) = dialect.encoding.resolve(head)?;
    let dialect = &Dialect { encoding, ..dialect.clone() };
    let Some(utf16) = dialect.encoding.utf16() else { return read_text(head, mark, whole, dialect) };
    let units = if whole { head } else { &head[..head.len() / 2 * 2] };
    let (start, text) = (offset(mark), utf16.to_utf8(&units[mark..]));
    let read = read_text(&text, 0, whole, dialect).map_err(|error| Encoding::relocated(error, start, &text))?;
    let position = |at: u64| usize::try_from(at).expect("it is a position in the head");
    Ok(read.map(|header| Header { body: start + bytes_of(&text[..position(header.body)]), ..header }))
}

/// Reads the start of an object whose lines begin at position `at`.
fn read_text(head: &[u8], at: usize, whole: bool, dialect: &Dialect) -> Result<Option<Header>> {
    let mut lines = Lines { head, whole, at, symbols: dialect.symbols(), line_end: None };
    let read = lines.read(dialect)?;
    let unread = offset(head.len() - lines.at);
    if read.is_none() && unread > dialect.record_bytes_max {
        let message = format!("no line ends within the longest record allowed, {} bytes", dialect.record_bytes_max);
        return Err(Error::new(ErrorKind::Limit, message).at_byte(offset(lines.at)));
    }
    Ok(read)
}

/// Reads lines while it is not yet known what ends them.
struct Lines<'a> {
    head: &'a [u8],
    whole: bool,
    at: usize,
    symbols: Symbols,
    /// What ended the first line.
    line_end: Option<LineEnd>,
}

/// A line without its end, and the position after that.
struct Line {
    content: std::ops::Range<usize>,
    next: usize,
}

impl Lines<'_> {
    fn read(&mut self, dialect: &Dialect) -> Result<Option<Header>> {
        for _ in 0..dialect.skip_lines {
            let Some(line) = self.next_line(false) else { return Ok(None) };
            self.at = line.next;
        }
        let body = self.at;
        let Some(record) = self.next_record() else { return Ok(None) };
        let may_repeat = dialect.has_header && dialect.repeated_header == RepeatedHeader::Skip;
        let header = may_repeat.then(|| Arc::from(&self.head[record.content.clone()]));
        let dialect = Dialect { line_end: self.line_end.unwrap_or_default(), header: None, ..dialect.clone() };
        let fields = self.fields(&record, &dialect)?;
        Ok(Some(Header {
            columns: fields.len(),
            body: offset(if dialect.has_header { record.next } else { body }),
            names: if dialect.has_header { fields } else { Vec::new() },
            dialect: Arc::new(Dialect { header, ..dialect }),
        }))
    }

    /// The first line that is a record; an empty one at the end of an object without records.
    fn next_record(&mut self) -> Option<Line> {
        loop {
            let is_comment = self.symbols.comment.is_some() && self.symbols.comment == self.head.get(self.at).copied();
            let line = self.next_line(!is_comment)?;
            let is_empty = self.symbols.trim(&self.head[line.content.clone()]).is_empty();
            if line.next == self.head.len() && (is_comment || is_empty) {
                return self.whole.then_some(Line { content: line.next..line.next, next: line.next });
            }
            if !is_comment && !is_empty {
                return Some(line);
            }
            self.at = line.next;
        }
    }

    /// The line at `at`; `None` if its end is not in `head` but may follow.
    fn next_line(&mut self, quotes_count: bool) -> Option<Line> {
        let start = self.at;
        let Some(end) = self.find_line_end(start, quotes_count) else {
            let end = self.head.len();
            return self.whole.then_some(Line { content: start..end, next: end });
        };
        let pair = self.head[end] == b'\r' && self.head.get(end + 1) == Some(&b'\n');
        let lone = self.head[end] == b'\r' && !pair;
        if lone && end + 1 == self.head.len() && !self.whole {
            return None;
        }
        self.line_end = self.line_end.or(Some(if lone { LineEnd::CarriageReturn } else { LineEnd::Newline }));
        Some(Line { content: start..end, next: end + if pair { 2 } else { 1 } })
    }

    /// Position of the `\r` or `\n` that ends the line which starts at `from`.
    fn find_line_end(&self, from: usize, quotes_count: bool) -> Option<usize> {
        let quote = self.symbols.quote.filter(|_| quotes_count);
        let keeps_stray_quotes = self.symbols.keeps_stray_quotes && quotes_count;
        let quotes = Symbols { quote, comment: None, keeps_stray_quotes, ..self.symbols };
        let (mut at, mut state) = (from, quotes.first_field());
        while at < self.head.len() {
            // `next` is at most after a newline, or after the quote where the unquoted run ends.
            let (next, after) = quotes.step(self.head, at, state);
            if state == State::Outside
                && let Some(end) = self.line_end_in(at..next)
            {
                return Some(end);
            }
            (at, state) = (next, after);
        }
        None
    }

    /// Position of the first byte of an unquoted run that ends a line.
    fn line_end_in(&self, run: std::ops::Range<usize>) -> Option<usize> {
        let mut at = run.start;
        while let Some(found) = memchr2(b'\n', b'\r', &self.head[at..run.end]) {
            at += found;
            let is_end = match self.line_end {
                None => true,
                Some(LineEnd::CarriageReturn) => self.head[at] == b'\r',
                Some(LineEnd::Newline) => self.head[at] == b'\n' || self.head.get(at + 1) == Some(&b'\n'),
            };
            if is_end {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// The texts of the fields of `record`.
    fn fields(&self, record: &Line, dialect: &Dialect) -> Result<Vec<String>> {
        let bytes = &self.head[record.content.clone()];
        let start = offset(record.content.start);
        if dialect.has_header && bytes.len() > HEADER_BYTES_MAX {
            let message = format!("the header has {} bytes, and {HEADER_BYTES_MAX} are the most", bytes.len());
            return Err(Error::new(ErrorKind::Limit, message).at_byte(start).with_hint(HINT_HEADER));
        }
        let site = Site { object: Arc::from(""), start };
        let mut records = Records::new(site, 0, dialect, None);
        let (mut texts, mut scratch) = (Vec::new(), Vec::new());
        let Some(group) = records.next_group(bytes, 1)? else { return Ok(texts) };
        if group.columns() > COLUMNS_MAX {
            return Err(too_many_columns(group.columns()).at_byte(start).with_hint(HINT_HEADER));
        }
        for field in (0..group.columns()).filter_map(|column| group.column(column).next()) {
            let field = self.symbols.trimmed(bytes, field);
            let text = self.symbols.text(bytes, field, &mut scratch);
            let text = dialect.encoding.decode(text).map_err(|_| {
                let raw = &bytes[field.start..field.end];
                let at = record.content.start + field.start + dialect.encoding.decode(raw).err().unwrap_or(0);
                let message = format!("invalid byte sequence for {} in the header", dialect.encoding.name());
                Error::new(ErrorKind::Data, message).at_byte(offset(at)).with_hint(Encoding::HINT)
            })?;
            texts.push(text.into_owned());
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(head: &[u8], dialect: &Dialect) -> Header {
        read_header(head, true, dialect).expect("a header").expect("all of it")
    }

    fn names(head: &[u8]) -> (Vec<String>, u64) {
        let header = header(head, &Dialect::default());
        (header.names, header.body)
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_are_unquoted_and_a_byte_order_mark_is_no_part_of_them() {
        assert_eq!(names(b"\xef\xbb\xbfts,\"a \"\"b\"\"\nc\"\n1,2\n"), (owned(&["ts", "a \"b\"\nc"]), 18));
        assert_eq!(names(b"ts,v\r\n1,2\r\n"), (owned(&["ts", "v"]), 6));
        assert_eq!(names(b"\n\nts,v"), (owned(&["ts", "v"]), 6));
    }

    #[test]
    fn a_lone_carriage_return_ends_lines_where_it_ends_the_first() {
        let found = header(b"ts,v\r1,2\r", &Dialect::default());
        assert_eq!((found.body, found.dialect.line_end), (5, LineEnd::CarriageReturn));
        let found = header(b"\"a\rb\",v\n1,2\n", &Dialect::default());
        assert_eq!((found.body, found.dialect.line_end), (8, LineEnd::Newline));
        let dialect = Dialect { skip_lines: 1, ..Dialect::default() };
        let found = header(b"it's \" free\rts,v\r", &dialect);
        assert_eq!((found.names, found.body), (owned(&["ts", "v"]), 17));
    }

    #[test]
    fn an_object_without_records_has_no_names() {
        for head in [&b""[..], b"\xef\xbb\xbf", b"\n\r\n"] {
            let found = header(head, &Dialect::default());
            assert_eq!((found.names.len(), found.columns, found.body), (0, 0, offset(head.len())));
        }
        let dialect = Dialect { skip_lines: 9, comment: Some(b'#'), ..Dialect::default() };
        assert_eq!(header(b"a\nb", &dialect).body, 3);
        let dialect = Dialect { skip_lines: 1, comment: Some(b'#'), ..Dialect::default() };
        assert_eq!(header(b"a\n# b\n# c", &dialect).body, 9);
    }

    #[test]
    fn skipped_and_comment_lines_are_no_header() {
        let dialect = Dialect { skip_lines: 2, comment: Some(b'#'), ..Dialect::default() };
        let found = header(b"report \"x\n\n# don't \"\nts,v\n1,2\n", &dialect);
        assert_eq!((found.names, found.body), (owned(&["ts", "v"]), 26));
    }

    #[test]
    fn without_a_header_the_first_record_is_counted_and_kept() {
        let dialect = Dialect { has_header: false, ..Dialect::default() };
        let found = header(b"\xef\xbb\xbf1,\"2,3\",4\n", &dialect);
        assert_eq!((found.names.len(), found.columns, found.body), (0, 3, 3));
        // Two records of one null each, if there is one column.
        assert_eq!(header(b"\n\n", &dialect).body, 0);
    }

    #[test]
    fn a_head_that_is_cut_short_asks_for_more() {
        let object = b"\xef\xbb\xbf# c\r\n\"t\ns\",v\r\n1,2\r\n";
        let dialect = Dialect { comment: Some(b'#'), ..Dialect::default() };
        let all = header(object, &dialect);
        for bytes in 0..object.len() {
            let found = read_header(&object[..bytes], false, &dialect).expect("no fault");
            match found {
                Some(found) => assert_eq!(found, all, "{bytes}"),
                None => assert!(bytes < 18, "{bytes}"),
            }
        }
        let dialect = Dialect { record_bytes_max: 4, ..Dialect::default() };
        assert_eq!(read_header(b"abcdef", false, &dialect).expect_err("too long").kind(), ErrorKind::Limit);
    }

    #[test]
    fn a_header_has_a_limit_of_columns_and_of_bytes() {
        let refuse = |head: &[u8]| read_header(head, true, &Dialect::default()).expect_err("too much");
        let commas = [vec![b','; COLUMNS_MAX - 1], b"\n".to_vec()].concat();
        assert_eq!(header(&commas, &Dialect::default()).columns, COLUMNS_MAX);
        let error = refuse(&[&b","[..], &commas].concat());
        assert_eq!((error.kind(), error.to_string().len() < 200), (ErrorKind::Limit, true), "{error}");
        let error = refuse(&[vec![b'x'; HEADER_BYTES_MAX + 1], b"\n".to_vec()].concat());
        assert_eq!((error.kind(), error.to_string().len() < 200), (ErrorKind::Limit, true), "{error}");
        // A first record that is data may be as long as any, and have no more columns than a header.
        let dialect = Dialect { has_header: false, ..Dialect::default() };
        assert_eq!(header(&vec![b'x'; HEADER_BYTES_MAX + 1], &dialect).columns, 1);
        assert!(read_header(&[b','; COLUMNS_MAX], true, &dialect).is_err());
    }

    #[test]
    fn a_faulty_header_is_refused_with_its_byte() {
        let refuse = |head: &[u8]| read_header(head, true, &Dialect::default()).expect_err("a fault").to_string();
        assert_eq!(refuse(b"ts,a\xff\n"), "invalid byte sequence for UTF-8 in the header, byte 4");
        assert_eq!(refuse(b"ts,\"a\n1,2\n"), "the quote that opens here is never closed, byte 3");
    }

    #[test]
    fn a_name_that_stands_twice_is_ambiguous_only_when_it_is_asked_for() {
        let found = header(b"ts,v,v\n", &Dialect::default());
        assert_eq!(found.position("ts").expect("once"), Some(0));
        assert_eq!(found.position("w").expect("never"), None);
        let error = found.position("v").expect_err("twice");
        assert_eq!(error.to_string(), "the header names column \"v\" twice, as number 2 and 3");
    }
}
