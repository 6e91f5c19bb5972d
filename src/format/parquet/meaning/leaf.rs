//! Decoded values of one type converted to those that the file means.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type,
    IntervalMonthDayNanoType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type,
};
use arrow_array::{Array, ArrayRef, NullArray, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, IntervalMonthDayNano, i256};
use arrow_schema::{ArrowError, DataType, IntervalUnit, TimeUnit};

use super::Faults;
use super::calendar::Calendar;
use super::writer::Int96Is;
use crate::model::Zone;
use crate::model::datetime::{MICROS_PER_DAY, MICROS_PER_SECOND, UNIX_EPOCH_DAYS};

/// Bytes of an INTERVAL.
pub(super) const INTERVAL_BYTES: i32 = 12;

/// How values are converted.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::format::parquet) enum Leaf {
    /// INTERVAL: months, days and milliseconds of four bytes each. The format has them unsigned; Arrow's own writer does
    /// not, and leaves its schema in the footer.
    Interval { signed: bool },
    /// INT96, brought to nanoseconds since 1970 as decimals.
    Int96 { is: Int96Is, calendar: Calendar },
    /// 32-bit numbers of which each is one of this shorter type.
    Narrow(DataType),
    /// Decimals, of this type, in bytes of any length.
    Decimal(DataType),
    /// UNKNOWN: nothing but null.
    Nothing,
    /// Dates of a calendar that may not be the server's.
    Days(Calendar),
    /// Timestamps that were counted in such a calendar.
    Moments(Calendar),
}

impl Leaf {
    /// The type of the values that `decoded` is converted to.
    pub(super) fn data_type(&self, decoded: &DataType) -> DataType {
        match self {
            Self::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Int96 { is, .. } => {
                DataType::Timestamp(TimeUnit::Microsecond, (*is == Int96Is::Instant).then(|| "UTC".into()))
            }
            Self::Narrow(data_type) | Self::Decimal(data_type) => data_type.clone(),
            Self::Nothing => DataType::Null,
            Self::Days(_) | Self::Moments(_) => decoded.clone(),
        }
    }

    /// Whether values between two bounds like this one are converted in their order, each to a value.
    pub(super) fn keeps_order(&self, bound: &ArrayRef) -> bool {
        match self {
            Self::Narrow(_) | Self::Nothing => true,
            Self::Days(calendar) => {
                bound.as_primitive::<Date32Type>().iter().flatten().all(|day| calendar.is_plain_from(day))
            }
            Self::Moments(calendar) => {
                seconds(bound).is_some_and(|mut seconds| seconds.all(|second| calendar.check_seconds(second).is_ok()))
            }
            Self::Interval { .. } | Self::Int96 { .. } | Self::Decimal(_) => false,
        }
    }

    /// Converts an array; values that are none of the type are faults.
    pub(super) fn convert(&self, column: &ArrayRef, lossy: bool, faults: &mut Faults) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Interval { signed } => {
                let bytes = column.as_fixed_size_binary();
                let value = |row| interval(bytes.value(row), *signed);
                Arc::new(each::<IntervalMonthDayNanoType>(column, faults, value))
            }
            Self::Int96 { is, calendar } => {
                let nanos = column.as_primitive::<Decimal128Type>();
                let moments = each::<TimestampMicrosecondType>(column, faults, |row| {
                    int96(nanos.value(row), is, *calendar, lossy)
                });
                Arc::new(if *is == Int96Is::Instant { moments.with_timezone("UTC") } else { moments })
            }
            Self::Narrow(data_type) => narrow(column, data_type, faults)?,
            Self::Decimal(DataType::Decimal128(precision, scale)) => {
                let bytes = column.as_binary::<i32>();
                let value = |row| whole(bytes.value(row)).map(i128::from_be_bytes);
                Arc::new(each::<Decimal128Type>(column, faults, value).with_precision_and_scale(*precision, *scale)?)
            }
            Self::Decimal(DataType::Decimal256(precision, scale)) => {
                let bytes = column.as_binary::<i32>();
                let value = |row| whole(bytes.value(row)).map(i256::from_be_bytes);
                Arc::new(each::<Decimal256Type>(column, faults, value).with_precision_and_scale(*precision, *scale)?)
            }
            Self::Decimal(other) => return Err(ArrowError::SchemaError(format!("{other} is no type of decimals"))),
            Self::Nothing => {
                let reason = "the column's type is UNKNOWN, which has no values but null, and here is one";
                faults
                    .extend((0..column.len()).filter(|row| column.is_valid(*row)).map(|row| (row, reason.to_owned())));
                Arc::new(NullArray::new(column.len()))
            }
            Self::Days(calendar) => {
                let days = column.as_primitive::<Date32Type>();
                Arc::new(each::<Date32Type>(column, faults, |row| calendar.day(days.value(row))))
            }
            Self::Moments(calendar) => {
                let seconds = seconds(column)
                    .ok_or_else(|| ArrowError::SchemaError(format!("{} is no timestamp", column.data_type())))?;
                let checked = seconds.enumerate().filter(|(row, _)| column.is_valid(*row));
                faults.extend(checked.filter_map(|(row, second)| Some((row, calendar.check_seconds(second).err()?))));
                Arc::clone(column)
            }
        })
    }
}

