//! Which encoder feeds a target column from a source column: the one table of (Arrow type, `PostgreSQL` type) pairs.

use arrow_array::types::{
    Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, StringArray, StringViewArray};
use arrow_schema::DataType;

use super::bits::{self, Width};
use super::field::{AllNull, Built, Fault, FieldEncoder, Prepared};
use super::json::JsonText;
use super::jsonb::Canonical;
use super::numeric::Numeric;
use super::text::{Direct, Labels, Limit};
use super::values::Texts;
use super::{
    array_literal, boolean, bytea, catalog, composite, float, geometry, hstore, integer, interval, json_value, lists,
};
use super::{mac, money, multirange, network, numeric, range, temporal, text, uuid};
use crate::schema::{PgKind, PgType, Reading};

/// How a source column reaches a target column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// By COPY BINARY.
    Binary {
        /// Whether what the server will return for it is known, so that the column can take part in the row hash.
        hashed: bool,
    },
    /// There is no binary form here: the whole table goes by COPY text.
    Text,
    /// Not at all, for this reason.
    None(String),
}

/// How values of `source` reach a column of type `target`.
#[must_use]
pub fn support(source: &DataType, target: &PgType) -> Support {
    support_as(source, target, &Reading::utc())
}

/// The same where values are read in a certain way.
pub(crate) fn support_as(source: &DataType, target: &PgType, reading: &Reading) -> Support {
    match choose(source, target, reading) {
        Choice::Binary(_) => Support::Binary { hashed: reading.is_utf8 || !holds_jsonb(&target.kind) },
        Choice::Text(_) => Support::Text,
        Choice::None(reason) => Support::None(reason),
    }
}

/// Whether values hold `jsonb`, whose keys the server keeps in the order of their lengths in its own encoding.
fn holds_jsonb(kind: &PgKind) -> bool {
    match kind {
        PgKind::Jsonb => true,
        PgKind::Array(element) => holds_jsonb(&element.kind),
        PgKind::Composite(attributes) => attributes.iter().any(|attribute| holds_jsonb(&attribute.ty.kind)),
        _ => false,
    }
}

/// The encoder for a pair of types.
pub(super) enum Choice {
    /// Encodes the type's binary form.
    Binary(Box<dyn FieldEncoder>),
    /// Encodes the text that the type's input function takes.
    Text(Box<dyn FieldEncoder>),
    /// There is none, for this reason.
    None(String),
}

impl Choice {
    /// The same encoder behind a change of its arrays.
    pub(super) fn behind(self, prepare: impl Fn(&ArrayRef) -> Result<ArrayRef, Fault> + Send + 'static) -> Self {
        match self {
            Self::Binary(encoder) => Self::Binary(Prepared::boxed(prepare, encoder)),
            Self::Text(encoder) => Self::Text(Prepared::boxed(prepare, encoder)),
            Self::None(reason) => Self::None(reason),
        }
    }

    /// The text as it stands, for the type's input function.
    pub(super) fn input_text<V: Texts>() -> Self {
        text::from_text::<V>(Limit::None).read_as_text()
    }

    /// What was chosen for text, as the choice for a type whose input function shall read that text.
    fn read_as_text(self) -> Self {
        match self {
            Self::Binary(encoder) => Self::Text(encoder),
            other => other,
        }
    }

    /// That no rule leads from `source` to `target`.
    pub(super) fn none(source: &DataType, target: &PgType) -> Self {
        Self::None(format!("no rule makes {target} out of {source}"))
    }
}

