//! Decides how each column of a file is decoded, and what is made of it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use super::Meaning;
use super::calendar::Calendar;
use super::leaf::{INTERVAL_BYTES, Leaf};
use super::plain::{Stored, with_stored};
use super::writer::{Int96Is, Writer};

/// How a file is read.
#[derive(Debug)]
pub(in crate::format::parquet) struct Resolved {
    /// How it is decoded.
    pub(in crate::format::parquet) reader: ArrowReaderMetadata,
    /// How its INT96 columns are decoded once more, in nanoseconds; `None` where there is none.
    pub(in crate::format::parquet) in_nanos: Option<ArrowReaderMetadata>,
    /// Its columns as they are handed on.
    pub(in crate::format::parquet) schema: SchemaRef,
    /// What is made of each of them.
    pub(in crate::format::parquet) meanings: Vec<Meaning>,
    /// Why a column cannot be read, and what to do, for those that cannot.
    pub(in crate::format::parquet) refused: Vec<Option<(String, String)>>,
}

/// Decides how the file of `metadata` is read.
///
/// # Errors
///
/// If its schema cannot be read, or contradicts the writer's Arrow schema in the footer.
pub(in crate::format::parquet) fn resolve(metadata: ParquetMetaData) -> Result<Resolved, ParquetError> {
    let metadata = Arc::new(metadata);
    // What the file says by itself, and what it says together with the writer's Arrow schema.
    let own = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let own = ArrowReaderMetadata::try_new(Arc::clone(&metadata), own)?;
    let hinted = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())?;
    let writer = Writer::of(metadata.file_metadata());
    let mut leaves = Leaves { parquet: own.parquet_schema(), writer: &writer, next: 0, stored: Vec::new() };
    let fields = own.schema().fields().iter().zip(hinted.schema().fields());
    let (mut decoded, mut given, mut meanings, mut refused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((own, hinted), root) in fields.zip(leaves.parquet.root_schema().get_fields()) {
        let column = leaves.column(own, hinted);
        refused.push(refusal(root, &writer));
        decoded.push(column.decoded);
        given.push(column.given);
        meanings.push(column.meaning);
    }
    let stored = leaves.stored;
    let with_fields =
        |fields: Vec<FieldRef>| Arc::new(Schema::new_with_metadata(fields, hinted.schema().metadata().clone()));
    let in_nanos = meanings.iter().zip(&decoded).map(|(meaning, field)| match meaning.is_int96() {
        true => with_type(field, DataType::Timestamp(TimeUnit::Nanosecond, None)),
        false => Arc::clone(field),
    });
    let in_nanos = meanings.iter().any(Meaning::is_int96).then(|| with_fields(in_nanos.collect()));
    let (decoded, schema) = (with_fields(decoded), with_fields(given));
    drop((own, hinted));
    let metadata = Arc::into_inner(metadata).expect("nothing else holds the metadata yet");
    let metadata = Arc::new(with_stored(metadata, &stored)?);
    let read_as =
        |schema| ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new().with_schema(schema));
    Ok(Resolved { in_nanos: in_nanos.map(read_as).transpose()?, reader: read_as(decoded)?, schema, meanings, refused })
}

/// Why a top-level column is not read at all.
fn refusal(root: &Type, writer: &Writer) -> Option<(String, String)> {
    let name = root.name();
    if holds(root, &|each| matches!(each.get_basic_info().logical_type_ref(), Some(LogicalType::Variant(_)))) {
        let hint = "write it as JSON text, or leave the column out with --ignore";
        return Some((format!("column '{name}' holds VARIANT values, which are not read"), hint.to_owned()));
    }
    let is_int96 = |each: &Type| each.is_primitive() && each.get_physical_type() == PhysicalType::INT96;
    let is_repeated = root.get_basic_info().repetition() == Repetition::REPEATED;
    match &writer.int96_is {
        _ if (root.is_group() || is_repeated) && holds(root, &is_int96) => {
            let message = format!("column '{name}' nests INT96 timestamps, which are not read");
            Some((message, "write them as TIMESTAMP".to_owned()))
        }
        Int96Is::MovedFromUnknown(zone) if holds(root, &is_int96) => {
            let message = format!(
                "column '{name}' holds INT96 timestamps that were moved to UTC from the zone '{zone}' \
                 ('writer.time.zone' in the footer), and that zone is not known"
            );
            Some((message, "write them as TIMESTAMP, or with a zone that has an IANA name".to_owned()))
        }
        _ => None,
    }
}

