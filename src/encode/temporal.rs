//! Dates, times and intervals: which texts and arrays become them, and how the server's modifiers round them.
//!
//! Whatever has an order of time (dates and timestamps) becomes a stored key first, by the rules of
//! [`stored_keys`](crate::schema::stored_keys), so that a row's window and its stored value cannot disagree.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::DataType;

use super::choose::{Choice, parsed};
use super::field::{Built, Fault, FieldEncoder, Fixed, Prepared};
use super::interval;
use super::text::Limit;
use super::time;
use super::values::{Texts, shown};
use crate::model::KeyKind;
use crate::model::datetime::{self, format_date, format_timestamp, format_timestamptz};
use crate::schema::{PgKind, PgType, Reading, is_instant, key_of_text, stored_keys};

/// Why a text is not of the type `target`.
pub(super) fn refuse(text: &str, target: &str, fault: datetime::Fault) -> String {
    format!("{} is not a value of type {target}: {fault}", shown(text))
}

/// The encoder that feeds `target`, a date or time, from texts.
pub(super) fn from_text<V: Texts>(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    let (name, reading) = (target.name.clone(), reading.clone());
    match target.kind {
        PgKind::Date => parsed::<V, _>(move |text, out| {
            let days = key_of_text(text.as_bytes(), KeyKind::Date, &reading);
            let days = days.map_err(|fault| refuse(text, &name, fault))?;
            out.extend_from_slice(&i32::try_from(days).expect("a day of the server's has 32 bits").to_be_bytes());
            Ok(())
        }),
        PgKind::Timestamp(digits) => moments::<V>(KeyKind::Timestamp, digits, name, reading),
        PgKind::TimestampTz(digits) => moments::<V>(KeyKind::TimestampTz, digits, name, reading),
        PgKind::Time(digits) => parsed::<V, _>(move |text, out| {
            let micros = datetime::parse_time(text.as_bytes()).map_err(|fault| refuse(text, &name, fault))?;
            out.extend_from_slice(&time::round(micros, digits).to_be_bytes());
            Ok(())
        }),
        PgKind::TimeTz(digits) => {
            parsed::<V, _>(move |text, out| time::put_timetz_text(text, digits, &reading.zone, &name, out))
        }
        PgKind::Interval(modifier) => {
            let parse = if reading.server_is_at_least(15) {
                datetime::parse_interval_since_15
            } else {
                datetime::parse_interval
            };
            parsed::<V, _>(move |text, out| {
                let read = parse(text.as_bytes()).map_err(|fault| refuse(text, &name, fault))?;
                interval::put(read, modifier, out)
            })
        }
        _ => Choice::none(source, target),
    }
}

fn moments<V: Texts>(kind: KeyKind, digits: Option<u8>, name: String, reading: Reading) -> Choice {
    parsed::<V, _>(move |text, out| {
        let micros = key_of_text(text.as_bytes(), kind, &reading).map_err(|fault| refuse(text, &name, fault))?;
        put_timestamp(micros, digits, text, &name, out)
    })
}

fn put_timestamp(micros: i64, digits: Option<u8>, text: &str, name: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let rounded = rounded(micros, digits).ok_or_else(|| format!("{} is out of range for {name}", shown(text)))?;
    out.extend_from_slice(&rounded.to_be_bytes());
    Ok(())
}

/// Microseconds of a timestamp to so many fractional digits; infinities stay what they are.
fn rounded(micros: i64, digits: Option<u8>) -> Option<i64> {
    match digits {
        Some(digits) if micros != i64::MAX && micros != i64::MIN => datetime::round_timestamp(micros, digits),
        _ => Some(micros),
    }
}

/// The encoder that feeds `target` from arrays of dates, times or durations.
pub(super) fn from_temporal(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    match source {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => from_instants(source, target, reading),
        DataType::Time32(_) | DataType::Time64(_) => time::from_times(source, target, reading),
        DataType::Duration(_) | DataType::Interval(_) => interval::from_intervals(source, target, reading.lossy),
        _ => Choice::none(source, target),
    }
}

/// The encoder that feeds `target` from arrays of dates and timestamps, or of integers that count time.
pub(super) fn from_instants(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    let (kind, encoder) = match &target.kind {
        PgKind::Date => (KeyKind::Date, date_keys()),
        PgKind::Timestamp(digits) => (KeyKind::Timestamp, timestamp_keys(*digits, &target.name)),
        PgKind::TimestampTz(digits) => (KeyKind::TimestampTz, timestamp_keys(*digits, &target.name)),
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let (kind, print): (_, fn(i64) -> String) = match source {
                DataType::Timestamp(..) if is_instant(source) => (KeyKind::TimestampTz, format_timestamptz),
                DataType::Timestamp(..) => (KeyKind::Timestamp, format_timestamp),
                _ => (KeyKind::Date, format_date),
            };
            (kind, printed_keys(print, Limit::of(&target.kind)))
        }
        _ => return Choice::none(source, target),
    };
    let reading = reading.clone();
    let to_keys = move |column: &ArrayRef| match stored_keys(column, kind, &reading) {
        Ok(keys) => Ok(Arc::new(keys) as ArrayRef),
        Err(fault) => Err(Fault { row: fault.row, reason: fault.reason }),
    };
    Choice::Binary(Prepared::boxed(to_keys, encoder))
}

/// The encoder that feeds `target`, a type with an order of time, from stored keys.
pub(super) fn from_keys(target: &PgType) -> Choice {
    match target.kind {
        PgKind::Date => Choice::Binary(date_keys()),
        PgKind::Timestamp(digits) | PgKind::TimestampTz(digits) => Choice::Binary(timestamp_keys(digits, &target.name)),
        _ => Choice::None(format!("{target} has no stored keys")),
    }
}

fn date_keys() -> Box<dyn FieldEncoder> {
    Fixed::<Int64Type, 4, _, _>::boxed(
        |days| i32::try_from(days).ok().map(i32::to_be_bytes),
        |days| format!("day {days} is out of range for date"),
    )
}

fn timestamp_keys(digits: Option<u8>, name: &str) -> Box<dyn FieldEncoder> {
    let name = name.to_owned();
    match digits {
        None => Fixed::<Int64Type, 8, _, _>::boxed(|micros| Some(micros.to_be_bytes()), |_| String::new()),
        Some(_) => Fixed::<Int64Type, 8, _, _>::boxed(
            move |micros| rounded(micros, digits).map(i64::to_be_bytes),
            move |micros| format!("{} is out of range for {name}", format_timestamp(micros)),
        ),
    }
}

fn printed_keys(print: fn(i64) -> String, limit: Limit) -> Box<dyn FieldEncoder> {
    Built::<Int64Array, _>::boxed(move |array: &Int64Array, row, out: &mut Vec<u8>| {
        limit.put(&print(array.value(row)), out)
    })
}
