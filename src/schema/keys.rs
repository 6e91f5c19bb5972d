//! Time keys out of a decoded column of any type that a time column can be fed from.
//!
//! A key is the value that the server will store, so it is worked out exactly or not at all: what would be rounded, cut
//! or moved is a fault of its row. A column's own number of fractional digits is not known here.

use std::fmt::Display;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayAccessor, Int64Array};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use crate::model::KeyKind;
use crate::model::datetime::{
    self, EpochUnit, Fault, MICROS_PER_DAY, MICROS_PER_SECOND, TimeFormat, UNIX_EPOCH_DAYS, days_are_a_date,
    micros_are_a_timestamp,
};
use crate::schema::Reading;

/// Characters of a value that a fault shows at most.
const SHOWN_CHARACTERS_MAX: usize = 40;

const RANGE: Fault = Fault("it is out of the server's range");
const NOT_MIDNIGHT: Fault = Fault("a date would lose its time of day");
const NO_TIME: Fault = Fault("the smallest number of its type stands for no time at all (NaT), which is not null");
const INFINITY_OR_NANOSECOND: Fault =
    Fault("in nanoseconds the last number of its type is infinity to some writers and a time to others");

/// Why a row's value cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueFault {
    /// Row in the batch, from 0.
    pub row: usize,
    /// Position of the column in the mapping.
    pub column: usize,
    /// Why, as a lower-case phrase: `"abc" is not an integer`. Shows at most 40 characters of the value.
    pub reason: String,
}

/// Whether a column of `data_type` can feed a time column of `kind`.
#[must_use]
pub fn can_be_key(data_type: &DataType, kind: KeyKind, reading: &Reading) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => can_be_key(values, kind, reading),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => kind != KeyKind::Integer,
        DataType::Decimal128(_, scale) => *scale == 0 && kind == KeyKind::Integer,
        other => other.is_integer() && (kind == KeyKind::Integer || reading.counts_time()),
    }
}

/// Whether of values of `data_type` some have no key although smaller and larger ones have.
#[must_use]
pub fn may_lack_keys_inside(data_type: &DataType, kind: KeyKind, reading: &Reading) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => may_lack_keys_inside(values, kind, reading),
        // Nanoseconds may be no whole microseconds, and a time of day no date.
        DataType::Timestamp(TimeUnit::Nanosecond, _) if !reading.lossy => true,
        DataType::Timestamp(..) | DataType::Date64 => kind == KeyKind::Date,
        DataType::Date32 | DataType::Null => false,
        other if other.is_integer() => reading.counts_time(),
        other => !matches!(other, DataType::Decimal128(..)),
    }
}

/// Whether values of `data_type` are instants: timestamps with a zone, which one does not matter. An empty name is none.
pub(crate) fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(zone)) if !zone.is_empty())
}

/// The stored keys of `array`, null where it is null. A text or timestamp without an offset is local time in the zone of
/// `reading` where the key is an instant; an instant becomes the local time there where the key has no zone.
///
/// # Errors
///
/// The first row (as `ValueFault` with `column` 0) whose value has no such key.
pub fn stored_keys(array: &dyn Array, kind: KeyKind, reading: &Reading) -> Result<Int64Array, ValueFault> {
    keys_of(array, kind, reading, &mut Err)
}

/// The same, but null where a value has no such key; those faults go to `faults`, in the order of rows.
///
/// # Errors
///
/// If no value of the type of `array` has such a key.
pub fn stored_keys_or_null(
    array: &dyn Array,
    kind: KeyKind,
    reading: &Reading,
    faults: &mut Vec<ValueFault>,
) -> Result<Int64Array, ValueFault> {
    keys_of(array, kind, reading, &mut |fault| {
        faults.push(fault);
        Ok(())
    })
}

/// What to do about a row whose value has no key: an error ends the column there.
type Refuse<'a> = &'a mut dyn FnMut(ValueFault) -> Result<(), ValueFault>;