/// Whether a type or one inside of it is such.
fn holds(whole: &Type, is_such: &dyn Fn(&Type) -> bool) -> bool {
    is_such(whole) || (whole.is_group() && whole.get_fields().iter().any(|part| holds(part, is_such)))
}

/// A column, or a part of one.
struct Column {
    /// As it is decoded.
    decoded: FieldRef,
    /// As it is handed on.
    given: FieldRef,
    meaning: Meaning,
}

/// Walks the columns that hold values.
struct Leaves<'f> {
    parquet: &'f SchemaDescriptor,
    writer: &'f Writer,
    next: usize,
    /// How each of those behind us is decoded, where that is not by its type.
    stored: Vec<Option<Stored>>,
}

impl Leaves<'_> {
    /// The next column: `own` by the file's schema alone, `hinted` with the writer's Arrow schema.
    ///
    /// Lists, texts and bytes of all kinds are decoded to the plainest one: an encoder reads every value once and in
    /// order, which offsets into one buffer serve with no branch, and the encoders have one type of each to know.
    fn column(&mut self, own: &FieldRef, hinted: &FieldRef) -> Column {
        match own.data_type() {
            DataType::List(item) => {
                let item = self.column(item, item_of(hinted).unwrap_or(item));
                Column {
                    decoded: with_type(hinted, DataType::List(item.decoded)),
                    given: with_type(hinted, DataType::List(item.given)),
                    meaning: Meaning::of_items(item.meaning),
                }
            }
            DataType::Map(entries, _) => {
                let (hinted_entries, sorted) = match hinted.data_type() {
                    DataType::Map(entries, sorted) => (entries, *sorted),
                    _ => (entries, false),
                };
                let entries = self.column(entries, hinted_entries);
                Column {
                    decoded: with_type(hinted, DataType::Map(entries.decoded, sorted)),
                    given: with_type(hinted, DataType::Map(entries.given, sorted)),
                    meaning: Meaning::of_items(entries.meaning),
                }
            }
            DataType::Struct(fields) => {
                let hinted_fields = match hinted.data_type() {
                    DataType::Struct(fields) => fields,
                    _ => fields,
                };
                let (mut decoded, mut given, mut meanings) = (Vec::new(), Vec::new(), Vec::new());
                for (own, hinted) in fields.iter().zip(hinted_fields) {
                    let column = self.column(own, hinted);
                    decoded.push(column.decoded);
                    given.push(column.given);
                    meanings.push(column.meaning);
                }
                Column {
                    decoded: with_type(hinted, DataType::Struct(Fields::from(decoded))),
                    given: with_type(hinted, DataType::Struct(Fields::from(given))),
                    meaning: Meaning::of_fields(meanings),
                }
            }
            own => self.leaf(own, hinted),
        }
    }

    fn leaf(&mut self, own: &DataType, field: &FieldRef) -> Column {
        let descriptor = self.parquet.column(self.next);
        self.next += 1;
        let mut hinted = field.data_type();
        while let DataType::Dictionary(_, values) = hinted {
            hinted = values;
        }
        let values = values(&descriptor, own, hinted, self.writer);
        self.stored.push(values.stored);
        let given = values.leaf.as_ref().map_or_else(|| values.decoded.clone(), |leaf| leaf.data_type(&values.decoded));
        Column {
            decoded: with_type(field, values.decoded),
            given: with_type(field, given),
            meaning: values.leaf.map_or(Meaning::Plain, Meaning::Values),
        }
    }
}

/// How values are decoded and converted.
struct Values {
    stored: Option<Stored>,
    decoded: DataType,
    leaf: Option<Leaf>,
}

impl Values {
    fn plain(decoded: DataType) -> Self {
        Self { stored: None, decoded, leaf: None }
    }

    fn converted(stored: Stored, decoded: DataType, leaf: Leaf) -> Self {
        Self { stored: Some(stored), decoded, leaf: Some(leaf) }
    }
}

