//! The text of fields: what a quoted field means, and a column of texts that is filled with one copy of each value.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::StringArray;
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use memchr::memchr2;

use super::dialect::{NullMarks, Symbols};
use super::encoding::Legacy;
use super::record::Field;

/// Values up to this length, which timestamps do not exceed, are copied with two moves of fixed size, past their end
/// where there is room.
const SHORT_BYTES: usize = 32;

impl Symbols {
    /// The quote, and the byte that makes a quote literal. Only called for fields that hold a quote.
    pub(super) fn quote_and_escape(&self) -> (u8, u8) {
        let quote = self.quote.expect("only a dialect with quotes finds a quoted field");
        (quote, self.escape.unwrap_or(quote))
    }

    /// Where the text of a quoted field stands, if it stands in one run: `"abc"` without an inner quote or escape.
    fn plain_text(&self, raw: &[u8]) -> Option<Range<usize>> {
        let (quote, escape) = self.quote_and_escape();
        let [first, text @ .., last] = raw else { return None };
        (*first == quote && *last == quote && memchr2(quote, escape, text).is_none()).then_some(1..raw.len() - 1)
    }

    /// Appends the text of the quoted field `raw` to `text`.
    fn unquote(&self, raw: &[u8], text: &mut Vec<u8>) {
        if self.keeps_stray_quotes {
            return self.unquote_keeping(raw, text);
        }
        let (quote, escape) = self.quote_and_escape();
        let (mut at, mut inside) = (0, false);
        while at < raw.len() {
            let rest = &raw[at..];
            let found = if inside { memchr2(quote, escape, rest) } else { memchr::memchr(quote, rest) };
            let Some(found) = found else { return text.extend_from_slice(rest) };
            text.extend_from_slice(&rest[..found]);
            at += found + 1;
            match rest.get(found + 1) {
                Some(&next) if inside && rest[found] == escape && (next == quote || next == escape) => {
                    text.push(next);
                    at += 1;
                }
                _ if rest[found] == quote => inside = !inside,
                _ => text.push(escape),
            }
        }
    }

    /// `field` of `piece` without the blanks around it, where these are no part of it.
    pub(super) fn trimmed(&self, piece: &[u8], field: Field) -> Field {
        if !self.trims {
            return field;
        }
        let raw = &piece[field.start..field.end];
        let start = field.start + raw.iter().take_while(|&&byte| self.is_blank(byte)).count();
        Field { start, end: start + self.trim(raw).len(), ..field }
    }

    /// The text of `field` of `piece`, in `scratch` where it does not stand in one run.
    pub(super) fn text<'a>(&self, piece: &'a [u8], field: Field, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let raw = &piece[field.start..field.end];
        if !field.quoted {
            return raw;
        }
        if let Some(text) = self.plain_text(raw) {
            return &raw[text];
        }
        scratch.clear();
        self.unquote(raw, scratch);
        scratch
    }
}

/// A column of texts.
#[derive(Debug)]
pub(super) struct TextColumn {
    /// Filled up to the last offset; what stands behind is garbage.
    bytes: Vec<u8>,
    filled: usize,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
    /// What the text is encoded in, where that is not UTF-8.
    legacy: Option<Arc<Legacy>>,
    /// Rows whose raw field is not UTF-8 although their text may be: a quote cuts a character in two.
    torn: Vec<usize>,
}