/// The encoder that feeds `target` from `source`.
pub(super) fn choose(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    if target.kind == PgKind::Other {
        return choose(source, &text::plain(), reading).read_as_text();
    }
    let is_time = matches!(target.kind, PgKind::Date | PgKind::Timestamp(_) | PgKind::TimestampTz(_));
    if source.is_integer() && is_time && reading.counts_time() {
        return temporal::from_instants(source, target, reading);
    }
    if let PgKind::Json | PgKind::Jsonb = target.kind
        && !may_be_text(source)
    {
        return json_value::from_values(source, target.kind == PgKind::Jsonb, reading);
    }
    if let Some(simple) = simpler(source) {
        let choice = choose(&simple, target, reading);
        return match choice {
            Choice::None(_) => Choice::none(source, target),
            _ => choice.behind(move |column| Ok(widened(column, &simple))),
        };
    }
    match source {
        DataType::Null => Choice::Binary(Box::new(AllNull)),
        DataType::Boolean => boolean::from_boolean(source, target),
        DataType::Int16 => integer::from_integer::<Int16Type>(source, target),
        DataType::Int32 => integer::from_integer::<Int32Type>(source, target),
        DataType::Int64 => integer::from_integer::<Int64Type>(source, target),
        DataType::UInt64 => integer::from_integer::<UInt64Type>(source, target),
        DataType::Float32 => float::from_float::<Float32Type>(source, target),
        DataType::Float64 => float::from_float::<Float64Type>(source, target),
        DataType::Decimal128(_, scale) => numeric::from_decimal::<Decimal128Type>(*scale, source, target),
        DataType::Decimal256(_, scale) => numeric::from_decimal::<Decimal256Type>(*scale, source, target),
        DataType::Utf8 => from_text::<StringArray>(source, target, reading),
        DataType::Utf8View => from_text::<StringViewArray>(source, target, reading),
        DataType::Binary | DataType::BinaryView | DataType::FixedSizeBinary(_) => from_bytes(source, target, reading),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => lists::from_list(item, source, target, reading),
        DataType::Struct(fields) => match &target.kind {
            PgKind::Composite(attributes) => composite::from_struct(fields, target, attributes, reading),
            _ => Choice::none(source, target),
        },
        DataType::Map(entries, _) if target.kind == PgKind::Hstore => hstore::from_map(entries, target, reading),
        _ => temporal::from_temporal(source, target, reading),
    }
}

/// The encoder that feeds `target` from stored keys.
pub(super) fn choose_stored_key(source: &DataType, target: &PgType) -> Choice {
    match &target.kind {
        _ if source != &DataType::Int64 => Choice::None(format!("stored keys are Int64, not {source}")),
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => integer::from_integer::<Int64Type>(source, target),
        _ => temporal::from_keys(target),
    }
}

/// Whether values of this type are texts, or bytes that may be, which are taken for JSON as they stand.
fn may_be_text(source: &DataType) -> bool {
    match source {
        DataType::Dictionary(_, values) => may_be_text(values),
        DataType::RunEndEncoded(_, values) => may_be_text(values.data_type()),
        DataType::Null
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => true,
        _ => false,
    }
}

/// The type to which `source` is brought, without loss, so that fewer types need encoders.
fn simpler(source: &DataType) -> Option<DataType> {
    Some(match source {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::LargeBinary => DataType::BinaryView,
        // A view takes a dictionary's texts without copying them row by row.
        DataType::Dictionary(_, values) => match values.as_ref() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            other => other.clone(),
        },
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        _ => return None,
    })
}

fn widened(column: &ArrayRef, simple: &DataType) -> ArrayRef {
    arrow_cast::cast(column, simple).expect("every type that `simpler` names is reached without loss")
}

fn from_text<V: Texts>(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    match &target.kind {
        PgKind::Bool => parsed::<V, _>(boolean::parse),
        PgKind::Int2 => integer::from_text::<V, i16, 2>(reading),
        PgKind::Int4 => integer::from_text::<V, i32, 4>(reading),
        PgKind::Int8 => integer::from_text::<V, i64, 8>(reading),
        PgKind::Float4 => parsed::<V, _>(float::parse::<f32>),
        PgKind::Float8 => parsed::<V, _>(float::parse::<f64>),
        PgKind::Numeric(modifier) => {
            let (modifier, mut number) = (*modifier, Numeric::for_server(reading));
            parsed::<V, _>(move |text, out| number.encode_text(text, modifier, out))
        }
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => text::from_text::<V>(Limit::of(&target.kind)),
        PgKind::Bytea => parsed::<V, _>(bytea::parse),
        PgKind::Uuid => parsed::<V, _>(uuid::parse),
        PgKind::Json => Choice::Binary(Direct::<V, _>::boxed(JsonText::default())),
        PgKind::Jsonb => {
            let mut canonical = Canonical::default();
            parsed::<V, _>(move |text, out| canonical.encode(text, out))
        }
        PgKind::Enum(labels) => Choice::Binary(Direct::<V, _>::boxed(Labels::new(labels, &target.name))),
        PgKind::Name => Choice::Binary(Direct::<V, _>::boxed(catalog::WholeName)),
        PgKind::Array(element) => match choose(&DataType::Utf8, element, &reading.inside()) {
            Choice::Binary(encoder) => Choice::Binary(array_literal::ArrayLiteral::<V>::boxed(element.oid, encoder)),
            Choice::Text(_) => Choice::input_text::<V>(),
            Choice::None(reason) => Choice::None(reason),
        },
        // The fields of such a modifier change what the text means: '5' is five days for `interval day`.
        PgKind::Interval(Some(modifier)) if interval::names_fields(*modifier) => Choice::input_text::<V>(),
        PgKind::Date
        | PgKind::Time(_)
        | PgKind::TimeTz(_)
        | PgKind::Timestamp(_)
        | PgKind::TimestampTz(_)
        | PgKind::Interval(_) => temporal::from_text::<V>(source, target, reading),
        _ => from_rarer_text::<V>(source, target, reading),
    }
}

