//! The dialect: which bytes delimit, quote and escape, which texts are null, and what is no record at all.

use std::sync::Arc;

use memchr::memmem;

use super::encoding::Encoding;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Ragged, RepeatedHeader, StrayQuotes};

/// Longest record that positions on the tape and the 32-bit offsets of an Arrow column can hold with room to spare. It
/// is also the longest line that the server itself takes.
const RECORD_BYTES_LIMIT: u64 = 1 << 30;

/// How delimited text is read.
///
/// Meaning is that of `copy … (format csv)`: a quote anywhere in a field toggles the quoted state; inside quotes, the
/// escape byte before a quote or an escape byte makes that literal; an unquoted field equal to a null mark is null, a
/// quoted one never is. It differs from the server in these points:
///
/// - `\n` and `\r\n` may be mixed as line ends. An unquoted lone `\r` is still refused.
/// - `\.` alone on a line is data.
/// - An empty line is no record unless there is exactly one column.
/// - There may be several null marks, comment lines, no quoting at all, and lines to skip at the start.
/// - The delimiter may have several bytes. It is looked for from left to right in what is not quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// What the object's text is encoded in. [`read_header`](super::read_header) sets the order of bytes of UTF-16.
    pub encoding: Encoding,
    /// What stands between two fields, as it stands in the object; in UTF-8 for UTF-16, as all else here.
    pub delimiter: Delimiter,
    /// The byte around delimiters and line ends that are data; `None` where no byte has that meaning.
    pub quote: Option<u8>,
    /// The byte that makes a following quote literal inside quotes; `None` for the quote itself, doubled.
    pub escape: Option<u8>,
    /// A line that starts with this byte, outside quotes, is no record.
    pub comment: Option<u8>,
    /// Unquoted fields that mean null. The default is the empty field alone; `--null NA` adds to it.
    pub null_marks: Vec<Vec<u8>>,
    /// Whether a quoted field without text is null too.
    pub quoted_empty_is_null: bool,
    /// Whether the first record holds the names of the columns.
    pub has_header: bool,
    /// Lines at the start of the object, before the header, that are skipped whatever they hold.
    pub skip_lines: u64,
    /// Lines at the end of the object that are left out, whatever they hold; see [`footer`](super::footer()).
    pub footer_lines: u64,
    /// What becomes of records with another number of fields.
    pub ragged: Ragged,
    /// Whether spaces and tabs around fields, outside quotes, are no part of them, and lines of nothing else are empty.
    pub trim: bool,
    /// What quotes are that stand elsewhere than around a field.
    pub stray_quotes: StrayQuotes,
    /// What becomes of records that are the header once more.
    pub repeated_header: RepeatedHeader,
    /// The header as it stands, for telling it when it is repeated. [`read_header`](super::read_header) sets it.
    pub header: Option<Arc<[u8]>>,
    /// Longest record in bytes, its line end not counted; a longer one is an error, never cut.
    pub record_bytes_max: u64,
    /// What ends a line. [`read_header`](super::read_header) sets it for each object from its first line.
    pub line_end: LineEnd,
}

/// What stands between two fields: one byte in most files, up to [`Delimiter::BYTES_MAX`] in others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Delimiter {
    bytes: [u8; Self::BYTES_MAX],
    length: u8,
}

impl Delimiter {
    /// The longest delimiter: enough for any that files have, and its place is kept in a register.
    pub const BYTES_MAX: usize = 8;

    /// A delimiter as it stands in the object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if it is empty or longer than [`Delimiter::BYTES_MAX`].
    pub fn try_new(text: &[u8]) -> Result<Self> {
        let length =
            u8::try_from(text.len()).ok().filter(|length| (1..=Self::BYTES_MAX).contains(&usize::from(*length)));
        let length =
            length.ok_or_else(|| settings(format!("the delimiter must be 1 to {} bytes long", Self::BYTES_MAX)))?;
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes, length })
    }

    /// Its bytes, at least one.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl From<u8> for Delimiter {
    fn from(byte: u8) -> Self {
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[0] = byte;
        Self { bytes, length: 1 }
    }
}

impl std::fmt::Debug for Delimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delimiter(\"{}\")", self.as_bytes().escape_ascii())
    }
}

/// What ends a line outside quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// `\n` or `\r\n`.
    #[default]
    Newline,
    /// `\r` alone.
    CarriageReturn,
}

impl Default for Dialect {
    /// RFC 4180 with a header, and 64 MiB for the longest record.
    fn default() -> Self {
        Self {
            encoding: Encoding::default(),
            delimiter: Delimiter::from(b','),
            quote: Some(b'"'),
            escape: None,
            comment: None,
            null_marks: vec![Vec::new()],
            quoted_empty_is_null: false,
            has_header: true,
            skip_lines: 0,
            footer_lines: 0,
            ragged: Ragged::default(),
            trim: false,
            stray_quotes: StrayQuotes::default(),
            repeated_header: RepeatedHeader::default(),
            header: None,
            record_bytes_max: 64 << 20,
            line_end: LineEnd::Newline,
        }
    }
}

