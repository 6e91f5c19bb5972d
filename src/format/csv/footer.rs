//! The end of an object: where lines begin that are no data, such as a total or a remark.

use memchr::memrchr;

use super::dialect::{Dialect, LineEnd};
use super::offset;
use super::utf16::bytes_of;

/// Where the last [`footer_lines`](Dialect::footer_lines) lines of an object begin in `tail`, its last bytes, and how many
/// lines there are; `None` if more bytes are needed. `whole` says that there are no records before `tail`: then the lines
/// may be fewer; a tail of UTF-16 begins at an even offset. As at the start, lines are counted whatever they hold, and quotes mean nothing in them.
///
/// `dialect` is the one that [`read_header`](super::read_header) found for the object.
#[must_use]
pub fn footer(tail: &[u8], whole: bool, dialect: &Dialect) -> Option<(u64, u64)> {
    match dialect.encoding.utf16() {
        Some(utf16) => {
            let text = utf16.to_utf8(tail);
            find(&text, whole, dialect).map(|(start, lines)| (bytes_of(&text[..start]), lines))
        }
        None => find(tail, whole, dialect).map(|(start, lines)| (offset(start), lines)),
    }
}

fn find(tail: &[u8], whole: bool, dialect: &Dialect) -> Option<(usize, u64)> {
    let terminator = match dialect.line_end {
        LineEnd::Newline => b'\n',
        LineEnd::CarriageReturn => b'\r',
    };
    let (mut start, mut lines) = (tail.len(), 0);
    while lines < dialect.footer_lines && start > 0 {
        // The byte before a line ends the line before it.
        match memrchr(terminator, &tail[..start - 1]) {
            Some(end) => start = end + 1,
            None if whole => start = 0,
            None => return None,
        }
        lines += 1;
    }
    (lines == dialect.footer_lines || whole).then_some((start, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found_whatever_they_hold() {
        let find = |tail: &str, whole, footer_lines| {
            footer(tail.as_bytes(), whole, &Dialect { footer_lines, ..Dialect::default() })
        };
        assert_eq!(find("a,b\n1,2\nTotal \"\n", true, 1), Some((8, 1)));
        assert_eq!(find("a,b\n1,2\nTotal \"", false, 1), Some((8, 1)), "the last line needs no end");
        assert_eq!(find("1,2\r\n\r\nTotal\r\n", true, 2), Some((5, 2)), "an empty line is one");
        assert_eq!(find("1,2\n\n", true, 1), Some((4, 1)));
        assert_eq!(find("x\ny\n", true, 9), Some((0, 2)));
        assert_eq!(find("x\ny\n", false, 2), None);
        assert_eq!(find("", true, 2), Some((0, 0)));
        assert_eq!(find("x\n", true, 0), Some((2, 0)));
        let dialect = Dialect { footer_lines: 1, line_end: LineEnd::CarriageReturn, ..Dialect::default() };
        assert_eq!(footer(b"a\rb\nc\r", true, &dialect), Some((2, 1)));
    }
}
