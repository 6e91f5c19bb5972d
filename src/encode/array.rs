//! Arrays: a header with their dimensions, and their elements as fields.
//!
//! The binary form is that of `array_send` in the server's `arrayfuncs.c`: number of dimensions (none for an empty
//! array), whether any element is null, the element type, then length and lower bound of each dimension, and then the
//! elements as fields.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, GenericListArray, OffsetSizeTrait};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, FieldRef};

use super::choose::{Choice, choose};
use super::field::{Fault, FieldEncoder, LENGTH_BYTES, field_length, put_null};
use crate::model::Zone;
use crate::schema::{PgKind, PgType};

/// The most dimensions that the server allows.
pub(super) const DIMENSIONS_MAX: usize = 6;
/// Bytes of an array's header before its dimensions.
const HEADER_BYTES: usize = 12;
/// Bytes of a dimension.
const DIMENSION_BYTES: usize = 8;

/// One dimension of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dimension {
    pub(super) length: i32,
    /// Index of its first element.
    pub(super) lower: i32,
}

/// The dimensions of an array, outermost first; none if it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dimensions {
    held: [Dimension; DIMENSIONS_MAX],
    count: usize,
}

impl Dimensions {
    /// Adds an inner dimension; false if there are as many as there may be.
    pub(super) fn push(&mut self, dimension: Dimension) -> bool {
        let free = self.held.get_mut(self.count);
        let pushed = free.map(|place| *place = dimension).is_some();
        self.count += usize::from(pushed);
        pushed
    }

    pub(super) fn as_slice(&self) -> &[Dimension] {
        &self.held[..self.count]
    }
}

/// An array of a group of rows.
#[derive(Debug)]
pub(super) struct Shape {
    /// Its elements among those of the group.
    pub(super) elements: Range<usize>,
    pub(super) dimensions: Dimensions,
}

/// Encodes the arrays of a group of rows, once their shapes are known. Their elements follow one another.
pub(super) struct ArrayField {
    element_oid: u32,
    encoder: Box<dyn FieldEncoder>,
    shapes: Vec<Option<Shape>>,
    /// For each element its field's length, and then its place.
    lengths: Vec<usize>,
}

impl ArrayField {
    /// For elements of the type `element_oid`.
    pub(super) fn new(element_oid: u32, encoder: Box<dyn FieldEncoder>) -> Self {
        Self { element_oid, encoder, shapes: Vec::new(), lengths: Vec::new() }
    }

    /// The elements in the type that `measure` and `write` take. A fault's row counts the group's arrays.
    pub(super) fn prepare_elements(&self, elements: &ArrayRef) -> Result<ArrayRef, Fault> {
        self.encoder.prepare(elements).map_err(|fault| self.at_array(fault))
    }

    /// Forgets the last group.
    pub(super) fn clear(&mut self) {
        self.shapes.clear();
    }

    /// Adds the array of the next row, or null. Its elements begin where those of the one before end.
    pub(super) fn push(&mut self, shape: Option<Shape>) {
        self.shapes.push(shape);
    }

    /// The fault of an element as that of its array.
    fn at_array(&self, fault: Fault) -> Fault {
        let holds = |shape: &Option<Shape>| shape.as_ref().is_some_and(|shape| shape.elements.contains(&fault.row));
        Fault { row: self.shapes.iter().position(holds).unwrap_or(0), reason: fault.reason }
    }

    /// The elements of the group.
    fn elements(&self) -> Range<usize> {
        let mut shapes = self.shapes.iter().flatten();
        let Some(first) = shapes.next() else { return 0..0 };
        first.elements.start..shapes.next_back().unwrap_or(first).elements.end
    }

