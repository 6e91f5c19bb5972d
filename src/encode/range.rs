//! Ranges: flags, and the bounds that are not infinite; and how their literals are read.
//!
//! The binary form is that of `range_send` in the server's `rangetypes.c`. Ranges of integers and dates are brought to
//! the form `[a,b)`, as the server brings them, and one that holds nothing becomes `empty`.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{StringBuilder, UInt8Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use arrow_array::{Array, ArrayRef, StringArray, StructArray};
use arrow_schema::DataType;

use super::choose::{Choice, choose};
use super::component::{Component, Gathered};
use super::composite::of_columns;
use super::field::{Fault, FieldEncoder, LENGTH_BYTES, Prepared};
use super::order::{Order, integer};
use super::quoted::Cursor;
use super::values::{Texts, is_space, shown};
use crate::schema::{PgKind, PgType, Reading};

/// Flags of the binary form.
pub(super) const EMPTY: u8 = 0x01;
pub(super) const LOWER_INCLUSIVE: u8 = 0x02;
pub(super) const UPPER_INCLUSIVE: u8 = 0x04;
pub(super) const LOWER_INFINITE: u8 = 0x08;
pub(super) const UPPER_INFINITE: u8 = 0x10;

/// The first day, counted from 2000-01-01, that is beyond the server's dates: 5874898-01-01.
const DATE_END: i64 = 2_145_031_949;

/// One end of a range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// Its place among the bounds of the group.
    at: usize,
    lower: bool,
    inclusive: bool,
    infinite: bool,
}

/// A range that holds something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) lower: Bound,
    pub(super) upper: Bound,
}

/// Encodes ranges of a group that are given as structs of flags, lower and upper bounds.
pub(super) struct Ranges {
    lower: Component,
    upper: Component,
    order: Order,
    /// What is added to a bound's value to bring it to the form `[a,b)`, for types that have that form.
    step: Option<Step>,
}

/// How the next value of a discrete type is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Int4,
    Int8,
    Date,
}

impl Ranges {
    /// For bounds of `subtype`; the choice for it if that is none that has a binary form here.
    pub(super) fn try_new(subtype: &PgType, discrete: bool, reading: &Reading) -> Result<Self, Choice> {
        let encoder = || match choose(&DataType::Utf8, subtype, &reading.inside()) {
            Choice::Binary(encoder) => Ok(Component::new(encoder)),
            other => Err(other),
        };
        let step = match subtype.kind {
            PgKind::Int4 => Some(Step::Int4),
            PgKind::Int8 => Some(Step::Int8),
            PgKind::Date => Some(Step::Date),
            _ => None,
        };
        let order = Order::of(&subtype.kind).filter(|_| discrete <= step.is_some());
        let order = order.ok_or_else(Choice::input_text::<StringArray>)?;
        Ok(Self { lower: encoder()?, upper: encoder()?, order, step: step.filter(|_| discrete) })
    }

    /// The ranges with prepared bounds.
    pub(super) fn prepare(&self, ranges: &StructArray) -> Result<StructArray, Fault> {
        let columns = vec![
            Arc::clone(ranges.column(0)),
            self.lower.prepare(ranges.column(1))?,
            self.upper.prepare(ranges.column(2))?,
        ];
        Ok(of_columns(columns, ranges.len(), ranges.nulls().cloned()))
    }

    /// Encodes the bounds of these rows.
    pub(super) fn encode(&mut self, ranges: &StructArray, rows: Range<usize>) -> Result<(), Fault> {
        self.lower.encode(ranges.column(1), rows.clone())?;
        self.upper.encode(ranges.column(2), rows)
    }