impl TextColumn {
    /// With room for so many rows and bytes.
    pub(super) fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let nulls = NullBufferBuilder::new(rows);
        Self { bytes: vec![0; bytes], filled: 0, offsets, nulls, legacy: None, torn: Vec::new() }
    }

    /// For text that is to be transcoded in the end.
    pub(super) fn with_legacy(mut self, legacy: Option<Arc<Legacy>>) -> Self {
        self.legacy = legacy;
        self
    }

    /// Bytes of text so far.
    pub(super) fn bytes(&self) -> usize {
        self.filled
    }

    fn end_row(&mut self) {
        self.offsets.push(i32::try_from(self.filled).expect("a batch stops long before 2 GiB of text"));
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.nulls.append_null();
        self.end_row();
    }

    /// Adds `piece[range]` as it stands.
    #[inline]
    pub(super) fn push(&mut self, piece: &[u8], range: Range<usize>) {
        let bytes = range.len();
        match piece.get(range.start..range.start + SHORT_BYTES) {
            Some(short) if bytes <= SHORT_BYTES => {
                self.make_room(SHORT_BYTES);
                self.bytes[self.filled..self.filled + SHORT_BYTES].copy_from_slice(short);
            }
            _ => {
                self.make_room(bytes);
                self.bytes[self.filled..self.filled + bytes].copy_from_slice(&piece[range]);
            }
        }
        self.filled += bytes;
        self.nulls.append_non_null();
        self.end_row();
    }

    /// Adds the text of a quoted field.
    pub(super) fn push_quoted(&mut self, piece: &[u8], field: Field, nulls: &NullMarks, symbols: &Symbols) {
        let raw = &piece[field.start..field.end];
        if let Some(text) = symbols.plain_text(raw) {
            if nulls.holds_quoted(&raw[text.clone()]) {
                return self.push_null();
            }
            return self.push(piece, field.start + text.start..field.start + text.end);
        }
        if self.legacy.is_none() && !raw.is_ascii() && std::str::from_utf8(raw).is_err() {
            self.torn.push(self.offsets.len() - 1);
        }
        self.bytes.truncate(self.filled);
        symbols.unquote(raw, &mut self.bytes);
        if nulls.holds_quoted(&self.bytes[self.filled..]) {
            return self.push_null();
        }
        self.filled = self.bytes.len();
        self.nulls.append_non_null();
        self.end_row();
    }

    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.bytes.len() < self.filled + bytes {
            self.bytes.resize((self.filled + bytes).next_power_of_two().max(1 << 10), 0);
        }
    }

    /// The column as Arrow has it, and the rows that are not UTF-8, which are null there.
    pub(super) fn finish(mut self) -> (StringArray, Vec<usize>) {
        self.bytes.truncate(self.filled);
        if let Some(legacy) = self.legacy.take().filter(|_| !self.bytes.is_ascii()) {
            self.transcode(&legacy);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = Buffer::from_vec(self.bytes);
        let nulls = self.nulls.finish();
        // This validates the text as a whole, and that no character spans two values.
        match StringArray::try_new(offsets.clone(), values.clone(), nulls.clone()) {
            Ok(array) if self.torn.is_empty() => (array, Vec::new()),
            _ => without_invalid(&offsets, &values, nulls.as_ref(), &self.torn),
        }
    }
}

impl TextColumn {
    /// Puts UTF-8 in the place of all texts. What is no text becomes what is no UTF-8 either.
    fn transcode(&mut self, legacy: &Legacy) {
        let mut text = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 4);
        let mut start = 0;
        for end in &mut self.offsets[1..] {
            let next = usize::try_from(*end).expect("offsets only grow from 0");
            if legacy.decode(&self.bytes[start..next], &mut text).is_err() {
                text.push(0xff);
            }
            *end = i32::try_from(text.len()).expect("records are short enough to grow");
            start = next;
        }
        self.bytes = text;
    }
}

/// The texts, but null where they are not UTF-8 or `torn`, and the rows where that is so.
fn without_invalid(
    offsets: &[i32],
    values: &[u8],
    nulls: Option<&NullBuffer>,
    torn: &[usize],
) -> (StringArray, Vec<usize>) {
    let at = |offset: i32| usize::try_from(offset).expect("offsets only grow from 0");
    let mut invalid = Vec::new();
    let text = |(row, ends): (usize, &[i32])| {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        let text = std::str::from_utf8(&values[at(ends[0])..at(ends[1])]).ok();
        let text = text.filter(|_| torn.binary_search(&row).is_err());
        if text.is_none() {
            invalid.push(row);
        }
        text
    };
    let texts: StringArray = offsets.windows(2).enumerate().map(text).collect();
    (texts, invalid)
}
