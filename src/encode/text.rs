//! `text`, `varchar`, `char` and enums: bytes that are sent as they stand, if a rule admits them.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryViewArray, StringArray};
use arrow_schema::DataType;

use super::choose::Choice;
use super::field::{Built, Fault, FieldEncoder, LENGTH_BYTES, field_length, put_field, put_null};
use super::values::{Bytes, Texts, shown};
use crate::schema::{PgKind, PgType};

/// The type `text`, by whose rules texts for other types are checked and printed.
pub(super) fn plain() -> PgType {
    /// From the server's catalog, `pg_type.dat`.
    const TEXT_OID: u32 = 25;
    PgType { oid: TEXT_OID, name: "text".to_owned(), kind: PgKind::Text }
}

/// Decides whether bytes may be sent, and which of them.
pub(super) trait Rule: Send + 'static {
    /// The part of `value` that is sent, or why it cannot be.
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String>;

    /// The part of an admitted value that is sent.
    fn part<'a>(&self, value: &'a [u8]) -> &'a [u8] {
        value
    }
}

/// Admits everything.
pub(super) struct Whole;

impl Rule for Whole {
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String> {
        Ok(value)
    }
}

/// Admits text, which holds no NUL.
struct NoNul;

impl Rule for NoNul {
    #[inline]
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String> {
        if memchr::memchr(0, value).is_some() { Err(nul()) } else { Ok(value) }
    }
}

fn nul() -> String {
    "the text holds a NUL character".to_owned()
}

/// Admits text of up to so many characters; spaces beyond them are cut, as the server cuts them.
struct Within(usize);

impl Rule for Within {
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String> {
        let part = self.part(NoNul.admit(value)?);
        if value[part.len()..].iter().all(|byte| *byte == b' ') {
            return Ok(part);
        }
        let shown = shown(&String::from_utf8_lossy(value));
        Err(format!("{shown} is longer than {} characters", self.0))
    }

    fn part<'a>(&self, value: &'a [u8]) -> &'a [u8] {
        if value.len() <= self.0 {
            return value; // a character has at least one byte
        }
        let starts = value.iter().enumerate().filter(|(_, byte)| !is_continuation(**byte));
        starts.map(|(at, _)| at).nth(self.0).map_or(value, |end| &value[..end])
    }
}

/// Whether a byte of UTF-8 continues a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Admits the labels of an enum.
pub(super) struct Labels {
    labels: HashSet<Box<[u8]>>,
    type_name: String,
}

impl Labels {
    pub(super) fn new(labels: &[String], type_name: &str) -> Self {
        let labels = labels.iter().map(|label| label.as_bytes().into()).collect();
        Self { labels, type_name: type_name.to_owned() }
    }
}

impl Rule for Labels {
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String> {
        if self.labels.contains(value) {
            return Ok(value);
        }
        Err(format!("{} is not a label of {}", shown(&String::from_utf8_lossy(value)), self.type_name))
    }
}

/// Fields that are the bytes of an array as they stand, as far as a rule admits them.
pub(super) struct Direct<V, R> {
    rule: R,
    values: PhantomData<fn(V)>,
}

impl<V: Bytes, R: Rule> Direct<V, R> {
    pub(super) fn boxed(rule: R) -> Box<dyn FieldEncoder> {
        Box::new(Self { rule, values: PhantomData })
    }
}

impl<V: Bytes, R: Rule> FieldEncoder for Direct<V, R> {
    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let array = V::of(column);
        for (row, length) in rows.zip(lengths) {
            if array.is_null(row) {
                *length += LENGTH_BYTES;
                continue;
            }
            let admitted = self.rule.admit(array.bytes(row)).and_then(|part| field_length(part.len()));
            *length += admitted.map_err(|reason| Fault { row, reason })?;
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        let array = V::of(column);
        for (row, cursor) in rows.zip(cursors) {
            if array.is_null(row) {
                put_null(out, cursor);
            } else {
                put_field(out, cursor, self.rule.part(array.bytes(row)));
            }
        }
    }
}