    /// The range with these flags at this place of the group, in the server's form; `None` if it holds nothing.
    pub(super) fn span(&mut self, at: usize, flags: u8) -> Result<Option<Span>, &'static str> {
        if flags & EMPTY != 0 {
            return Ok(None);
        }
        let has = |flag| flags & flag != 0;
        let mut span = Span {
            lower: Bound { at, lower: true, inclusive: has(LOWER_INCLUSIVE), infinite: has(LOWER_INFINITE) },
            upper: Bound { at, lower: false, inclusive: has(UPPER_INCLUSIVE), infinite: has(UPPER_INFINITE) },
        };
        if self.is_empty(span)? {
            return Ok(None);
        }
        if let Some(step) = self.step {
            step.normalise(&mut span, self.lower.value_mut(at), self.upper.value_mut(at))?;
        }
        Ok((!self.is_empty(span)?).then_some(span))
    }

    fn is_empty(&self, span: Span) -> Result<bool, &'static str> {
        match self.compare_values(span.lower, span.upper) {
            Ordering::Less => Ok(false),
            Ordering::Equal => Ok(!(span.lower.inclusive && span.upper.inclusive)),
            Ordering::Greater => Err("its lower bound is above its upper bound"),
        }
    }

    fn value(&self, bound: Bound) -> &[u8] {
        if bound.lower { self.lower.value(bound.at) } else { self.upper.value(bound.at) }
    }

    /// How the values of two bounds stand to each other, whether they belong to the range or not.
    pub(super) fn compare_values(&self, one: Bound, other: Bound) -> Ordering {
        // An infinite lower bound is below all, an infinite upper bound above all.
        let rank = |bound: Bound| match (bound.infinite, bound.lower) {
            (true, true) => -1,
            (true, false) => 1,
            (false, _) => 0,
        };
        match rank(one).cmp(&rank(other)) {
            Ordering::Equal if rank(one) == 0 => self.order.compare(self.value(one), self.value(other)),
            unequal => unequal,
        }
    }

    /// How two bounds stand to each other: `[1` is below `(1`, and `1)` is below `1]`.
    pub(super) fn compare(&self, one: Bound, other: Bound) -> Ordering {
        // On which side of its value a bound stands.
        let side = |bound: Bound| match (bound.inclusive || bound.infinite, bound.lower) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => -1,
        };
        self.compare_values(one, other).then(side(one).cmp(&side(other)))
    }

    /// Whether an upper and a lower bound meet with nothing between them and nothing in both.
    pub(super) fn touches(&self, upper: Bound, lower: Bound) -> bool {
        self.compare_values(upper, lower) == Ordering::Equal && upper.inclusive != lower.inclusive
    }

    /// Appends the binary form of a range.
    pub(super) fn put(&self, span: Option<Span>, out: &mut Vec<u8>) {
        let Some(Span { lower, upper }) = span else { return out.push(EMPTY) };
        let flag = |bound: Bound, inclusive, infinite| match (bound.infinite, bound.inclusive) {
            (true, _) => infinite,
            (false, true) => inclusive,
            (false, false) => 0,
        };
        out.push(flag(lower, LOWER_INCLUSIVE, LOWER_INFINITE) | flag(upper, UPPER_INCLUSIVE, UPPER_INFINITE));
        for bound in [lower, upper].into_iter().filter(|bound| !bound.infinite) {
            let component = if bound.lower { &self.lower } else { &self.upper };
            out.extend_from_slice(component.field(bound.at));
        }
    }

    /// Bytes that [`put`](Self::put) appends.
    pub(super) fn length(&self, span: Option<Span>) -> usize {
        let held = |bound: Bound| if bound.infinite { 0 } else { LENGTH_BYTES + self.value(bound).len() };
        1 + span.map_or(0, |span| held(span.lower) + held(span.upper))
    }
}

impl Step {
    /// Brings bounds to the form `[a,b)`. An infinite date stays as it is.
    fn normalise(self, span: &mut Span, lower: &mut [u8], upper: &mut [u8]) -> Result<(), &'static str> {
        for (bound, value) in [(&mut span.lower, lower), (&mut span.upper, upper)] {
            let moves = !bound.infinite && bound.inclusive != bound.lower && !self.is_infinity(value);
            if moves {
                self.advance(value)?;
                bound.inclusive = bound.lower;
            }
        }
        Ok(())
    }

    fn is_infinity(self, value: &[u8]) -> bool {
        self == Self::Date && matches!(integer(value), day if day == i64::from(i32::MAX) || day == i64::from(i32::MIN))
    }

    fn advance(self, value: &mut [u8]) -> Result<(), &'static str> {
        let end = match self {
            Self::Int4 => 1 << 31,
            Self::Int8 => i64::MAX,
            Self::Date => DATE_END,
        };
        let next = integer(value).checked_add(1);
        let next =
            next.filter(|next| *next < end || (self == Self::Int8 && *next == end)).ok_or("a bound is out of range")?;
        let bytes = next.to_be_bytes();
        value.copy_from_slice(&bytes[bytes.len() - value.len()..]);
        Ok(())
    }
}

/// Encodes a column of ranges.
struct RangeField {
    ranges: Ranges,
    gathered: Gathered,
}