impl Dialect {
    /// Checks that no byte has two meanings and that every limit is one that can be kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`], naming the conflict.
    pub fn validate(&self) -> Result<()> {
        self.validate_roles()?;
        self.validate_null_marks()?;
        self.validate_trim()?;
        self.encoding.validate(self)?;
        if self.record_bytes_max == 0 || self.record_bytes_max > RECORD_BYTES_LIMIT {
            return Err(settings(format!("the longest record must be 1 to {RECORD_BYTES_LIMIT} bytes")));
        }
        Ok(())
    }

    fn validate_roles(&self) -> Result<()> {
        let roles = [
            ("quote", self.quote),
            ("escape", self.escape.filter(|_| self.escape != self.quote)),
            ("comment", self.comment),
        ];
        if self.delimiter.as_bytes().iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r')) {
            return Err(settings("the delimiter can hold neither a line end nor a zero byte".to_owned()));
        }
        for (i, (role, byte)) in roles.iter().enumerate() {
            let Some(byte) = byte else { continue };
            if !byte.is_ascii() || matches!(byte, 0 | b'\n' | b'\r') {
                return Err(settings(format!("the {role} must be one ASCII character, and no line end")));
            }
            if self.delimiter.as_bytes() == [*byte] {
                return Err(settings(format!("the delimiter and the {role} cannot be the same character")));
            }
            if self.delimiter.as_bytes().contains(byte) {
                return Err(settings(format!("the delimiter cannot hold the {role}")));
            }
            if let Some((other, _)) = roles[..i].iter().find(|(_, taken)| *taken == Some(*byte)) {
                return Err(settings(format!("the {other} and the {role} cannot be the same character")));
            }
        }
        Ok(())
    }

    fn validate_trim(&self) -> Result<()> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let delimiter = self.delimiter.as_bytes();
        if self.trim && delimiter.len() > 1 && is_blank(&delimiter[0]) {
            return Err(settings(
                "a delimiter that begins with a space or tab cannot be told where fields are trimmed".to_owned(),
            ));
        }
        if self.trim && [self.quote, self.escape].iter().flatten().any(is_blank) {
            return Err(settings("quote and escape cannot be a space or tab where fields are trimmed".to_owned()));
        }
        Ok(())
    }

    fn validate_null_marks(&self) -> Result<()> {
        let delimiter = self.delimiter.as_bytes();
        let special = |byte: &u8| matches!(byte, b'\n' | b'\r') || Some(*byte) == self.quote;
        let unreachable = |mark: &&Vec<u8>| mark.iter().any(special) || memmem::find(mark, delimiter).is_some();
        match self.null_marks.iter().find(unreachable) {
            Some(mark) => Err(settings(format!(
                "the null mark '{}' holds a delimiter, quote or line end, so no unquoted field can equal it",
                String::from_utf8_lossy(mark).escape_debug(),
            ))),
            None => Ok(()),
        }
    }

    /// Whether fields are mended, and so have to be looked into for how often.
    pub(super) fn mends_fields(&self) -> bool {
        self.trim || self.stray_quotes == StrayQuotes::Keep
    }

    /// The bytes with a meaning, resolved for the hot loops.
    pub(super) fn symbols(&self) -> Symbols {
        let (terminator, stray) = match self.line_end {
            LineEnd::Newline => (b'\n', b'\r'),
            LineEnd::CarriageReturn => (b'\r', b'\n'),
        };
        Symbols {
            delimiter: self.delimiter,
            terminator,
            stray,
            quote: self.quote,
            escape: self.escape.filter(|_| self.quote.is_some() && self.escape != self.quote),
            comment: self.comment,
            trims: self.trim,
            keeps_stray_quotes: self.stray_quotes == StrayQuotes::Keep && self.quote.is_some(),
        }
    }
}

fn settings(message: String) -> Error {
    Error::new(ErrorKind::Settings, message)
}

/// The bytes with a meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols {
    pub(super) delimiter: Delimiter,
    /// The byte after which a line has ended.
    pub(super) terminator: u8,
    /// The other line-end byte: allowed unquoted only as the `\r` of `\r\n`.
    pub(super) stray: u8,
    pub(super) quote: Option<u8>,
    /// The escape byte where it is not the quote itself.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
    /// Whether blanks around fields are no part of them.
    pub(super) trims: bool,
    /// Whether quotes count at the ends of fields only.
    pub(super) keeps_stray_quotes: bool,
}

impl Symbols {
    /// Whether `byte` is trimmed from the ends of fields.
    #[inline]
    pub(super) fn is_blank(&self, byte: u8) -> bool {
        self.trims && matches!(byte, b' ' | b'\t') && self.delimiter.as_bytes() != [byte]
    }