/// The value of each row that is not null; what has none is a fault, and the type's zero stands in its place.
fn each<T: ArrowPrimitiveType>(
    column: &dyn Array,
    faults: &mut Faults,
    value: impl Fn(usize) -> Result<T::Native, String>,
) -> PrimitiveArray<T> {
    let nulls = column.nulls();
    let value = |row: usize| match nulls.is_some_and(|nulls| nulls.is_null(row)) {
        true => T::Native::usize_as(0),
        false => value(row).unwrap_or_else(|reason| {
            faults.push((row, reason));
            T::Native::usize_as(0)
        }),
    };
    let values: Vec<T::Native> = (0..column.len()).map(value).collect();
    PrimitiveArray::new(values.into(), nulls.cloned())
}

/// An INTERVAL.
fn interval(bytes: &[u8], signed: bool) -> Result<IntervalMonthDayNano, String> {
    let part = |at: usize| {
        let four: [u8; 4] = bytes[at..at + 4].try_into().expect("an interval has twelve bytes");
        if signed { i64::from(i32::from_le_bytes(four)) } else { i64::from(u32::from_le_bytes(four)) }
    };
    let held = |count: i64, of: &str| {
        i32::try_from(count).map_err(|_| format!("an interval of {count} {of} is more than the server holds"))
    };
    let nanoseconds = part(8) * 1_000_000; // 32 bits of milliseconds
    Ok(IntervalMonthDayNano::new(held(part(0), "months")?, held(part(4), "days")?, nanoseconds))
}

/// An INT96, in microseconds since 1970.
fn int96(nanos: i128, is: &Int96Is, calendar: Calendar, lossy: bool) -> Result<i64, String> {
    if !lossy && nanos % 1_000 != 0 {
        return Err("the nanoseconds of a timestamp would be lost".to_owned());
    }
    let micros = i64::try_from(nanos.div_euclid(1_000))
        .map_err(|_| format!("{nanos} nanoseconds since 1970 are out of the server's range"))?;
    calendar.check_seconds(micros.div_euclid(MICROS_PER_SECOND))?;
    match is {
        Int96Is::MovedFrom(zone) => {
            moved_back(micros, zone).ok_or_else(|| "it is out of the server's range".to_owned())
        }
        Int96Is::Local | Int96Is::Instant | Int96Is::MovedFromUnknown(_) => Ok(micros),
    }
}

/// The local time in `zone` at an instant, both in microseconds since 1970.
fn moved_back(micros: i64, zone: &Zone) -> Option<i64> {
    let since_2000 = micros.checked_add(UNIX_EPOCH_DAYS * MICROS_PER_DAY)?;
    micros.checked_add(i64::from(zone.offset_at_instant(since_2000)) * MICROS_PER_SECOND)
}

/// A number in two's complement, most significant byte first, in just `N` bytes.
fn whole<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    let Some(first) = bytes.first() else { return Err("a decimal has no bytes".to_owned()) };
    let sign = if *first >= 0x80 { 0xff } else { 0 };
    let excess = bytes.len().saturating_sub(N);
    let (more, kept) = bytes.split_at(excess);
    let is_sign = more.iter().all(|byte| *byte == sign) && (excess == 0 || (kept[0] >= 0x80) == (sign == 0xff));
    if !is_sign {
        return Err(format!("a decimal of {} bytes is larger than its type", bytes.len()));
    }
    let mut filled = [sign; N];
    filled[N - kept.len()..].copy_from_slice(kept);
    Ok(filled)
}