    pub(super) fn measure(&mut self, elements: &dyn Array, lengths: &mut [usize]) -> Result<(), Fault> {
        let range = self.elements();
        self.lengths.clear();
        self.lengths.resize(range.len(), 0);
        let measured = self.encoder.measure(elements, range.clone(), &mut self.lengths);
        measured.map_err(|fault| self.at_array(fault))?;
        for ((row, shape), length) in self.shapes.iter().enumerate().zip(lengths) {
            let Some(shape) = shape else {
                *length += LENGTH_BYTES;
                continue;
            };
            let held: usize = self.lengths[within(&shape.elements, &range)].iter().sum();
            *length += field_length(held + header_bytes(shape)).map_err(|reason| Fault { row, reason })?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, elements: &dyn Array, out: &mut [u8], cursors: &mut [usize]) {
        let range = self.elements();
        for (shape, cursor) in self.shapes.iter().zip(cursors) {
            let Some(shape) = shape else {
                put_null(out, cursor);
                continue;
            };
            let mut end = *cursor + LENGTH_BYTES + header_bytes(shape);
            for place in &mut self.lengths[within(&shape.elements, &range)] {
                end += std::mem::replace(place, end);
            }
            let nulls = elements.nulls();
            let has_null = nulls.is_some_and(|nulls| shape.elements.clone().any(|element| nulls.is_null(element)));
            put_header(&mut out[*cursor..end], shape, has_null, self.element_oid);
            *cursor = end;
        }
        self.encoder.write(elements, range, out, &mut self.lengths);
    }
}

/// Where the elements of an array are among those of its group.
fn within(elements: &Range<usize>, group: &Range<usize>) -> Range<usize> {
    elements.start - group.start..elements.end - group.start
}

fn header_bytes(shape: &Shape) -> usize {
    HEADER_BYTES + shape.dimensions.as_slice().len() * DIMENSION_BYTES
}

/// Writes an array's length and header at the start of `field`.
fn put_header(field: &mut [u8], shape: &Shape, has_null: bool, element_oid: u32) {
    let length = u32::try_from(field.len() - LENGTH_BYTES).expect("measured to be below 1 GiB");
    let dimensions = u32::try_from(shape.dimensions.as_slice().len()).expect("there are at most six dimensions");
    let start = [length, dimensions, u32::from(has_null), element_oid].map(u32::to_be_bytes);
    let (head, rest) = field.split_at_mut(LENGTH_BYTES + HEADER_BYTES);
    head.copy_from_slice(start.as_flattened());
    for (dimension, place) in shape.dimensions.as_slice().iter().zip(rest.chunks_exact_mut(DIMENSION_BYTES)) {
        let bytes = [dimension.length, dimension.lower].map(i32::to_be_bytes);
        place.copy_from_slice(bytes.as_flattened());
    }
}

/// Encodes lists as arrays of one dimension.
struct List<O> {
    field: ArrayField,
    offsets: PhantomData<fn(O)>,
}

/// The encoder that feeds `target` from lists of `item`.
pub(super) fn from_list<O: OffsetSizeTrait>(
    item: &FieldRef,
    source: &DataType,
    target: &PgType,
    zone: &Zone,
) -> Choice {
    let PgKind::Array(element) = &target.kind else { return Choice::none(source, target) };
    match choose(item.data_type(), element, zone) {
        Choice::Binary(encoder) => {
            let field = ArrayField::new(element.oid, encoder);
            Choice::Binary(Box::new(List::<O> { field, offsets: PhantomData }))
        }
        Choice::Text(_) => Choice::None(format!("{} has no binary form here, which lists need", element.name)),
        Choice::None(reason) => Choice::None(reason),
    }
}

impl<O: OffsetSizeTrait> FieldEncoder for List<O> {
    /// The list with prepared elements, and none that belong to no array: a null list may have some.
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        let list = column.as_list::<O>();
        let used = list.offsets()[0].as_usize()..list.offsets()[list.len()].as_usize();
        let mut elements = list.values().slice(used.start, used.len());
        let length = |row: usize| if list.is_null(row) { 0 } else { list.value_length(row).as_usize() };
        let offsets = OffsetBuffer::<O>::from_lengths((0..list.len()).map(length));
        if offsets[list.len()].as_usize() < elements.len() {
            let held = (0..list.len()).flat_map(|row| {
                let count = list.value_length(row).as_usize();
                std::iter::repeat_n(list.is_valid(row), count)
            });
            let held = BooleanArray::from(held.collect::<Vec<_>>());
            elements = arrow_select::filter::filter(&elements, &held).expect("the mask has an entry for each element");
        }
        let elements = self.field.encoder.prepare(&elements).map_err(|fault| Fault {
            row: offsets.partition_point(|offset| offset.as_usize() <= fault.row).saturating_sub(1),
            reason: fault.reason,
        })?;
        let item = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
        Ok(Arc::new(GenericListArray::new(item, offsets, elements, list.nulls().cloned())))
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let list = column.as_list::<O>();
        let offsets = list.offsets();
        let first = rows.start;
        self.field.clear();
        for row in rows {
            let elements = offsets[row].as_usize()..offsets[row + 1].as_usize();
            let shape = list.is_valid(row).then(|| one_dimension(elements)).transpose();
            self.field.push(shape.map_err(|reason| Fault { row, reason })?);
        }
        let measured = self.field.measure(list.values(), lengths);
        measured.map_err(|fault| Fault { row: first + fault.row, reason: fault.reason })
    }

    fn write(&mut self, column: &dyn Array, _rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.field.write(column.as_list::<O>().values(), out, cursors);
    }
}

fn one_dimension(elements: Range<usize>) -> Result<Shape, String> {
    let length = i32::try_from(elements.len()).map_err(|_| format!("{} elements are too many", elements.len()))?;
    let mut dimensions = Dimensions::default();
    if length > 0 {
        dimensions.push(Dimension { length, lower: 1 });
    }
    Ok(Shape { elements, dimensions })
}