    /// `raw` without the blanks at its ends, which are never quoted.
    pub(super) fn trim<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        let Some(first) = raw.iter().position(|&byte| !self.is_blank(byte)) else { return &raw[raw.len()..] };
        let last = raw.iter().rposition(|&byte| !self.is_blank(byte)).unwrap_or(first);
        &raw[first..=last]
    }

    /// Whether the parity of quotes alone tells what is quoted.
    pub(super) fn quotes_toggle(&self) -> bool {
        self.escape.is_none() && self.comment.is_none() && !self.keeps_stray_quotes
    }

    /// Whether fields can be found by masks of single bytes.
    pub(super) fn are_maskable(&self) -> bool {
        self.quotes_toggle() && self.delimiter.length == 1
    }
}

/// Null marks, sorted out so that a field that is none is told by its length alone.
#[derive(Debug, Clone)]
pub(super) struct NullMarks {
    empty: bool,
    quoted_empty: bool,
    /// Bit `n` is set where a mark of `n` bytes exists; marks of 63 bytes and more share a bit.
    lengths: u64,
    marks: Vec<Vec<u8>>,
}

impl NullMarks {
    pub(super) fn new(dialect: &Dialect) -> Self {
        let marks: Vec<_> = dialect.null_marks.iter().filter(|mark| !mark.is_empty()).cloned().collect();
        let lengths = marks.iter().fold(0, |bits, mark| bits | 1 << mark.len().min(63));
        let empty = dialect.null_marks.iter().any(Vec::is_empty);
        Self { empty, quoted_empty: dialect.quoted_empty_is_null, lengths, marks }
    }

    /// Whether a quoted field with this `text` means null.
    #[inline]
    pub(super) fn holds_quoted(&self, text: &[u8]) -> bool {
        self.quoted_empty && text.is_empty()
    }

    /// Whether the unquoted `field` means null.
    #[inline]
    pub(super) fn holds(&self, field: &[u8]) -> bool {
        if field.is_empty() {
            return self.empty;
        }
        self.lengths >> field.len().min(63) & 1 == 1 && self.marks.iter().any(|mark| mark == field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_with_two_meanings_is_refused() {
        let base = Dialect::default();
        assert!(base.validate().is_ok());
        let refused = [
            Dialect { delimiter: b'"'.into(), ..base.clone() },
            Dialect { delimiter: b'\n'.into(), ..base.clone() },
            Dialect { delimiter: Delimiter::try_new(b"|\r").expect("short"), ..base.clone() },
            Dialect { delimiter: Delimiter::try_new(b"|\"|").expect("short"), ..base.clone() },
            Dialect { delimiter: Delimiter::try_new(b"##").expect("short"), comment: Some(b'#'), ..base.clone() },
            Dialect { quote: Some(0xa7), ..base.clone() },
            Dialect { escape: Some(b','), ..base.clone() },
            Dialect { comment: Some(b'"'), ..base.clone() },
            Dialect { null_marks: vec![b"a,b".to_vec()], ..base.clone() },
            Dialect {
                delimiter: Delimiter::try_new(b"::").expect("short"),
                null_marks: vec![b"a::".to_vec()],
                ..base.clone()
            },
            Dialect { record_bytes_max: 0, ..base.clone() },
            Dialect { record_bytes_max: RECORD_BYTES_LIMIT + 1, ..base.clone() },
        ];
        for dialect in refused {
            let error = dialect.validate().expect_err("a conflict");
            assert_eq!(error.kind(), ErrorKind::Settings, "{error}");
        }
        let double = Delimiter::try_new(b"::").expect("short");
        let accepted = Dialect { escape: Some(b'"'), delimiter: double, null_marks: vec![b":".to_vec()], ..base };
        assert!(accepted.validate().is_ok());
        assert!(Delimiter::try_new(b"").is_err() && Delimiter::try_new(b"123456789").is_err());
    }

    #[test]
    fn null_marks_match_whole_fields_only() {
        let long = vec![b'x'; 70];
        let dialect =
            Dialect { null_marks: vec![vec![], b"NA".to_vec(), b"\\N".to_vec(), long.clone()], ..Dialect::default() };
        let marks = NullMarks::new(&dialect);
        for field in [&b""[..], b"NA", b"\\N", &long] {
            assert!(marks.holds(field));
        }
        for field in [&b"N"[..], b"NAN", b"na", b"NB", &long[1..]] {
            assert!(!marks.holds(field));
        }
        let marks = NullMarks::new(&Dialect { null_marks: vec![b"NA".to_vec()], ..Dialect::default() });
        assert!(!marks.holds(b"") && !marks.holds_quoted(b""));
        let marks = NullMarks::new(&Dialect { quoted_empty_is_null: true, ..Dialect::default() });
        assert!(marks.holds_quoted(b"") && !marks.holds_quoted(b" "));
    }
}
