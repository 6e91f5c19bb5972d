//! How encoders look into arrays: typed access by row, and how a value is shown in a reason.

use std::ops::Range;

use arrow_array::{
    Array, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray,
    StringArray, StringViewArray,
};
use arrow_buffer::NullBuffer;

/// Characters of a value that a reason shows.
const SHOWN_CHARACTERS: usize = 40;

/// An array whose Arrow type is known.
pub(super) trait Values: Array + Sized + 'static {
    /// `column` as what it is; the encoder has checked its type.
    fn of(column: &dyn Array) -> &Self {
        column.as_any().downcast_ref().expect("a column has the Arrow type that its encoder was made for")
    }
}

impl<A: ArrowPrimitiveType> Values for PrimitiveArray<A> {}
impl Values for BooleanArray {}
impl Values for StringArray {}
impl Values for StringViewArray {}
impl Values for BinaryArray {}
impl Values for BinaryViewArray {}
impl Values for FixedSizeBinaryArray {}

/// An array of byte strings.
pub(super) trait Bytes: Values {
    /// The value in `row`.
    fn bytes(&self, row: usize) -> &[u8];
}

/// An array of texts.
pub(super) trait Texts: Bytes {
    /// The value in `row`.
    fn text(&self, row: usize) -> &str;
}

macro_rules! bytes {
    ($($array:ty),*) => {$(
        impl Bytes for $array {
            #[inline]
            fn bytes(&self, row: usize) -> &[u8] {
                self.value(row).as_ref()
            }
        }
    )*};
}

bytes!(StringArray, StringViewArray, BinaryArray, BinaryViewArray, FixedSizeBinaryArray);

impl Texts for StringArray {
    #[inline]
    fn text(&self, row: usize) -> &str {
        self.value(row)
    }
}

impl Texts for StringViewArray {
    #[inline]
    fn text(&self, row: usize) -> &str {
        self.value(row)
    }
}

/// The validity of `rows`, unless all of them are valid.
pub(super) fn nulls_in(array: &dyn Array, rows: &Range<usize>) -> Option<NullBuffer> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(nulls.slice(rows.start, rows.len())).filter(|nulls| nulls.null_count() > 0)
}

/// The value in quotation marks, cut where it is long.
pub(super) fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("\"{}…\"", &value[..end]),
        None => format!("\"{value}\""),
    }
}

/// `text` without the white space that the server's input functions skip on both sides.
#[inline]
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether the C library calls it white space; unlike Rust's own notion, vertical tab is, and nothing beyond ASCII.
#[inline]
pub(super) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_shows_at_most_forty_characters_of_a_value() {
        assert_eq!(shown("abc"), "\"abc\"");
        let long = "é".repeat(41);
        assert_eq!(shown(&long), format!("\"{}…\"", "é".repeat(40)));
    }
}
