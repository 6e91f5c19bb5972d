//! Multiranges: ranges that are sorted, and of which none touches another.
//!
//! The binary form is that of `multirange_send` in the server's `multirangetypes.c`: how many ranges, then each with its
//! length. Sorting and joining are those of `multirange_canonicalize` there.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Field;

use super::choose::Choice;
use super::component::Gathered;
use super::composite::of_columns;
use super::field::{Fault, FieldEncoder, Prepared};
use super::range::{RangeReader, Ranges, Span, after_empty};
use super::sort::sort;
use super::values::{Texts, is_space, shown};
use crate::schema::{PgKind, PgType, Reading};

/// Encodes a column of lists of ranges.
struct Multirange {
    ranges: Ranges,
    /// The ranges of one row.
    spans: Vec<Span>,
    gathered: Gathered,
}

/// The encoder that feeds a multirange type from its literals.
pub(super) fn from_text<V: Texts>(range: &PgType, reading: &Reading) -> Choice {
    let text = || Choice::input_text::<V>();
    let PgKind::Range { subtype, discrete } = &range.kind else { return text() };
    match Ranges::try_new(subtype, *discrete, reading) {
        Ok(ranges) => {
            let encoder = Multirange { ranges, spans: Vec::new(), gathered: Gathered::default() };
            Choice::Binary(Prepared::boxed(read_multiranges::<V>, Box::new(encoder)))
        }
        Err(Choice::Text(_)) => text(),
        Err(other) => other,
    }
}

impl Multirange {
    /// Sorts the ranges of a row, and joins those that overlap or touch.
    fn normalise(&mut self) {
        let Self { ranges, spans, .. } = self;
        sort(spans, &|one: &Span, next: &Span| {
            ranges.compare(one.lower, next.lower).then_with(|| ranges.compare(one.upper, next.upper))
        });
        let mut held: usize = 0;
        for at in 0..spans.len() {
            let next = spans[at];
            match held.checked_sub(1).map(|last| spans[last]) {
                Some(last) if !is_apart(ranges, last, next) => spans[held - 1] = joined(ranges, last, next),
                _ => {
                    spans[held] = next;
                    held += 1;
                }
            }
        }
        spans.truncate(held);
    }

    fn put(&mut self) {
        let Self { ranges, spans, gathered } = self;
        let out = gathered.buffer();
        put_length(spans.len(), out);
        for span in spans {
            put_length(ranges.length(Some(*span)), out);
            ranges.put(Some(*span), out);
        }
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    // What is too long for 32 bits is too long for a field, which is found when it ends.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Whether there is room between the end of one range and the beginning of the next.
fn is_apart(ranges: &Ranges, one: Span, next: Span) -> bool {
    let touching = ranges.touches(one.upper, next.lower) || ranges.touches(next.upper, one.lower);
    !touching && ranges.compare(one.upper, next.lower) == Ordering::Less
}

fn joined(ranges: &Ranges, one: Span, next: Span) -> Span {
    let lower = if ranges.compare(one.lower, next.lower) == Ordering::Less { one.lower } else { next.lower };
    let upper = if ranges.compare(one.upper, next.upper) == Ordering::Greater { one.upper } else { next.upper };
    Span { lower, upper }
}

impl FieldEncoder for Multirange {
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        let list = column.as_list::<i32>();
        let prepared = self.ranges.prepare(list.values().as_struct()).map_err(|fault| at_row(list, fault))?;
        let item = Arc::new(Field::new_list_field(prepared.data_type().clone(), true));
        Ok(Arc::new(ListArray::new(item, list.offsets().clone(), Arc::new(prepared), list.nulls().cloned())))
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let list = column.as_list::<i32>();
        let ranges = list.values().as_struct();
        let flags = ranges.column(0).as_primitive::<UInt8Type>();
        let place = |row: usize| usize::try_from(list.offsets()[row]).expect("offsets are not negative");
        let first = place(rows.start);
        self.ranges.encode(ranges, first..place(rows.end)).map_err(|fault| at_row(list, fault))?;
        self.gathered.clear();
        for (row, length) in rows.zip(lengths) {
            let fault = |reason: String| Fault { row, reason };
            if list.is_valid(row) {
                self.spans.clear();
                for at in place(row)..place(row + 1) {
                    let span =
                        self.ranges.span(at - first, flags.value(at)).map_err(|reason| fault(reason.to_owned()))?;
                    self.spans.extend(span);
                }
                self.normalise();
                self.put();
            }
            *length += self.gathered.end().map_err(fault)?;
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.gathered.write(column, rows, out, cursors);
    }
}

/// The fault of a range as that of the row that holds it.
fn at_row(list: &ListArray, fault: Fault) -> Fault {
    let after = list.offsets().partition_point(|offset| usize::try_from(*offset).is_ok_and(|at| at <= fault.row));
    Fault { row: after.saturating_sub(1), reason: fault.reason }
}

/// The ranges of multirange literals.
fn read_multiranges<V: Texts>(column: &ArrayRef) -> Result<ArrayRef, Fault> {
    let array = V::of(column);
    let (mut reader, mut counts, mut count) = (RangeReader::default(), Vec::with_capacity(array.len()), 0);
    for row in 0..array.len() {
        let before = count;
        if array.is_valid(row) {
            let text = array.text(row);
            read(text, &mut |range| {
                count += 1;
                reader.read(range)
            })
            .map_err(|reason| Fault { row, reason })?;
        }
        counts.push(count - before);
    }
    let ranges = of_columns(reader.finish(), count, None);
    let item = Arc::new(Field::new_list_field(ranges.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(counts);
    Ok(Arc::new(ListArray::new(item, offsets, Arc::new(ranges), array.nulls().cloned())))
}

/// Hands the literal of each range of a multirange to `push`, but for empty ones.
fn read(text: &str, push: &mut impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    let refuse = |fault: &str| format!("{} is not a multirange: {fault}", shown(text));
    let skip = |rest: &'_ str| -> usize { rest.len() - rest.trim_start_matches(is_space).len() };
    let mut at = skip(text);
    if !text[at..].starts_with('{') {
        return Err(refuse("an opening brace is missing"));
    }
    at += 1;
    let mut first = true;
    loop {
        at += skip(&text[at..]);
        match text.as_bytes().get(at) {
            Some(b'}') if first => break,
            Some(b'[' | b'(') => {
                let end = at + range_end(&text.as_bytes()[at..]).ok_or_else(|| refuse("it ends too early"))?;
                push(&text[at..end])?;
                at = end;
            }
            None => return Err(refuse("it ends too early")),
            Some(_) => at = text.len() - after_empty(&text[at..]).ok_or_else(|| refuse("a range is missing"))?.len(),
        }
        first = false;
        at += skip(&text[at..]);
        match text.as_bytes().get(at) {
            Some(b',') => at += 1,
            Some(b'}') => break,
            Some(_) => return Err(refuse("a comma or a brace is missing")),
            None => return Err(refuse("it ends too early")),
        }
    }
    at += 1;
    if skip(&text[at..]) == text.len() - at { Ok(()) } else { Err(refuse("something follows its closing brace")) }
}

/// Where the range at the start of `text` ends: behind a bracket that is neither quoted nor escaped. White space does not
/// count as what a backslash escapes.
fn range_end(text: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    let mut at = 1;
    loop {
        let letter = *text.get(at)?;
        at += 1;
        if is_space(char::from(letter)) {
            continue;
        }
        match letter {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if quoted && text.get(at) == Some(&b'"') => at += 1,
            b'"' => quoted = !quoted,
            b']' | b')' if !quoted => return Some(at),
            _ => {}
        }
    }
}
