//! Values of any type to JSON, as the server's `to_json` spells them; structs, lists and maps to objects and arrays.
//!
//! Numbers keep the digits that their own text form has, and dates and times are strings in ISO 8601. What has no number
//! in JSON (`NaN`, infinities) is a string too. `jsonb` is then made of that text, as it is of any other.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_schema::{DataType, Field, Fields};

use super::choose::{Choice, choose};
use super::component::{Component, Gathered};
use super::composite::{of_columns, within};
use super::field::{Fault, FieldEncoder, LENGTH_BYTES};
use super::jsonb::{Canonical, print_string};
use super::lists::{as_list, compacted, row_of};
use crate::schema::Reading;

/// How the values of a type are printed, as a tree of the types that they hold.
enum Node {
    /// Nothing but nulls.
    Null,
    Leaf(Leaf),
    Struct(Vec<Member>),
    List(List),
    Map {
        keys: Leaf,
        values: List,
    },
}

struct Leaf {
    /// Its values as texts.
    component: Component,
    style: Style,
    /// The first row of the group.
    first: usize,
}

/// What a value's text is in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `true` and `false`.
    Word,
    /// A number, unless it is `NaN` or infinite.
    Number,
    /// A string.
    Text,
    /// A string, once a `T` stands before the time and minutes in the offset.
    Instant,
}

struct Member {
    /// Its name in quotation marks, and a colon.
    head: Vec<u8>,
    node: Node,
}

struct List(Box<Node>);

/// Encodes values of any type as `json` or `jsonb`.
struct JsonField {
    node: Node,
    /// Makes `jsonb` of the text; `None` for `json`.
    canonical: Option<Canonical>,
    text: Vec<u8>,
    gathered: Gathered,
}

/// The encoder that feeds `json`, or `jsonb` if `binary`, from values that are not texts.
pub(super) fn from_values(source: &DataType, binary: bool, reading: &Reading) -> Choice {
    match Node::try_new(source, reading) {
        Ok(node) => {
            let canonical = binary.then(Canonical::default);
            Choice::Binary(Box::new(JsonField { node, canonical, text: Vec::new(), gathered: Gathered::default() }))
        }
        Err(reason) => Choice::None(reason),
    }
}

