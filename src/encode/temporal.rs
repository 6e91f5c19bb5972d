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
use crate::model::datetime::{self, format_date, format_timestamp, format_timestamptz};
use crate::model::{KeyKind, Zone};
use crate::schema::{PgKind, PgType, stored_keys};

/// Why a text is not of the type `target`.
pub(super) fn refuse(text: &str, target: &str, fault: datetime::Fault) -> String {
    format!("{} is not a value of type {target}: {fault}", shown(text))
}

/// The encoder that feeds `target`, a date or time, from texts.
pub(super) fn from_text<V: Texts>(source: &DataType, target: &PgType, zone: &Zone) -> Choice {
    let (name, zone) = (target.name.clone(), zone.clone());
    match target.kind {
        PgKind::Date => parsed::<V, _>(move |text, out| {
            let days = datetime::parse_date(text.as_bytes()).map_err(|fault| refuse(text, &name, fault))?;
            out.extend_from_slice(&days.to_be_bytes());
            Ok(())
        }),
        PgKind::Timestamp(digits) => parsed::<V, _>(move |text, out| {
            let micros = datetime::parse_timestamp(text.as_bytes()).map_err(|fault| refuse(text, &name, fault))?;
            put_timestamp(micros, digits, text, &name, out)
        }),
        PgKind::TimestampTz(digits) => parsed::<V, _>(move |text, out| {
            let micros =
                datetime::parse_timestamptz(text.as_bytes(), &zone).map_err(|fault| refuse(text, &name, fault))?;
            put_timestamp(micros, digits, text, &name, out)
        }),
        PgKind::Time(digits) => parsed::<V, _>(move |text, out| {
            let micros = datetime::parse_time(text.as_bytes()).map_err(|fault| refuse(text, &name, fault))?;
            out.extend_from_slice(&time::round(micros, digits).to_be_bytes());
            Ok(())
        }),
        PgKind::TimeTz(digits) => {
            parsed::<V, _>(move |text, out| time::put_timetz_text(text, digits, &zone, &name, out))
        }
        PgKind::Interval(modifier) => parsed::<V, _>(move |text, out| {
            let read = datetime::parse_interval(text.as_bytes()).map_err(|fault| refuse(text, &name, fault))?;
            interval::put(read, modifier, out)
        }),
        _ => Choice::none(source, target),
    }
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
pub(super) fn from_temporal(source: &DataType, target: &PgType, zone: &Zone) -> Choice {
    match source {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => from_instants(source, target, zone),
        DataType::Time32(_) | DataType::Time64(_) => time::from_times(source, target, zone),
        DataType::Duration(_) | DataType::Interval(_) => interval::from_intervals(source, target),
        _ => Choice::none(source, target),
    }
}

/// The encoder that feeds `target` from arrays of dates and timestamps.
fn from_instants(source: &DataType, target: &PgType, zone: &Zone) -> Choice {
    let (kind, encoder) = match &target.kind {
        PgKind::Date => (KeyKind::Date, date_keys()),
        PgKind::Timestamp(digits) => (KeyKind::Timestamp, timestamp_keys(*digits, &target.name)),
        PgKind::TimestampTz(digits) => (KeyKind::TimestampTz, timestamp_keys(*digits, &target.name)),
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let (kind, print): (_, fn(i64) -> String) = match source {
                DataType::Timestamp(_, None) => (KeyKind::Timestamp, format_timestamp),
                DataType::Timestamp(_, Some(_)) => (KeyKind::TimestampTz, format_timestamptz),
                _ => (KeyKind::Date, format_date),
            };
            (kind, printed_keys(print, Limit::of(&target.kind)))
        }
        _ => return Choice::none(source, target),
    };
    let zone = zone.clone();
    let to_keys = move |column: &ArrayRef| match stored_keys(column, kind, &zone) {
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