/// Decides about the values of one column. The file's own type rules; the writer's Arrow schema is asked only where the
/// file has no type for what it holds.
fn values(column: &ColumnDescriptor, own: &DataType, hinted: &DataType, writer: &Writer) -> Values {
    let physical = column.physical_type();
    if *own == DataType::Null {
        return Values::converted(Stored::Physical, physical_type(column), Leaf::Nothing);
    }
    match (physical, own) {
        (PhysicalType::INT96, _) => {
            let is = match (&writer.int96_is, hinted) {
                (Int96Is::Local, DataType::Timestamp(_, Some(zone))) if !zone.is_empty() => Int96Is::Instant,
                (is, _) => is.clone(),
            };
            let leaf = Leaf::Int96 { is, calendar: writer.int96 };
            Values { stored: None, decoded: DataType::Timestamp(TimeUnit::Second, None), leaf: Some(leaf) }
        }
        (PhysicalType::FIXED_LEN_BYTE_ARRAY, DataType::Interval(_)) => {
            let bytes = DataType::FixedSizeBinary(INTERVAL_BYTES);
            Values::converted(Stored::Physical, bytes, Leaf::Interval { signed: writer.is_arrow })
        }
        (PhysicalType::INT32, DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16) => {
            Values::converted(Stored::Physical, DataType::Int32, Leaf::Narrow(own.clone()))
        }
        (PhysicalType::BYTE_ARRAY, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            Values::converted(Stored::Physical, DataType::Binary, Leaf::Decimal(own.clone()))
        }
        (PhysicalType::BYTE_ARRAY, DataType::Utf8) => texts(column),
        (PhysicalType::BYTE_ARRAY, DataType::Binary)
            if matches!(hinted, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) =>
        {
            texts(column)
        }
        (_, DataType::Date32) if writer.dates != Calendar::Gregorian => {
            Values { stored: None, decoded: own.clone(), leaf: Some(Leaf::Days(writer.dates)) }
        }
        (_, DataType::Timestamp(_, zone)) => {
            let calendar = if zone.is_some() { writer.instants } else { writer.locals };
            let leaf = (calendar != Calendar::Gregorian).then_some(Leaf::Moments(calendar));
            // An instant is the same whatever its zone is called. Whether it is one, the file says.
            let is_named = matches!(hinted, DataType::Timestamp(_, Some(name)) if zone.is_some() && !name.is_empty());
            Values { stored: None, decoded: if is_named { hinted.clone() } else { own.clone() }, leaf }
        }
        (PhysicalType::INT32, DataType::Int32) | (PhysicalType::INT64, DataType::Int64) if is_bare(column) => {
            Values::plain(match hinted {
                DataType::Timestamp(unit, zone) => {
                    DataType::Timestamp(*unit, zone.clone().filter(|zone| !zone.is_empty()))
                }
                DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) | DataType::Date64 => hinted.clone(),
                _ => own.clone(),
            })
        }
        _ => Values::plain(own.clone()),
    }
}

/// Texts, checked to be UTF-8.
fn texts(column: &ColumnDescriptor) -> Values {
    let is_checked = column.converted_type() == ConvertedType::UTF8;
    Values { stored: (!is_checked).then_some(Stored::Text), decoded: DataType::Utf8, leaf: None }
}

/// Whether the file says nothing of a column but its physical type.
fn is_bare(column: &ColumnDescriptor) -> bool {
    column.converted_type() == ConvertedType::NONE && column.logical_type_ref().is_none()
}

/// The type that values of the physical type are decoded to.
fn physical_type(column: &ColumnDescriptor) -> DataType {
    match column.physical_type() {
        PhysicalType::BOOLEAN => DataType::Boolean,
        PhysicalType::INT32 => DataType::Int32,
        PhysicalType::INT64 => DataType::Int64,
        PhysicalType::INT96 => DataType::Timestamp(TimeUnit::Nanosecond, None),
        PhysicalType::FLOAT => DataType::Float32,
        PhysicalType::DOUBLE => DataType::Float64,
        PhysicalType::BYTE_ARRAY => DataType::Binary,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => DataType::FixedSizeBinary(column.type_length()),
    }
}

/// The items of a list of any kind.
fn item_of(list: &Field) -> Option<&FieldRef> {
    match list.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item),
        _ => None,
    }
}

fn with_type(field: &Field, data_type: DataType) -> FieldRef {
    // A new field, since the old one may carry a dictionary's number.
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone()))
}
