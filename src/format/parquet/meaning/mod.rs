//! What the values of a column mean beyond what the crate `parquet` makes of them.
//!
//! That crate drops parts of some types without a word: months of an INTERVAL, values of a column that claims to have
//! none, the upper bytes of an INT(8). It also believes the writer's Arrow schema where that contradicts the file, and
//! does not know in which calendar a writer counted. So these columns are decoded as the plain bytes or numbers that
//! they are stored as, and converted here: each value exactly, or its row is at fault.

mod calendar;
mod leaf;
mod plain;
mod resolve;
mod writer;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, FieldRef};

use self::leaf::Leaf;
pub(super) use self::resolve::{Resolved, resolve};

/// What is made of a decoded column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    /// Nothing: it is what it was decoded to.
    Plain,
    /// Values that are converted.
    Values(Leaf),
    /// The same for the items of lists, or for the entries of maps.
    Items(Box<Meaning>),
    /// The same for each field of structs.
    Fields(Vec<Meaning>),
}

/// Values that have no place in the column's type: row or item, and why.
pub(super) type Faults = Vec<(usize, String)>;

impl Meaning {
    fn of_items(items: Self) -> Self {
        if items == Self::Plain { Self::Plain } else { Self::Items(Box::new(items)) }
    }

    fn of_fields(fields: Vec<Self>) -> Self {
        if fields.iter().all(|field| *field == Self::Plain) { Self::Plain } else { Self::Fields(fields) }
    }

    /// Whether the column's values are INT96, which are decoded twice.
    pub(super) fn is_int96(&self) -> bool {
        matches!(self, Self::Values(Leaf::Int96 { .. }))
    }

    /// Converts a decoded column to `data_type`, the type that it is handed on with. A value that cannot be converted is
    /// a fault of its row, and some other value stands in its place.
    ///
    /// # Errors
    ///
    /// If the decoded arrays contradict their schema.
    pub(super) fn apply(
        &self,
        column: &ArrayRef,
        data_type: &DataType,
        lossy: bool,
        faults: &mut Faults,
    ) -> Result<ArrayRef, ArrowError> {
        match (self, data_type) {
            (Self::Plain, _) => Ok(Arc::clone(column)),
            (Self::Values(leaf), _) => leaf.convert(column, lossy, faults),
            (Self::Items(items), DataType::List(field)) => {
                let list = column.as_list::<i32>();
                let values = within(list.offsets(), faults, |faults| {
                    items.apply(list.values(), field.data_type(), lossy, faults)
                })?;
                let list =
                    ListArray::try_new(Arc::clone(field), list.offsets().clone(), values, list.nulls().cloned())?;
                Ok(Arc::new(list))
            }
            (Self::Items(entries), DataType::Map(field, sorted)) => {
                let map = column.as_map();
                let all: ArrayRef = Arc::new(map.entries().clone());
                let all =
                    within(map.offsets(), faults, |faults| entries.apply(&all, field.data_type(), lossy, faults))?;
                let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
                let map = MapArray::try_new(Arc::clone(field), offsets, all.as_struct().clone(), nulls, *sorted)?;
                Ok(Arc::new(map))
            }
            (Self::Fields(meanings), DataType::Struct(fields)) => {
                let whole = column.as_struct();
                let parts = meanings.iter().zip(fields).zip(whole.columns());
                let convert = |((meaning, field), part): ((&Self, &FieldRef), &ArrayRef)| {
                    meaning.apply(part, field.data_type(), lossy, faults)
                };
                let parts = parts.map(convert).collect::<Result<Vec<_>, _>>()?;
                Ok(Arc::new(StructArray::try_new(fields.clone(), parts, whole.nulls().cloned())?))
            }
            _ => Err(ArrowError::SchemaError(format!("{data_type} is not what was resolved"))),
        }
    }

    /// The smallest or largest value of a row group's statistics, converted; `None` where the bound does not tell what
    /// the values between are, or has no place in the column's type.
    pub(super) fn bound(&self, bound: &ArrayRef, lossy: bool) -> Option<ArrayRef> {
        match self {
            Self::Plain => Some(Arc::clone(bound)),
            Self::Values(leaf) if leaf.keeps_order(bound) => {
                let mut faults = Vec::new();
                leaf.convert(bound, lossy, &mut faults).ok().filter(|_| faults.is_empty())
            }
            _ => None,
        }
    }
}

/// Converts the items of lists, and names the row of each fault instead of its item.
fn within(
    offsets: &OffsetBuffer<i32>,
    faults: &mut Faults,
    convert: impl FnOnce(&mut Faults) -> Result<ArrayRef, ArrowError>,
) -> Result<ArrayRef, ArrowError> {
    let mut of_items = Vec::new();
    let converted = convert(&mut of_items)?;
    let row_of =
        |item: usize| offsets.partition_point(|start| usize::try_from(*start).is_ok_and(|start| start <= item));
    faults.extend(of_items.into_iter().map(|(item, reason)| (row_of(item).saturating_sub(1), reason)));
    Ok(converted)
}

#[cfg(test)]
mod tests;
