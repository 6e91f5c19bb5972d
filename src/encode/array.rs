//! Arrays: a header with their dimensions, and their elements as fields.
//!
//! The binary form is that of `array_send` in the server's `arrayfuncs.c`: number of dimensions (none for an empty
//! array), whether any element is null, the element type, then length and lower bound of each dimension, and then the
//! elements as fields.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};

use super::field::{Fault, FieldEncoder, LENGTH_BYTES, field_length, put_null};

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

    pub(super) fn encoder(&self) -> &dyn FieldEncoder {
        self.encoder.as_ref()
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