impl Node {
    fn try_new(source: &DataType, reading: &Reading) -> Result<Self, String> {
        Ok(match source {
            DataType::Null => Self::Null,
            DataType::Struct(fields) => Self::Struct(members(fields, reading)?),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item) => Self::List(List(Box::new(Self::try_new(item.data_type(), reading)?))),
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else { return Err(no_form(source)) };
                let keys = Leaf::try_new(fields[0].data_type(), reading)?;
                Self::Map { keys, values: List(Box::new(Self::try_new(fields[1].data_type(), reading)?)) }
            }
            _ => Self::Leaf(Leaf::try_new(source, reading)?),
        })
    }

    /// The column in the types that printing takes.
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        Ok(match self {
            Self::Null => Arc::clone(column),
            Self::Leaf(leaf) => leaf.component.prepare(column)?,
            Self::Struct(members) => {
                let rows = column.as_struct();
                let children = members.iter().zip(rows.columns());
                let prepared = children.map(|(member, child)| member.node.prepare(&within(child, rows.nulls())));
                Arc::new(of_columns(prepared.collect::<Result<_, _>>()?, rows.len(), rows.nulls().cloned()))
            }
            Self::List(List(node)) => {
                let list = compacted(&as_list(column)?);
                prepared_list(&list, node.prepare(list.values()))?
            }
            Self::Map { keys, values: List(node) } => {
                let list = compacted(&ListArray::from(column.as_map().clone()));
                let entries = list.values().as_struct();
                let columns = keys.component.prepare(entries.column(0));
                let columns = columns.and_then(|keys| Ok(vec![keys, node.prepare(entries.column(1))?]));
                let entries = columns.map(|columns| Arc::new(of_columns(columns, entries.len(), None)) as ArrayRef);
                prepared_list(&list, entries)?
            }
        })
    }

    /// Encodes the leaves of these rows.
    fn encode(&mut self, column: &dyn Array, rows: Range<usize>) -> Result<(), Fault> {
        match self {
            Self::Null => Ok(()),
            Self::Leaf(leaf) => leaf.encode(column, rows),
            Self::Struct(members) => {
                let children = members.iter_mut().zip(column.as_struct().columns());
                children.into_iter().try_for_each(|(member, child)| member.node.encode(child, rows.clone()))
            }
            Self::List(List(node)) => {
                let list = column.as_list::<i32>();
                node.encode(list.values(), elements(list, rows)).map_err(|fault| at_list(list, fault))
            }
            Self::Map { keys, values: List(node) } => {
                let list = column.as_list::<i32>();
                let (entries, held) = (list.values().as_struct(), elements(list, rows));
                let encoded = keys.encode(entries.column(0), held.clone());
                let encoded = encoded.and_then(|()| node.encode(entries.column(1), held));
                encoded.map_err(|fault| at_list(list, fault))
            }
        }
    }

    /// Appends the value in a row of the group that was encoded last.
    fn print(&self, column: &dyn Array, row: usize, out: &mut Vec<u8>) {
        if matches!(self, Self::Null) || column.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match self {
            Self::Null => {}
            Self::Leaf(leaf) => leaf.print(row, out),
            Self::Struct(members) => {
                out.push(b'{');
                for (at, (member, child)) in members.iter().zip(column.as_struct().columns()).enumerate() {
                    separate(at > 0, out);
                    out.extend_from_slice(&member.head);
                    member.node.print(child, row, out);
                }
                out.push(b'}');
            }
            Self::List(List(node)) => {
                let list = column.as_list::<i32>();
                out.push(b'[');
                for (at, element) in elements(list, row..row + 1).enumerate() {
                    separate(at > 0, out);
                    node.print(list.values(), element, out);
                }
                out.push(b']');
            }
            Self::Map { keys, values: List(node) } => {
                let list = column.as_list::<i32>();
                let values = list.values().as_struct().column(1);
                out.push(b'{');
                for (at, entry) in elements(list, row..row + 1).enumerate() {
                    separate(at > 0, out);
                    keys.print_key(entry, out);
                    node.print(values, entry, out);
                }
                out.push(b'}');
            }
        }
    }
}

fn separate(needed: bool, out: &mut Vec<u8>) {
    if needed {
        out.push(b',');
    }
}

fn members(fields: &Fields, reading: &Reading) -> Result<Vec<Member>, String> {
    let mut members = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|other| other.name() == field.name()) {
            return Err(format!("a struct has two fields called {}", field.name()));
        }
        let mut head = Vec::new();
        print_string(field.name().as_bytes(), &mut head);
        head.push(b':');
        members.push(Member { head, node: Node::try_new(field.data_type(), reading)? });
    }
    Ok(members)
}

/// The elements of these rows of a list.
fn elements(list: &ListArray, rows: Range<usize>) -> Range<usize> {
    let place = |row: usize| usize::try_from(list.offsets()[row]).expect("offsets are not negative");
    place(rows.start)..place(rows.end)
}

/// The fault of an element as that of its list.
fn at_list(list: &ListArray, fault: Fault) -> Fault {
    Fault { row: row_of(list.offsets(), fault.row), reason: fault.reason }
}

fn prepared_list(list: &ListArray, elements: Result<ArrayRef, Fault>) -> Result<ArrayRef, Fault> {
    let elements = elements.map_err(|fault| at_list(list, fault))?;
    let item = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
    Ok(Arc::new(ListArray::new(item, list.offsets().clone(), elements, list.nulls().cloned())))
}

fn no_form(source: &DataType) -> String {
    format!("no rule makes json out of {source}")
}