fn from_rarer_text<V: Texts>(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    match &target.kind {
        PgKind::Inet => parsed::<V, _>(|text, out| network::parse(text, false, out)),
        PgKind::Cidr => parsed::<V, _>(|text, out| network::parse(text, true, out)),
        PgKind::MacAddr => parsed::<V, _>(mac::parse_6),
        PgKind::MacAddr8 => parsed::<V, _>(mac::parse_8),
        PgKind::Bit(width) => {
            let width = width.map_or(Width::Any, Width::Exactly);
            parsed::<V, _>(move |text, out| bits::parse(text, width, out))
        }
        PgKind::VarBit(width) => {
            let width = width.map_or(Width::Any, Width::Most);
            parsed::<V, _>(move |text, out| bits::parse(text, width, out))
        }
        PgKind::Money => parsed::<V, _>(money::parse),
        PgKind::Oid => parsed::<V, _>(catalog::parse_oid),
        PgKind::PgLsn => parsed::<V, _>(catalog::parse_lsn),
        PgKind::InternalChar => parsed::<V, _>(catalog::parse_char),
        PgKind::Point => parsed::<V, _>(catalog::parse_point),
        PgKind::Range { subtype, discrete } => range::from_text::<V>(subtype, *discrete, reading),
        PgKind::Multirange(range) => multirange::from_text::<V>(range, reading),
        PgKind::Composite(attributes) => composite::from_text::<V>(attributes, reading),
        PgKind::Hstore => {
            let mut pairs = hstore::Pairs::default();
            parsed::<V, _>(move |text, out| pairs.encode(text, out))
        }
        PgKind::Geometry => Choice::input_text::<V>(),
        _ => Choice::none(source, target),
    }
}

/// Fields that `parse` appends for each text.
pub(super) fn parsed<V: Texts, F>(mut parse: F) -> Choice
where
    F: FnMut(&str, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
{
    Choice::Binary(Built::<V, _>::boxed(move |array: &V, row, out: &mut Vec<u8>| parse(array.text(row), out)))
}

fn from_bytes(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    match (&target.kind, source) {
        (PgKind::Bytea, DataType::Binary) => Choice::Binary(Direct::<BinaryArray, _>::boxed(text::Whole)),
        (PgKind::Bytea, DataType::BinaryView) => Choice::Binary(Direct::<BinaryViewArray, _>::boxed(text::Whole)),
        (PgKind::Bytea, _) | (PgKind::Uuid, DataType::FixedSizeBinary(16)) => {
            Choice::Binary(Direct::<FixedSizeBinaryArray, _>::boxed(text::Whole))
        }
        (
            PgKind::Text
            | PgKind::Varchar(_)
            | PgKind::Char(_)
            | PgKind::Json
            | PgKind::Jsonb
            | PgKind::Enum(_)
            | PgKind::Name
            | PgKind::Inet
            | PgKind::Cidr
            | PgKind::MacAddr
            | PgKind::MacAddr8
            | PgKind::Hstore,
            DataType::Binary | DataType::BinaryView,
        ) => choose(&DataType::Utf8, target, reading).behind(text::checked_utf8),
        (PgKind::Geometry, _) => geometry::from_bytes(),
        _ => Choice::none(source, target),
    }
}
