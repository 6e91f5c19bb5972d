//! A cursor over the bytes of a text, for the readers of everything but the plainest forms.

use super::{EMPTY, FORM, Fault};

/// Longer texts are refused: the server's own field buffers hold 128 bytes, separators included.
const TEXT_BYTES_MAX: usize = 100;

/// What is left to read of a text. Copied to look ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Over `text` without the white space around it.
    pub(super) fn new(text: &'a [u8]) -> Result<Self, Fault> {
        let text = trim(text);
        match text.len() {
            0 => Err(EMPTY),
            1..=TEXT_BYTES_MAX => Ok(Self(text)),
            _ => Err(FORM),
        }
    }

    /// All that is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes the next byte if it is one of `wanted`.
    pub(super) fn take(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| wanted.contains(byte))?;
        self.0 = &self.0[1..];
        Some(byte)
    }

    /// Takes white space, if there is any.
    pub(super) fn take_spaces(&mut self) -> bool {
        !self.take_while(is_space).is_empty()
    }

    /// Takes the digits that come next.
    pub(super) fn take_digits(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte.is_ascii_digit())
    }

    /// Takes the letters that come next.
    pub(super) fn take_letters(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte.is_ascii_alphabetic())
    }

    /// Takes at most `most` of the digits that come next.
    pub(super) fn take_up_to(&mut self, most: usize) -> &'a [u8] {
        let count = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    /// Takes a number of `least` to `most` digits.
    pub(super) fn take_number(&mut self, least: usize, most: usize) -> Result<i64, Fault> {
        let digits = self.take_digits();
        if digits.len() < least || digits.len() > most { Err(FORM) } else { number(digits).ok_or(FORM) }
    }

    /// Takes bytes as long as they are `wanted`.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| !wanted(byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }
}

/// The number that `digits` spell; `None` past `i64`.
pub(super) fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
}

/// Without the white space around it, as C's `isspace` knows it.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let Some(start) = text.iter().position(|&byte| !is_space(byte)) else { return &[] };
    let end = text.iter().rposition(|&byte| !is_space(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// White space, to the server.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_what_the_server_skips() {
        assert_eq!(trim(b" \t\n\x0b\x0c\ra b\n"), b"a b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim("\u{a0}1".as_bytes()), "\u{a0}1".as_bytes());
    }

    #[test]
    fn a_number_past_all_bounds_is_none() {
        assert_eq!(number(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(number(b"9223372036854775808"), None);
    }
}
