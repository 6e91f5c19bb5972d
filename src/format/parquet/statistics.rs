//! Time keys of row groups from their statistics, where these can be trusted.
//!
//! A plan that trusts wrong statistics loses rows, so the question is asked the other way round: only what is known to
//! be sound is used, and a row group with anything else is [`RowGroupKeys::Unknown`], to be profiled by decoding its
//! key column. Sound are 32- and 64-bit integers and what is stored as such: their statistics are never shortened (so
//! it does not matter whether a writer calls them exact) and, if signed, have one order in every version of the format.
//! Not sound: INT96 (no order), strings (shortened), floats (NaN and zeros), decimals in bytes, anything nested.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::{ColumnOrder, SortOrder, Type as PhysicalType};
use parquet::file::metadata::RowGroupMetaData;

use super::guard::guarded;
use super::{Metadata, Projection};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, KeySpan, TimeKey, Zone};
use crate::schema::{Reading, stored_keys};

/// What the statistics tell of the keys in one row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowGroupKeys {
    /// All that is to be known.
    Exact {
        /// Smallest and largest key; `None` where every row is null.
        span: Option<KeySpan>,
        /// Rows whose key is null. None is infinite.
        unkeyed: u64,
    },
    /// Nothing that can be trusted: the key column has to be decoded.
    Unknown,
}

/// The keys of each row group, as `key_column` will be stored in a time column of `kind`.
///
/// # Errors
///
/// [`ErrorKind::Schema`] if there is no such column, [`ErrorKind::Source`] if the statistics cannot be read at all.
pub fn key_spans(metadata: &Metadata, key_column: &str, kind: KeyKind, reading: &Reading) -> Result<Vec<RowGroupKeys>> {
    let positions =
        metadata.positions(&Projection::of_columns([key_column])).map_err(|error| metadata.at_object(error))?;
    let unread =
        |error| metadata.at_object(Error::new(ErrorKind::Source, "the statistics cannot be read").with_source(error));
    let row_groups = metadata.parquet().row_groups();
    let parquet_schema = metadata.reader().parquet_schema();
    let converter = StatisticsConverter::try_new(key_column, metadata.reader().schema(), parquet_schema)
        .map_err(unread)?
        .with_missing_null_counts_as_zero(false)
        .with_column_orders(metadata.parquet().file_metadata().column_orders().map(Vec::as_slice));
    let Some(column) = Column::sound(metadata, &converter) else {
        return Ok(vec![RowGroupKeys::Unknown; row_groups.len()]);
    };
    let mins = guarded(|| converter.row_group_mins(row_groups)).map_err(unread)?;
    let maxes = guarded(|| converter.row_group_maxes(row_groups)).map_err(unread)?;
    let keys = |index: usize| {
        let (rows, nulls) = (metadata.rows_of(index), column.nulls(&row_groups[index])?);
        let bound = |bounds: &ArrayRef| metadata.given_bound(positions[0], &bounds.slice(index, 1));
        match rows.checked_sub(nulls)? {
            0 => Some(RowGroupKeys::Exact { span: None, unkeyed: nulls }),
            _ if !column.is_ordered(&row_groups[index]) => None,
            _ => {
                let span = Bounds { min: bound(&mins)?, max: bound(&maxes)? }.span(kind, reading)?;
                Some(RowGroupKeys::Exact { span: Some(span), unkeyed: nulls })
            }
        }
    };
    Ok((0..row_groups.len()).map(|index| keys(index).unwrap_or(RowGroupKeys::Unknown)).collect())
}

/// A key column whose statistics can be sound.
struct Column {
    /// Its position among the columns that hold values.
    leaf: usize,
    is_required: bool,
    is_unsigned: bool,
    /// Whether the file says that statistics follow the order of the type.
    has_type_order: bool,
}