fn keys_of(array: &dyn Array, kind: KeyKind, reading: &Reading, refuse: Refuse<'_>) -> Result<Int64Array, ValueFault> {
    if !can_be_key(array.data_type(), kind, reading) {
        let reason = format!("a column of type {} cannot be read as {kind}", array.data_type());
        return Err(ValueFault { row: 0, column: 0, reason });
    }
    match array.data_type() {
        DataType::Null => Ok(Int64Array::new_null(array.len())),
        DataType::Utf8 => of_texts(&array.as_string::<i32>(), kind, reading, refuse),
        DataType::LargeUtf8 => of_texts(&array.as_string::<i64>(), kind, reading, refuse),
        DataType::Utf8View => of_texts(&array.as_string_view(), kind, reading, refuse),
        DataType::Dictionary(_, values) => {
            let plain = arrow_cast::cast(array, values).map_err(|error| ValueFault {
                row: 0,
                column: 0,
                reason: format!("the dictionary cannot be read: {error}"),
            })?;
            keys_of(&plain, kind, reading, refuse)
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => of_times(array, kind, reading, refuse),
        _ if kind == KeyKind::Integer => of_integers(array, refuse),
        _ => of_epochs(array, kind, reading, refuse),
    }
}

fn of_texts<'a>(
    texts: &impl ArrayAccessor<Item = &'a str>,
    kind: KeyKind,
    reading: &Reading,
    refuse: Refuse<'_>,
) -> Result<Int64Array, ValueFault> {
    let read = |text: &'a str| key_of_text(text.as_bytes(), kind, reading);
    collect(texts, read, refuse, |text, fault| format!("{} is not a value of type {kind}: {fault}", quoted(text)))
}

/// The stored key that a text spells.
///
/// # Errors
///
/// If it spells none.
#[inline]
pub(crate) fn key_of_text(text: &[u8], kind: KeyKind, reading: &Reading) -> Result<i64, Fault> {
    let Reading { zone, lossy, .. } = reading;
    match (kind, reading.format()) {
        (KeyKind::TimestampTz, None) => datetime::parse_timestamptz(text, zone),
        (KeyKind::Timestamp, None) => datetime::parse_timestamp(text),
        (KeyKind::Date, None) => datetime::parse_date(text).map(i64::from),
        (KeyKind::Integer, _) => read_integer(text),
        (KeyKind::TimestampTz, Some(format)) => datetime::read_timestamptz(format, text, zone, *lossy),
        (KeyKind::Timestamp, Some(format)) => datetime::read_timestamp(format, text, zone, *lossy),
        (KeyKind::Date, Some(format)) => datetime::read_date(format, text, zone, *lossy).map(i64::from),
    }
}

/// An integer in decimal digits, with an optional sign and white space around it.
fn read_integer(text: &[u8]) -> Result<i64, Fault> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    let text = str::from_utf8(&text[start..end]).map_err(|_| Fault("it is not a number"))?;
    text.parse::<i64>().map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => RANGE,
        _ => Fault("it is not an integer in decimal digits"),
    })
}

/// Integers that count time since 1970.
fn of_epochs(
    array: &dyn Array,
    kind: KeyKind,
    reading: &Reading,
    refuse: Refuse<'_>,
) -> Result<Int64Array, ValueFault> {
    let Some(TimeFormat::Epoch(unit)) = reading.format() else {
        unreachable!("integers were found to count time");
    };
    let times = Times { count: Count::Epoch(*unit), is_instant: true, kind, reading };
    let counts = of_integers(array, &mut *refuse)?;
    let phrase = |count, fault| format!("{count} cannot be stored as {kind}: {fault}");
    collect(&&counts, |count| times.key(count), refuse, phrase)
}

