//! Composite values: a count of attributes, and for each its type and its field.
//!
//! The binary form is that of `record_send` in the server's `rowtypes.c`, which passes over dropped attributes, and so
//! does the catalog's description of the type.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};

use super::choose::{Choice, choose};
use super::component::Component;
use super::field::{Fault, FieldEncoder, LENGTH_BYTES, Prepared, field_length, put_null};
use super::quoted::Cursor;
use super::values::{Texts, is_space, shown};
use crate::schema::{PgAttribute, PgType, Reading};

/// Bytes of the count of attributes, and of each attribute's type.
const WORD_BYTES: usize = 4;

/// Encodes structs, whose columns are the attributes in their order.
struct Composite {
    attributes: Vec<Attribute>,
    /// For each row of the group the length of its value.
    lengths: Vec<usize>,
}

struct Attribute {
    name: String,
    oid: u32,
    component: Component,
}

/// The encoder that feeds a composite type from row literals.
pub(super) fn from_text<V: Texts>(attributes: &Arc<[PgAttribute]>, reading: &Reading) -> Choice {
    let count = attributes.len();
    let sources = std::iter::repeat_n(&DataType::Utf8, count);
    let parse = move |column: &ArrayRef| read_rows::<V>(column, count);
    match components(attributes, sources, reading) {
        Ok(attributes) => Choice::Binary(Prepared::boxed(parse, Composite::boxed(attributes))),
        Err(Choice::Text(_)) => Choice::input_text::<V>(),
        Err(none) => none,
    }
}

/// The encoder that feeds a composite type from structs, whose fields have the names of its attributes.
pub(super) fn from_struct(
    fields: &Fields,
    target: &PgType,
    attributes: &Arc<[PgAttribute]>,
    reading: &Reading,
) -> Choice {
    let mut places = Vec::with_capacity(attributes.len());
    for attribute in attributes.iter() {
        let mut named = fields.iter().enumerate().filter(|(_, field)| field.name() == &attribute.name);
        match (named.next(), named.next()) {
            (Some((place, _)), None) => places.push(place),
            (None, _) => {
                return Choice::None(format!("the struct has no field for attribute {} of {target}", attribute.name));
            }
            _ => return Choice::None(format!("the struct has two fields called {}", attribute.name)),
        }
    }
    if let Some(field) = fields.iter().find(|field| attributes.iter().all(|attribute| attribute.name != *field.name()))
    {
        return Choice::None(format!("{target} has no attribute for field {} of the struct", field.name()));
    }
    let sources = places.iter().map(|place| fields[*place].data_type());
    match components(attributes, sources, reading) {
        Ok(attributes) => Choice::Binary(Prepared::boxed(
            move |column| Ok(picked(column.as_struct(), &places)),
            Composite::boxed(attributes),
        )),
        Err(Choice::Text(_)) => Choice::None(format!("{target} has no binary form here, which structs need")),
        Err(none) => none,
    }
}

/// An encoder for each attribute; the choice for the first that has none.
fn components<'a>(
    attributes: &[PgAttribute],
    sources: impl Iterator<Item = &'a DataType>,
    reading: &Reading,
) -> Result<Vec<Attribute>, Choice> {
    let each = attributes.iter().zip(sources).map(|(attribute, source)| {
        match choose(source, &attribute.ty, &reading.inside()) {
            Choice::Binary(encoder) => {
                let (name, component) = (attribute.name.clone(), Component::new(encoder));
                Ok(Attribute { name, oid: attribute.ty.oid, component })
            }
            Choice::None(reason) => Err(Choice::None(format!("attribute {}: {reason}", attribute.name))),
            text @ Choice::Text(_) => Err(text),
        }
    });
    each.collect()
}

/// The struct's columns at `places`, in which nothing stands that the struct itself does not have.
fn picked(column: &StructArray, places: &[usize]) -> ArrayRef {
    let children = places.iter().map(|place| within(column.column(*place), column.nulls())).collect();
    Arc::new(of_columns(children, column.len(), column.nulls().cloned()))
}

/// A child of an array whose nulls are `nulls`, which is null wherever they are.
pub(super) fn within(child: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return Arc::clone(child) };
    let missing = BooleanArray::new(!nulls.inner(), None);
    arrow_select::nullif::nullif(child, &missing).expect("the mask is as long as the array")
}

