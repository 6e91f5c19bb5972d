//! The dialect: which bytes delimit, quote and escape, which texts are null, and what is no record at all.

use crate::error::{Error, ErrorKind, Result};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The byte between two fields.
    pub delimiter: u8,
    /// The byte around delimiters and line ends that are data; `None` where no byte has that meaning.
    pub quote: Option<u8>,
    /// The byte that makes a following quote literal inside quotes; `None` for the quote itself, doubled.
    pub escape: Option<u8>,
    /// A line that starts with this byte, outside quotes, is no record.
    pub comment: Option<u8>,
    /// Unquoted fields that mean null. The default is the empty field alone; `--null NA` adds to it.
    pub null_marks: Vec<Vec<u8>>,
    /// Whether the first record holds the names of the columns.
    pub has_header: bool,
    /// Lines at the start of the object, before the header, that are skipped whatever they hold.
    pub skip_lines: u64,
    /// Longest record in bytes, its line end not counted; a longer one is an error, never cut.
    pub record_bytes_max: u64,
    /// What ends a line. [`read_header`](super::read_header) sets it for each object from its first line.
    pub line_end: LineEnd,
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
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comment: None,
            null_marks: vec![Vec::new()],
            has_header: true,
            skip_lines: 0,
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
        let roles = [
            ("delimiter", Some(self.delimiter)),
            ("quote", self.quote),
            ("escape", self.escape.filter(|_| self.escape != self.quote)),
            ("comment", self.comment),
        ];
        for (i, (role, byte)) in roles.iter().enumerate() {
            let Some(byte) = byte else { continue };
            if !byte.is_ascii() || matches!(byte, 0 | b'\n' | b'\r') {
                return Err(settings(format!("the {role} must be one ASCII character, and no line end")));
            }
            if let Some((other, _)) = roles[..i].iter().find(|(_, taken)| *taken == Some(*byte)) {
                return Err(settings(format!("the {other} and the {role} cannot be the same character")));
            }
        }
        self.validate_null_marks()?;
        if self.record_bytes_max == 0 || self.record_bytes_max > RECORD_BYTES_LIMIT {
            return Err(settings(format!("the longest record must be 1 to {RECORD_BYTES_LIMIT} bytes")));
        }
        Ok(())
    }

    fn validate_null_marks(&self) -> Result<()> {
        let special = |byte: &u8| matches!(byte, b'\n' | b'\r') || *byte == self.delimiter || Some(*byte) == self.quote;
        match self.null_marks.iter().find(|mark| mark.iter().any(special)) {
            Some(mark) => Err(settings(format!(
                "the null mark '{}' holds a delimiter, quote or line end, so no unquoted field can equal it",
                String::from_utf8_lossy(mark).escape_debug(),
            ))),
            None => Ok(()),
        }
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
        }
    }
}

fn settings(message: String) -> Error {
    Error::new(ErrorKind::Settings, message)
}

/// The bytes with a meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols {
    pub(super) delimiter: u8,
    /// The byte after which a line has ended.
    pub(super) terminator: u8,
    /// The other line-end byte: allowed unquoted only as the `\r` of `\r\n`.
    pub(super) stray: u8,
    pub(super) quote: Option<u8>,
    /// The escape byte where it is not the quote itself.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
}

impl Symbols {
    /// Whether the parity of quotes alone tells what is quoted.
    pub(super) fn quotes_toggle(&self) -> bool {
        self.escape.is_none() && self.comment.is_none()
    }
}

/// Null marks, sorted out so that a field that is none is told by its length alone.
#[derive(Debug, Clone)]
pub(super) struct NullMarks {
    empty: bool,
    /// Bit `n` is set where a mark of `n` bytes exists; marks of 63 bytes and more share a bit.
    lengths: u64,
    marks: Vec<Vec<u8>>,
}

impl NullMarks {
    pub(super) fn new(dialect: &Dialect) -> Self {
        let marks: Vec<_> = dialect.null_marks.iter().filter(|mark| !mark.is_empty()).cloned().collect();
        let lengths = marks.iter().fold(0, |bits, mark| bits | 1 << mark.len().min(63));
        Self { empty: dialect.null_marks.iter().any(Vec::is_empty), lengths, marks }
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
            Dialect { delimiter: b'"', ..base.clone() },
            Dialect { delimiter: b'\n', ..base.clone() },
            Dialect { quote: Some(0xa7), ..base.clone() },
            Dialect { escape: Some(b','), ..base.clone() },
            Dialect { comment: Some(b'"'), ..base.clone() },
            Dialect { null_marks: vec![b"a,b".to_vec()], ..base.clone() },
            Dialect { record_bytes_max: 0, ..base.clone() },
            Dialect { record_bytes_max: RECORD_BYTES_LIMIT + 1, ..base.clone() },
        ];
        for dialect in refused {
            let error = dialect.validate().expect_err("a conflict");
            assert_eq!(error.kind(), ErrorKind::Settings, "{error}");
        }
        let accepted = Dialect { escape: Some(b'"'), ..base };
        assert!(accepted.validate().is_ok());
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
        assert!(!marks.holds(b""));
    }
}