/// What a text type allows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// Any length.
    None,
    /// At most so many characters.
    Most(usize),
    /// Exactly so many characters, reached by spaces at the end.
    Padded(usize),
}

impl Limit {
    /// The limit of a text type; none for other types.
    pub(super) fn of(kind: &PgKind) -> Self {
        // A length of 32 bits fits `usize` wherever this runs; where not, nothing as long could be held either.
        let characters = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
        match kind {
            PgKind::Varchar(Some(length)) => Self::Most(characters(*length)),
            PgKind::Char(Some(length)) => Self::Padded(characters(*length)),
            _ => Self::None,
        }
    }

    /// Appends `text` if it keeps the limit.
    pub(super) fn put(self, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let part = match self {
            Self::None => NoNul.admit(text.as_bytes())?,
            Self::Most(characters) | Self::Padded(characters) => Within(characters).admit(text.as_bytes())?,
        };
        out.extend_from_slice(part);
        if let Self::Padded(characters) = self {
            let held = part.iter().filter(|byte| !is_continuation(**byte)).count();
            out.resize(out.len() + characters - held, b' ');
        }
        Ok(())
    }
}

/// The encoder that feeds a text type from texts.
pub(super) fn from_text<V: Texts>(limit: Limit) -> Choice {
    Choice::Binary(match limit {
        Limit::None => Direct::<V, _>::boxed(NoNul),
        Limit::Most(characters) => Direct::<V, _>::boxed(Within(characters)),
        Limit::Padded(_) => {
            Built::<V, _>::boxed(move |array: &V, row, out: &mut Vec<u8>| limit.put(array.text(row), out))
        }
    })
}

/// Byte strings of any type as views.
pub(super) fn viewed(column: &ArrayRef) -> ArrayRef {
    arrow_cast::cast(column, &DataType::BinaryView).expect("byte strings can be viewed")
}

/// `column`, an array of byte strings, as `StringArray`, if all of them are UTF-8.
pub(super) fn checked_utf8(column: &ArrayRef) -> Result<ArrayRef, Fault> {
    let view = viewed(column);
    let view: &BinaryViewArray = view.as_binary_view();
    let mut texts: Vec<Option<&str>> = Vec::with_capacity(view.len());
    for (row, value) in view.iter().enumerate() {
        let text = value.map(std::str::from_utf8).transpose();
        texts.push(text.map_err(|fault| {
            let reason = format!("its byte {} is not UTF-8", fault.valid_up_to());
            Fault { row, reason }
        })?);
    }
    Ok(Arc::new(StringArray::from(texts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(limit: Limit, text: &str) -> Result<String, String> {
        let mut out = Vec::new();
        limit.put(text, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn varchar_cuts_spaces_beyond_its_length_and_nothing_else() {
        assert_eq!(put(Limit::Most(3), "äöü"), Ok("äöü".into()));
        assert_eq!(put(Limit::Most(3), "äöü  "), Ok("äöü".into()));
        assert_eq!(put(Limit::Most(3), "ab "), Ok("ab ".into()));
        assert_eq!(put(Limit::Most(3), "äöüx"), Err("\"äöüx\" is longer than 3 characters".into()));
    }

    #[test]
    fn char_is_padded_by_characters() {
        assert_eq!(put(Limit::Padded(4), "äö"), Ok("äö  ".into()));
        assert_eq!(put(Limit::Padded(2), "äö   "), Ok("äö".into()));
        assert_eq!(put(Limit::Padded(1), "äö"), Err("\"äö\" is longer than 1 characters".into()));
    }

    #[test]
    fn text_with_nul_is_refused() {
        assert_eq!(put(Limit::None, "a\0b"), Err("the text holds a NUL character".into()));
        assert_eq!(put(Limit::Most(5), "a\0b"), Err("the text holds a NUL character".into()));
    }

    #[test]
    fn an_enum_takes_its_labels_to_the_letter() {
        let mut labels = Labels::new(&["sad".into(), "ok".into()], "mood");
        assert!(labels.admit(b"ok").is_ok());
        assert_eq!(labels.admit(b"OK"), Err("\"OK\" is not a label of mood".into()));
    }
}