fn narrow(column: &ArrayRef, data_type: &DataType, faults: &mut Faults) -> Result<ArrayRef, ArrowError> {
    Ok(match data_type {
        DataType::Int8 => narrowed::<Int8Type>(column, data_type, faults),
        DataType::Int16 => narrowed::<Int16Type>(column, data_type, faults),
        DataType::UInt8 => narrowed::<UInt8Type>(column, data_type, faults),
        DataType::UInt16 => narrowed::<UInt16Type>(column, data_type, faults),
        other => return Err(ArrowError::SchemaError(format!("{other} is no shorter integer"))),
    })
}

fn narrowed<T: ArrowPrimitiveType>(column: &ArrayRef, data_type: &DataType, faults: &mut Faults) -> ArrayRef
where
    T::Native: TryFrom<i32> + Default,
{
    let wide = column.as_primitive::<Int32Type>();
    let fits = |number: &i32| T::Native::try_from(*number).is_ok();
    // Without a branch, so that all of a batch are judged at once. What stands under a null is no fault.
    if !wide.values().iter().fold(true, |all, number| all & fits(number)) {
        let rows = (0..wide.len()).filter(|row| wide.is_valid(*row) && !fits(&wide.value(*row)));
        faults
            .extend(rows.map(|row| (row, format!("{} is no value of the column's type {data_type}", wide.value(row)))));
    }
    Arc::new(wide.unary::<_, T>(|number| T::Native::try_from(number).unwrap_or_default()))
}

/// The whole seconds since 1970 of each timestamp; `None` for other types.
fn seconds(column: &ArrayRef) -> Option<impl Iterator<Item = i64> + '_> {
    let (counts, per_second) = match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => (column.as_primitive::<TimestampSecondType>().values(), 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            (column.as_primitive::<TimestampMillisecondType>().values(), 1_000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            (column.as_primitive::<TimestampMicrosecondType>().values(), 1_000_000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            (column.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000)
        }
        _ => return None,
    };
    Some(counts.iter().map(move |count| count.div_euclid(per_second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twelve(parts: [u32; 3]) -> Vec<u8> {
        parts.iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    #[test]
    fn an_interval_keeps_its_months_days_and_milliseconds() {
        let all = interval(&twelve([14, 3, u32::MAX]), false).unwrap();
        assert_eq!((all.months, all.days, all.nanoseconds), (14, 3, 4_294_967_295_000_000));
        assert!(interval(&twelve([1 << 31, 0, 0]), false).unwrap_err().contains("2147483648 months"));
        let negative = interval(&twelve([u32::MAX, u32::MAX, u32::MAX]), true).unwrap();
        assert_eq!((negative.months, negative.days, negative.nanoseconds), (-1, -1, -1_000_000));
    }

    #[test]
    fn an_int96_is_exact_or_refused() {
        let read = |nanos, is| int96(nanos, &is, Calendar::Gregorian, false);
        assert_eq!(read(86_400_000_005_000, Int96Is::Local), Ok(86_400_000_005));
        assert!(read(5_001, Int96Is::Local).unwrap_err().contains("nanoseconds"));
        assert!(read(i128::from(i64::MAX) * 1_001_000, Int96Is::Local).unwrap_err().contains("the server's range"));
        let berlin = Int96Is::MovedFrom(Zone::parse("Europe/Berlin").unwrap());
        assert_eq!(read(0, berlin), Ok(3_600_000_000));
        assert_eq!(int96(-1, &Int96Is::Local, Calendar::Gregorian, true), Ok(-1));
    }

    #[test]
    fn a_decimal_takes_any_number_of_bytes_that_it_has_room_for() {
        assert_eq!(whole::<4>(&[0xff]), Ok([0xff; 4]));
        assert_eq!(whole::<2>(&[0, 0, 0x7f, 1]), Ok([0x7f, 1]));
        assert!(whole::<2>(&[0, 0x80, 0]).is_err());
        assert!(whole::<2>(&[1, 0, 0]).is_err());
        assert!(whole::<2>(&[]).is_err());
    }
}
