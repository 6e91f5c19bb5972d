//! Lists to arrays: of one dimension, or of as many as lists are nested.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, FieldRef};

use super::array::{ArrayField, DIMENSIONS_MAX, Dimension, Dimensions, Shape};
use super::choose::{Choice, choose};
use super::composite::of_columns;
use super::field::{Fault, FieldEncoder};
use crate::schema::{PgKind, PgType, Reading};

/// Encodes lists as arrays.
struct Lists {
    field: ArrayField,
    /// How many lists are nested.
    depth: usize,
}

/// The encoder that feeds `target` from lists of `item`.
///
/// Lists in lists become an array of several dimensions, unless the elements of the array can be lists by themselves.
pub(super) fn from_list(item: &FieldRef, source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    let PgKind::Array(element) = &target.kind else { return Choice::none(source, target) };
    let mut leaf = item.data_type();
    for depth in 1..=DIMENSIONS_MAX {
        match choose(leaf, element, &reading.inside()) {
            Choice::Binary(encoder) => {
                return Choice::Binary(Box::new(Lists { field: ArrayField::new(element.oid, encoder), depth }));
            }
            Choice::Text(_) => {
                return Choice::None(format!("{} has no binary form here, which lists need", element.name));
            }
            Choice::None(reason) => match item_of(leaf) {
                Some(inner) => leaf = inner,
                None => return Choice::None(reason),
            },
        }
    }
    Choice::None(format!("an array has at most {DIMENSIONS_MAX} dimensions"))
}

/// The type of a list's items.
fn item_of(list: &DataType) -> Option<&DataType> {
    match list {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item.data_type()),
        _ => None,
    }
}

/// A list of any kind as one of the plain kind.
pub(super) fn as_list(column: &ArrayRef) -> Result<ListArray, Fault> {
    if let Some(list) = column.as_list_opt::<i32>() {
        return Ok(list.clone());
    }
    let item = item_of(column.data_type()).expect("the encoder was made for lists");
    let plain = DataType::List(Arc::new(Field::new_list_field(item.clone(), true)));
    match arrow_cast::cast(column, &plain) {
        Ok(list) => Ok(list.as_list().clone()),
        Err(error) => Err(Fault { row: 0, reason: format!("the lists of a batch are too long: {error}") }),
    }
}

/// The list without elements that belong to none of its rows: those before and behind, and those that a null has.
pub(super) fn compacted(list: &ListArray) -> ListArray {
    let place = |row: usize| usize::try_from(list.offsets()[row]).expect("offsets are not negative");
    let (first, end) = (place(0), place(list.len()));
    let mut elements = list.values().slice(first, end - first);
    let length = |row: usize| if list.is_null(row) { 0 } else { place(row + 1) - place(row) };
    let offsets = OffsetBuffer::<i32>::from_lengths((0..list.len()).map(length));
    let held: usize = (0..list.len()).map(length).sum();
    if held < elements.len() {
        let rows = (0..list.len()).flat_map(|row| std::iter::repeat_n(list.is_valid(row), place(row + 1) - place(row)));
        let held = BooleanArray::from(rows.collect::<Vec<_>>());
        elements = arrow_select::filter::filter(&elements, &held).expect("the mask has an entry for each element");
    }
    with_elements(offsets, elements, list)
}

/// A list with these elements, null where `list` is.
fn with_elements(offsets: OffsetBuffer<i32>, elements: ArrayRef, list: &ListArray) -> ListArray {
    let item = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
    ListArray::new(item, offsets, elements, list.nulls().cloned())
}

/// The row that holds this element.
pub(super) fn row_of(offsets: &OffsetBuffer<i32>, element: usize) -> usize {
    let after = offsets.partition_point(|offset| usize::try_from(*offset).is_ok_and(|at| at <= element));
    after.saturating_sub(1)
}

/// Lists in lists, taken apart.
struct Flat {
    /// The innermost elements of each row.
    offsets: Vec<usize>,
    elements: ArrayRef,
    /// For each row its dimensions, outermost first; zeros if it is empty.
    lengths: Vec<i32>,
}