fn of_integers(array: &dyn Array, refuse: Refuse<'_>) -> Result<Int64Array, ValueFault> {
    match array.data_type() {
        DataType::Int8 => of_numbers::<Int8Type>(array, refuse),
        DataType::Int16 => of_numbers::<Int16Type>(array, refuse),
        DataType::Int32 => of_numbers::<Int32Type>(array, refuse),
        DataType::Int64 => of_numbers::<Int64Type>(array, refuse),
        DataType::UInt8 => of_numbers::<UInt8Type>(array, refuse),
        DataType::UInt16 => of_numbers::<UInt16Type>(array, refuse),
        DataType::UInt32 => of_numbers::<UInt32Type>(array, refuse),
        DataType::UInt64 => of_numbers::<UInt64Type>(array, refuse),
        _ => of_numbers::<Decimal128Type>(array, refuse),
    }
}

fn of_numbers<T>(array: &dyn Array, refuse: Refuse<'_>) -> Result<Int64Array, ValueFault>
where
    T: ArrowPrimitiveType,
    T::Native: TryInto<i64> + Display,
{
    let fit = |number: T::Native| number.try_into().map_err(|_| RANGE);
    collect(&array.as_primitive::<T>(), fit, refuse, |number, fault| format!("{number} cannot be stored: {fault}"))
}

fn of_times(array: &dyn Array, kind: KeyKind, reading: &Reading, refuse: Refuse<'_>) -> Result<Int64Array, ValueFault> {
    match array.data_type() {
        DataType::Date32 => of_counts::<Date32Type>(array, Count::Days, kind, reading, refuse),
        DataType::Date64 => of_counts::<Date64Type>(array, Count::per_second(1_000), kind, reading, refuse),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => of_counts::<TimestampSecondType>(array, Count::per_second(1), kind, reading, refuse),
            TimeUnit::Millisecond => {
                of_counts::<TimestampMillisecondType>(array, Count::per_second(1_000), kind, reading, refuse)
            }
            TimeUnit::Microsecond => {
                of_counts::<TimestampMicrosecondType>(array, Count::Micros(1), kind, reading, refuse)
            }
            TimeUnit::Nanosecond => of_counts::<TimestampNanosecondType>(array, Count::Nanos, kind, reading, refuse),
        },
        other => unreachable!("{other} is no type of dates or times"),
    }
}

/// What an array of dates or times counts since 1970.
#[derive(Debug, Clone, Copy)]
enum Count {
    Days,
    /// Units of so many microseconds.
    Micros(i64),
    Nanos,
    /// What a format says of integers.
    Epoch(EpochUnit),
}

impl Count {
    const fn per_second(count: i64) -> Self {
        Self::Micros(MICROS_PER_SECOND / count)
    }

    /// Microseconds since 2000-01-01. Nanoseconds are cut off, toward the past, where that is allowed.
    fn micros(self, count: i64, lossy: bool) -> Result<i64, Fault> {
        let (count, each) = match self {
            Self::Epoch(unit) => return unit.micros(count, lossy),
            Self::Days => (count, MICROS_PER_DAY),
            Self::Micros(each) => (count, each),
            Self::Nanos if !lossy && count % 1_000 != 0 => return Err(Fault("nanoseconds would be lost")),
            Self::Nanos => (count.div_euclid(1_000), 1),
        };
        // Moved to 2000 before it is microseconds: those since 1970 overflow before the server's range ends.
        let since_2000 = count.checked_add(UNIX_EPOCH_DAYS * (MICROS_PER_DAY / each));
        since_2000.and_then(|count| count.checked_mul(each)).ok_or(RANGE)
    }
}

fn of_counts<T>(
    array: &dyn Array,
    count: Count,
    kind: KeyKind,
    reading: &Reading,
    refuse: Refuse<'_>,
) -> Result<Int64Array, ValueFault>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64> + Display,
{
    let times = Times { count, is_instant: is_instant(array.data_type()), kind, reading };
    let data_type = array.data_type();
    let key = |number: T::Native| times.key(number.into());
    collect(&array.as_primitive::<T>(), key, refuse, |number, fault| {
        format!("{number} of type {data_type} cannot be stored as {kind}: {fault}")
    })
}