impl Leaf {
    fn try_new(source: &DataType, reading: &Reading) -> Result<Self, String> {
        let style = style(source).ok_or_else(|| no_form(source))?;
        match choose(source, &super::text::plain(), &reading.inside()) {
            Choice::Binary(encoder) => Ok(Self { component: Component::new(encoder), style, first: 0 }),
            Choice::Text(_) | Choice::None(_) => Err(no_form(source)),
        }
    }

    fn encode(&mut self, column: &dyn Array, rows: Range<usize>) -> Result<(), Fault> {
        self.first = rows.start;
        self.component.encode(column, rows)
    }

    fn text(&self, row: usize) -> &[u8] {
        &self.component.field(row - self.first)[LENGTH_BYTES..]
    }

    fn print(&self, row: usize, out: &mut Vec<u8>) {
        let text = self.text(row);
        match self.style {
            Style::Word => out.extend_from_slice(text),
            Style::Number if text.last().is_some_and(u8::is_ascii_digit) => out.extend_from_slice(text),
            Style::Number | Style::Text => print_string(text, out),
            Style::Instant => print_instant(text, out),
        }
    }

    fn print_key(&self, row: usize, out: &mut Vec<u8>) {
        match self.style {
            Style::Instant => print_instant(self.text(row), out),
            _ => print_string(self.text(row), out),
        }
        out.push(b':');
    }
}

/// How values of a type without parts are printed; `None` for bytes and spans of time, which have no form in JSON that
/// all would expect.
fn style(source: &DataType) -> Option<Style> {
    match source {
        DataType::Boolean => Some(Style::Word),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_) => Some(Style::Text),
        DataType::Timestamp(..) => Some(Style::Instant),
        DataType::Dictionary(_, values) => style(values),
        _ if source.is_numeric() => Some(Style::Number),
        _ => None,
    }
}

/// Appends `2024-01-01 00:00:00+00` as `"2024-01-01T00:00:00+00:00"`.
fn print_instant(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut parts = text.splitn(2, |letter| *letter == b' ');
    out.extend_from_slice(parts.next().unwrap_or_default());
    if let Some(time) = parts.next() {
        out.push(b'T');
        let offset = time.iter().position(|letter| *letter == b'+');
        let (clock, rest) = time.split_at(offset.map_or(time.len(), |plus| (plus + 3).min(time.len())));
        out.extend_from_slice(clock);
        if offset.is_some() {
            out.extend_from_slice(b":00");
        }
        out.extend_from_slice(rest);
    }
    out.push(b'"');
}

impl FieldEncoder for JsonField {
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        self.node.prepare(column)
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        self.node.encode(column, rows.clone())?;
        self.gathered.clear();
        for (row, length) in rows.zip(lengths) {
            let fault = |reason| Fault { row, reason };
            if column.is_valid(row) {
                match &mut self.canonical {
                    None => self.node.print(column, row, self.gathered.buffer()),
                    Some(canonical) => {
                        self.text.clear();
                        self.node.print(column, row, &mut self.text);
                        let text = std::str::from_utf8(&self.text).expect("it is made of texts");
                        canonical.encode(text, self.gathered.buffer()).map_err(fault)?;
                    }
                }
            }
            *length += self.gathered.end().map_err(fault)?;
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.gathered.write(column, rows, out, cursors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_in_iso_form() {
        for (text, printed) in [
            ("2024-01-01 00:00:00+00", "\"2024-01-01T00:00:00+00:00\""),
            ("2024-01-01 00:00:00.5", "\"2024-01-01T00:00:00.5\""),
            ("0044-03-15 00:00:00+00 BC", "\"0044-03-15T00:00:00+00:00 BC\""),
            ("0044-03-15 00:00:00 BC", "\"0044-03-15T00:00:00 BC\""),
            ("infinity", "\"infinity\""),
        ] {
            let mut out = Vec::new();
            print_instant(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), printed);
        }
    }
}