/// A struct of these columns; their names mean nothing.
pub(super) fn of_columns(columns: Vec<ArrayRef>, rows: usize, nulls: Option<NullBuffer>) -> StructArray {
    let field = |column: &ArrayRef| Field::new("", column.data_type().clone(), true);
    let fields: Fields = columns.iter().map(field).collect();
    StructArray::try_new_with_length(fields, columns, nulls, rows).expect("all columns are as long as the struct")
}

/// The attributes of row literals, as texts.
fn read_rows<V: Texts>(column: &ArrayRef, count: usize) -> Result<ArrayRef, Fault> {
    let array = V::of(column);
    let mut columns: Vec<StringBuilder> = (0..count).map(|_| StringBuilder::new()).collect();
    let mut part = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            columns.iter_mut().for_each(StringBuilder::append_null);
            continue;
        }
        let text = array.text(row);
        read_row(text, &mut columns, &mut part)
            .map_err(|fault| Fault { row, reason: format!("{} is not a row: {fault}", shown(text)) })?;
    }
    let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
    Ok(Arc::new(of_columns(columns, array.len(), array.nulls().cloned())))
}

fn read_row(text: &str, columns: &mut [StringBuilder], part: &mut String) -> Result<(), &'static str> {
    let mut cursor = Cursor { rest: text.trim_start_matches(is_space) };
    if !cursor.take(b'(') {
        return Err("a parenthesis is missing");
    }
    for (at, column) in columns.iter_mut().enumerate() {
        if at > 0 && !cursor.take(b',') {
            return Err("it has too few attributes");
        }
        let found = cursor.part(b",)", part)?;
        column.append_option(found.then_some(&part));
    }
    if !cursor.take(b')') {
        return Err("it has too many attributes");
    }
    cursor.skip_space();
    if cursor.rest.is_empty() { Ok(()) } else { Err("something follows its end") }
}

impl Composite {
    fn boxed(attributes: Vec<Attribute>) -> Box<dyn FieldEncoder> {
        Box::new(Self { attributes, lengths: Vec::new() })
    }
}

impl Attribute {
    fn fault(&self, fault: Fault) -> Fault {
        let Fault { row, reason } = fault;
        Fault { row, reason: format!("attribute {}: {reason}", self.name) }
    }
}

impl FieldEncoder for Composite {
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        let rows: &StructArray = column.as_struct();
        let prepared = self
            .attributes
            .iter()
            .zip(rows.columns())
            .map(|(attribute, column)| attribute.component.prepare(column).map_err(|fault| attribute.fault(fault)));
        Ok(Arc::new(of_columns(prepared.collect::<Result<_, _>>()?, rows.len(), rows.nulls().cloned())))
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let columns = column.as_struct().columns();
        self.lengths.clear();
        self.lengths.resize(rows.len(), WORD_BYTES);
        for (attribute, column) in self.attributes.iter_mut().zip(columns) {
            let encoded = attribute.component.encode(column, rows.clone());
            encoded.map_err(|fault| attribute.fault(fault))?;
            for (at, length) in self.lengths.iter_mut().enumerate() {
                *length += WORD_BYTES + attribute.component.field(at).len();
            }
        }
        for ((row, held), length) in rows.zip(&self.lengths).zip(lengths) {
            *length += match column.is_valid(row) {
                true => field_length(*held).map_err(|reason| Fault { row, reason })?,
                false => LENGTH_BYTES,
            };
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        let count = u32::try_from(self.attributes.len()).expect("a type has at most 1600 attributes");
        for (at, (row, cursor)) in rows.zip(cursors).enumerate() {
            if column.is_null(row) {
                put_null(out, cursor);
                continue;
            }
            let mut put = |bytes: &[u8]| {
                out[*cursor..*cursor + bytes.len()].copy_from_slice(bytes);
                *cursor += bytes.len();
            };
            let length = u32::try_from(self.lengths[at]).expect("measured to be below 1 GiB");
            put(&length.to_be_bytes());
            put(&count.to_be_bytes());
            for attribute in &self.attributes {
                put(&attribute.oid.to_be_bytes());
                put(attribute.component.field(at));
            }
        }
    }
}