impl Column {
    fn sound(metadata: &Metadata, converter: &StatisticsConverter<'_>) -> Option<Self> {
        let leaf = converter.parquet_column_index()?;
        let descriptor = metadata.reader().parquet_schema().column(leaf);
        let data_type = converter.arrow_field().data_type();
        let is_sound = matches!(descriptor.physical_type(), PhysicalType::INT32 | PhysicalType::INT64)
            && descriptor.max_rep_level() == 0
            && (data_type.is_integer()
                || matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)));
        let order = metadata.parquet().file_metadata().column_order(leaf);
        is_sound.then_some(Self {
            leaf,
            is_required: descriptor.max_def_level() == 0,
            is_unsigned: data_type.is_unsigned_integer(),
            has_type_order: matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::SIGNED | SortOrder::UNSIGNED)),
        })
    }

    /// How many nulls the row group has. Some writers leave the count out, also where it is not zero.
    fn nulls(&self, row_group: &RowGroupMetaData) -> Option<u64> {
        if self.is_required {
            return Some(0);
        }
        row_group.column(self.leaf).statistics()?.null_count_opt()
    }

    /// Whether smallest and largest are meant in the order of the column's type. Old writers compared unsigned
    /// numbers as if they were signed.
    fn is_ordered(&self, row_group: &RowGroupMetaData) -> bool {
        let Some(statistics) = row_group.column(self.leaf).statistics() else { return false };
        !self.is_unsigned || (self.has_type_order && !statistics.is_min_max_deprecated())
    }
}

/// Smallest and largest value of a row group, an array of one value each.
struct Bounds {
    min: ArrayRef,
    max: ArrayRef,
}

impl Bounds {
    /// The keys that are stored for all values of the row group, if the two bounds tell.
    fn span(&self, kind: KeyKind, reading: &Reading) -> Option<KeySpan> {
        let (min, max) = (key(&self.min, kind, reading)?, key(&self.max, kind, reading)?);
        let is_finite = !kind.is_infinite(min) && !kind.is_infinite(max);
        (is_finite && min <= max && self.keep_order(kind, reading)).then_some(KeySpan { min, max })
    }

    /// Whether storing keeps the values' order, so that the bounds of the values are those of the keys.
    ///
    /// It does, except where local time becomes universal time or the other way round: a clock that is set forward
    /// repeats universal times. That moves values past a bound only if the bound stands near the change.
    fn keep_order(&self, kind: KeyKind, reading: &Reading) -> bool {
        let crosses = match self.min.data_type() {
            DataType::Timestamp(_, Some(_)) => matches!(kind, KeyKind::Timestamp | KeyKind::Date),
            DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64 => kind == KeyKind::TimestampTz,
            // Integers that count time are instants.
            _ => matches!(kind, KeyKind::Timestamp | KeyKind::Date),
        };
        !crosses
            || reading.zone == Zone::UTC
            || [&self.min, &self.max].into_iter().all(|bound| is_steady(bound, reading))
    }
}

/// The key that is stored for the one value of `array`.
fn key(array: &ArrayRef, kind: KeyKind, reading: &Reading) -> Option<TimeKey> {
    let keys = stored_keys(array, kind, reading).ok()?;
    (keys.len() == 1 && keys.is_valid(0)).then(|| TimeKey(keys.value(0)))
}

/// Whether the zone keeps its offset for some 26 hours around the one value of `bound`: more than any clock was ever set.
fn is_steady(bound: &ArrayRef, reading: &Reading) -> bool {
    const TWO_HOURS_MICROS: i64 = 2 * 3600 * 1_000_000;
    let kind = match bound.data_type() {
        DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64 => KeyKind::Timestamp,
        _ => KeyKind::TimestampTz,
    };
    let Some(TimeKey(micros)) = key(bound, kind, reading) else { return false };
    let offset = |step: i64| reading.zone.offset_at_local(micros.saturating_add(step * TWO_HOURS_MICROS));
    (-13..=13).all(|step| offset(step) == offset(0))
}

#[cfg(test)]
mod tests;