/// The encoder that feeds a range type from range literals.
pub(super) fn from_text<V: Texts>(subtype: &PgType, discrete: bool, reading: &Reading) -> Choice {
    match Ranges::try_new(subtype, discrete, reading) {
        Ok(ranges) => {
            let encoder = Box::new(RangeField { ranges, gathered: Gathered::default() });
            Choice::Binary(Prepared::boxed(read_ranges::<V>, encoder))
        }
        Err(Choice::Text(_)) => Choice::input_text::<V>(),
        Err(other) => other,
    }
}

impl FieldEncoder for RangeField {
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        Ok(Arc::new(self.ranges.prepare(column.as_struct())?))
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let column = column.as_struct();
        let flags = column.column(0).as_primitive::<UInt8Type>();
        self.ranges.encode(column, rows.clone())?;
        self.gathered.clear();
        for (at, (row, length)) in rows.zip(lengths).enumerate() {
            if column.is_valid(row) {
                let span = self
                    .ranges
                    .span(at, flags.value(row))
                    .map_err(|reason| Fault { row, reason: reason.to_owned() })?;
                self.ranges.put(span, self.gathered.buffer());
            }
            *length += self.gathered.end().map_err(|reason| Fault { row, reason })?;
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.gathered.write(column, rows, out, cursors);
    }
}

/// Flags and bounds of range literals, the bounds as texts.
fn read_ranges<V: Texts>(column: &ArrayRef) -> Result<ArrayRef, Fault> {
    let array = V::of(column);
    let mut reader = RangeReader::default();
    for row in 0..array.len() {
        match array.is_valid(row) {
            true => reader.read(array.text(row)).map_err(|reason| Fault { row, reason })?,
            false => reader.push_null(),
        }
    }
    Ok(Arc::new(of_columns(reader.finish(), array.len(), array.nulls().cloned())))
}

/// Reads range literals to columns of flags, lower and upper bounds.
#[derive(Default)]
pub(super) struct RangeReader {
    flags: UInt8Builder,
    lower: StringBuilder,
    upper: StringBuilder,
    part: String,
}

impl RangeReader {
    pub(super) fn push_null(&mut self) {
        self.push(EMPTY);
        self.lower.append_null();
        self.upper.append_null();
    }

    fn push(&mut self, flags: u8) {
        self.flags.append_value(flags);
    }

    pub(super) fn finish(mut self) -> Vec<ArrayRef> {
        vec![Arc::new(self.flags.finish()), Arc::new(self.lower.finish()), Arc::new(self.upper.finish())]
    }

    pub(super) fn read(&mut self, text: &str) -> Result<(), String> {
        let start = text.trim_start_matches(is_space);
        let read = match after_empty(start) {
            Some(rest) if rest.trim_start_matches(is_space).is_empty() => {
                self.push_null();
                Ok(())
            }
            Some(_) => Err("something follows its end"),
            None => self.read_bounds(start),
        };
        read.map_err(|fault| format!("{} is not a range: {fault}", shown(text)))
    }

    fn read_bounds(&mut self, text: &str) -> Result<(), &'static str> {
        let mut cursor = Cursor { rest: text };
        let mut flags = match (cursor.take(b'['), cursor.rest) {
            (true, _) => LOWER_INCLUSIVE,
            (false, _) if cursor.take(b'(') => 0,
            _ => return Err("a bracket or parenthesis is missing"),
        };
        let mut bound = |column: &mut StringBuilder, infinite: u8| {
            let found = cursor.part(b",)]", &mut self.part)?;
            column.append_option(found.then_some(&self.part));
            flags |= if found { 0 } else { infinite };
            let end = cursor.rest.as_bytes()[0];
            cursor.rest = &cursor.rest[1..];
            Ok::<u8, &'static str>(end)
        };
        if bound(&mut self.lower, LOWER_INFINITE)? != b',' {
            return Err("a comma is missing");
        }
        match bound(&mut self.upper, UPPER_INFINITE)? {
            b']' => flags |= UPPER_INCLUSIVE,
            b')' => {}
            _ => return Err("it has too many commas"),
        }
        cursor.skip_space();
        if !cursor.rest.is_empty() {
            return Err("something follows its end");
        }
        self.push(flags);
        Ok(())
    }
}

/// What follows the word `empty` at the start of `text`.
pub(super) fn after_empty(text: &str) -> Option<&str> {
    const WORD: &str = "empty";
    text.get(..WORD.len()).filter(|word| word.eq_ignore_ascii_case(WORD)).map(|word| &text[word.len()..])
}