/// How the numbers of an array of dates or times become keys.
struct Times<'a> {
    count: Count,
    /// Whether they count from 1970 in UTC; else they are local times.
    is_instant: bool,
    kind: KeyKind,
    reading: &'a Reading,
}

impl Times<'_> {
    fn key(&self, number: i64) -> Result<i64, Fault> {
        let [past, future] = match self.count {
            Count::Days => [-i64::from(i32::MAX), i32::MAX.into()],
            Count::Micros(_) | Count::Nanos => [-i64::MAX, i64::MAX],
            // A count of a file's own has no such convention.
            Count::Epoch(_) => return self.finite_key(number),
        };
        if past < number && number < future { self.finite_key(number) } else { self.special_key(number, past, future) }
    }

    /// The key of a number at the end of its type: `DuckDB` writes the infinities as `past` and `future`, and `NumPy` has
    /// the number before for a time that is not there.
    #[cold]
    fn special_key(&self, number: i64, past: i64, future: i64) -> Result<i64, Fault> {
        match (self.count, self.kind) {
            _ if number < past => Err(NO_TIME),
            (Count::Nanos, _) => Err(INFINITY_OR_NANOSECOND),
            (_, KeyKind::Date) => Ok(if number == future { i32::MAX.into() } else { i32::MIN.into() }),
            _ => Ok(if number == future { i64::MAX } else { i64::MIN }),
        }
    }

    fn finite_key(&self, number: i64) -> Result<i64, Fault> {
        if let (Count::Days, KeyKind::Date) = (self.count, self.kind) {
            // Dates reach further than timestamps.
            let days = number.checked_add(UNIX_EPOCH_DAYS).ok_or(RANGE)?;
            return if days_are_a_date(days) { Ok(days) } else { Err(RANGE) };
        }
        let micros = self.count.micros(number, self.reading.lossy)?;
        let wants_instant = self.kind == KeyKind::TimestampTz;
        let east = match (self.is_instant, wants_instant) {
            (true, false) => self.reading.zone.offset_at_instant(micros),
            (false, true) => -self.reading.zone.offset_at_local(micros),
            _ => 0,
        };
        let stored = micros.checked_add(i64::from(east) * MICROS_PER_SECOND).ok_or(RANGE)?;
        if !micros_are_a_timestamp(stored) {
            return Err(RANGE);
        }
        match self.kind {
            KeyKind::Date if stored % MICROS_PER_DAY != 0 => Err(NOT_MIDNIGHT),
            KeyKind::Date => Ok(stored / MICROS_PER_DAY),
            _ => Ok(stored),
        }
    }
}

/// The key of each value that is not null; of those that have none `refuse` is told why, and they are null where it lets them.
fn collect<A: ArrayAccessor>(
    array: &A,
    key: impl Fn(A::Item) -> Result<i64, Fault>,
    refuse: Refuse<'_>,
    phrase: impl Fn(A::Item, Fault) -> String,
) -> Result<Int64Array, ValueFault> {
    let nulls = array.nulls().cloned();
    let mut keys = vec![0_i64; array.len()];
    let mut without = Vec::new();
    for (row, stored) in keys.iter_mut().enumerate() {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            match key(array.value(row)) {
                Ok(key) => *stored = key,
                Err(fault) => {
                    refuse(ValueFault { row, column: 0, reason: phrase(array.value(row), fault) })?;
                    without.push(row);
                }
            }
        }
    }
    let nulls = if without.is_empty() { nulls } else { Some(with_nulls(array.len(), nulls.as_ref(), &without)) };
    Ok(Int64Array::new(ScalarBuffer::from(keys), nulls))
}

/// `nulls` and the rows `more`, which are in their order.
fn with_nulls(rows: usize, nulls: Option<&NullBuffer>, more: &[usize]) -> NullBuffer {
    let was_valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    (0..rows).map(|row| was_valid(row) && more.binary_search(&row).is_err()).collect()
}

/// A text in quotes, cut where it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