impl Flat {
    fn of(outer: &ListArray, depth: usize) -> Result<Self, Fault> {
        let offsets: Vec<_> =
            outer.offsets().iter().map(|offset| usize::try_from(*offset).expect("offsets are not negative")).collect();
        let mut lengths = vec![0; outer.len() * depth];
        for row in 0..outer.len() {
            lengths[row * depth] = outer.offsets()[row + 1] - outer.offsets()[row];
        }
        let mut flat = Self { offsets, elements: Arc::clone(outer.values()), lengths };
        for level in 1..depth {
            flat.descend(level, depth)?;
        }
        Ok(flat)
    }

    /// Goes from lists to their elements, if those of each row are equally long.
    fn descend(&mut self, level: usize, depth: usize) -> Result<(), Fault> {
        let inner = as_list(&self.elements)?;
        let place = |at: usize| usize::try_from(inner.offsets()[at] - inner.offsets()[0]).expect("offsets rise");
        for row in 0..self.offsets.len() - 1 {
            let fault = |reason: &str| Fault { row, reason: reason.to_owned() };
            let lists = self.offsets[row]..self.offsets[row + 1];
            if lists.is_empty() {
                continue;
            }
            if lists.clone().any(|list| inner.is_null(list)) {
                return Err(fault("a list in it is null, which an array cannot hold"));
            }
            let length = inner.value_length(lists.start);
            if lists.clone().any(|list| inner.value_length(list) != length) {
                return Err(fault("the lists in it are not equally long, as those of an array must be"));
            }
            if length == 0 {
                return Err(fault("the lists in it are empty, which an array cannot tell from being empty itself"));
            }
            self.lengths[row * depth + level] = length;
        }
        self.offsets = self.offsets.iter().map(|at| place(*at)).collect();
        self.elements = Arc::clone(compacted(&inner).values());
        Ok(())
    }
}

impl FieldEncoder for Lists {
    /// A struct of the innermost elements of each row, and its dimensions.
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        let outer = compacted(&as_list(column)?);
        let flat = Flat::of(&outer, self.depth)?;
        let prepared = self.field.encoder().prepare(&flat.elements);
        let elements = prepared.map_err(|fault| {
            let after = flat.offsets.partition_point(|offset| *offset <= fault.row);
            Fault { row: after.saturating_sub(1), reason: fault.reason }
        })?;
        let held = flat.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let elements = with_elements(OffsetBuffer::from_lengths(held), elements, &outer);
        let mut lengths = ListBuilder::new(Int32Builder::new());
        for row in flat.lengths.chunks(self.depth) {
            lengths.append_value(row.iter().map(|length| Some(*length)));
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(elements), Arc::new(lengths.finish())];
        Ok(Arc::new(of_columns(columns, outer.len(), outer.nulls().cloned())))
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let arrays = column.as_struct();
        let elements = arrays.column(0).as_list::<i32>();
        let dimensions = arrays.column(1).as_list::<i32>().values().as_primitive::<Int32Type>().values();
        let place = |row: usize| usize::try_from(elements.offsets()[row]).expect("offsets are not negative");
        let first = rows.start;
        self.field.clear();
        for row in rows {
            let dimensions = &dimensions[row * self.depth..(row + 1) * self.depth];
            self.field.push(column.is_valid(row).then(|| shape(place(row)..place(row + 1), dimensions)));
        }
        let measured = self.field.measure(elements.values(), lengths);
        measured.map_err(|fault| Fault { row: first + fault.row, reason: fault.reason })
    }

    fn write(&mut self, column: &dyn Array, _rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.field.write(column.as_struct().column(0).as_list::<i32>().values(), out, cursors);
    }
}

fn shape(elements: Range<usize>, lengths: &[i32]) -> Shape {
    let mut dimensions = Dimensions::default();
    for length in lengths.iter().copied().filter(|length| *length > 0) {
        dimensions.push(Dimension { length, lower: 1 });
    }
    Shape { elements, dimensions }
}
