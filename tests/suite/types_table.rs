//! TYPES.md is what `support` says: each type that a source can have, each type of a column, and what happens.
//!
//! The page is made here. Where it differs from what is in the tree, the test fails; `INSTA_UPDATE=always` writes it.

use std::fmt::Write;
use std::sync::Arc;

use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
use pgbackfill::encode::{Support, support};
use pgbackfill::schema::{PgAttribute, PgKind, PgType};

const PREFACE: &str = "\
# Types

What becomes of a value, for every type that a source can have and every type that a column can have. A CSV holds nothing
but text. Parquet has the other types, named here as Arrow names them, and so do sources of one's own. In every type null
stays null; a domain is its base type, with its checks left to the server.

A word in a cell means that rows go as COPY BINARY, and says by which rule:

| word | rule |
| --- | --- |
| read | The text is read as the column's type reads it. What the server refuses is refused, and so are the few forms in [GUARANTEES.md](GUARANTEES.md#where-a-value-is-refused-that-the-server-takes). |
| as is | Each value has one of its own in the column's type. |
| range | The value stays what it is, and is refused where the column's type cannot hold it. |
| whole | Whole numbers within the range; others are refused. |
| exactly | Refused where the column's type has no such number, so that none is rounded. |
| nearest | The nearest number that the column's type has, as a cast of the server gives it; refused where it is out of range. |
| fits | Rounded to the declared digits as the server does it; refused where there are more before the point than declared. |
| 0 or 1 | Any other number is refused. |
| printed | The text that the server prints of it; the rules of the column's length hold for that. |
| length | Refused where it is longer than declared, but for spaces at the end, which go as the server lets them go; `char(n)` is padded. |
| label | One of the enum's labels, to the letter. |
| UTF-8 | Bytes that are UTF-8, taken for the text they are; others are refused. |
| 16 bytes | The bytes of the `uuid`. |
| micros | To the microsecond. Nanoseconds that are no whole microseconds are refused, or cut off with `--allow-lossy`. |
| zone | As micros. From a time with an offset to one without and back, `--timezone` tells the offset. |
| midnight | As zone; a time of day other than midnight is refused. |
| JSON | The value as `to_json` spells it. |
| parts | Part by part, by the rules of their own types; fields are matched with attributes by name. |
| null | There is nothing but null. |

**text** means that there is no binary form here: the whole table goes as COPY TEXT, and the server reads the value;
bytes go to PostGIS as the hexadecimal digits of well-known binary. An
empty cell means that the load is refused before it begins, and says so. Declared digits of times (`timestamp(3)`) round
as the server does it.

This page is made of the encoders' own table by `tests/suite/types_table.rs`.
";

/// Types of a source that all go the same way.
struct Row {
    name: &'static str,
    sources: Vec<DataType>,
}

fn row(name: &'static str, sources: impl IntoIterator<Item = DataType>) -> Row {
    Row { name, sources: sources.into_iter().collect() }
}

fn rows() -> Vec<Row> {
    let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    let zoned = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let fields = [Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)];
    let entries = [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)];
    let entries = Field::new("entries", DataType::Struct(entries.into_iter().collect()), false);
    vec![
        row("CSV, Utf8", [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, dictionary(DataType::Utf8)]),
        row("Boolean", [DataType::Boolean]),
        row("Int8, UInt8", [DataType::Int8, DataType::UInt8]),
        row("Int16", [DataType::Int16]),
        row("UInt16", [DataType::UInt16]),
        row("Int32", [DataType::Int32]),
        row("UInt32", [DataType::UInt32]),
        row("Int64", [DataType::Int64]),
        row("UInt64", [DataType::UInt64]),
        row("Float16, Float32", [DataType::Float16, DataType::Float32]),
        row("Float64", [DataType::Float64]),
        row(
            "Decimal",
            [
                DataType::Decimal32(7, 2),
                DataType::Decimal64(15, 2),
                DataType::Decimal128(30, 4),
                DataType::Decimal256(60, 4),
            ],
        ),
        row("Date32", [DataType::Date32]),
        row("Date64", [DataType::Date64]),
        row(
            "Time",
            [
                DataType::Time32(TimeUnit::Second),
                DataType::Time32(TimeUnit::Millisecond),
                DataType::Time64(TimeUnit::Microsecond),
                DataType::Time64(TimeUnit::Nanosecond),
            ],
        ),
        row("Timestamp", units.map(|unit| DataType::Timestamp(unit, None))),
        row("Timestamp in UTC", units.map(zoned)),
        row("Duration", units.map(DataType::Duration)),
        row(
            "Interval",
            [IntervalUnit::YearMonth, IntervalUnit::DayTime, IntervalUnit::MonthDayNano].map(DataType::Interval),
        ),
        row("Binary", [DataType::Binary, DataType::LargeBinary, DataType::BinaryView, dictionary(DataType::Binary)]),
        row("Binary of 16 bytes", [DataType::FixedSizeBinary(16)]),
        row("Binary of n bytes", [DataType::FixedSizeBinary(7)]),
        row(
            "List",
            [
                DataType::List(item(DataType::Int32)),
                DataType::LargeList(item(DataType::Int32)),
                DataType::FixedSizeList(item(DataType::Int32), 3),
                DataType::List(item(DataType::List(item(DataType::Int32)))),
            ],
        ),
        row("Struct", [DataType::Struct(fields.into_iter().collect())]),
        row("Map", [DataType::Map(Arc::new(entries), false)]),
        row("Null", [DataType::Null]),
    ]
}

/// Types of columns that are read side by side.
struct Family {
    name: &'static str,
    targets: Vec<PgType>,
}

fn pg(name: &str, kind: PgKind) -> PgType {
    PgType { oid: 1, name: name.to_owned(), kind }
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn families() -> Vec<Family> {
    let family = |name, targets| Family { name, targets };
    let integer = || pg("integer", PgKind::Int4);
    let range = || pg("ranges", PgKind::Range { subtype: Box::new(integer()), discrete: true });
    let attribute = |name: &str, ty| PgAttribute { name: name.to_owned(), ty };
    let attributes = [attribute("a", integer()), attribute("b", pg("text", PgKind::Text))];
    vec![
        family(
            "Numbers",
            vec![
                pg("boolean", PgKind::Bool),
                pg("smallint", PgKind::Int2),
                integer(),
                pg("bigint", PgKind::Int8),
                pg("real", PgKind::Float4),
                pg("double precision", PgKind::Float8),
                pg("numeric", PgKind::Numeric(None)),
                pg("numeric(p,s)", PgKind::Numeric(Some((9, 3)))),
                pg("money", PgKind::Money),
                pg("oid", PgKind::Oid),
            ],
        ),
        family(
            "Texts",
            vec![
                pg("text, varchar", PgKind::Text),
                pg("varchar(n)", PgKind::Varchar(Some(9))),
                pg("char(n)", PgKind::Char(Some(9))),
                pg("name", PgKind::Name),
                pg("\"char\"", PgKind::InternalChar),
                pg("enums", PgKind::Enum(["a".to_owned()].into())),
            ],
        ),
        family(
            "Dates and times",
            vec![
                pg("date", PgKind::Date),
                pg("time", PgKind::Time(None)),
                pg("timetz", PgKind::TimeTz(None)),
                pg("timestamp", PgKind::Timestamp(None)),
                pg("timestamptz", PgKind::TimestampTz(None)),
                pg("interval", PgKind::Interval(None)),
                // `interval day`: the server's own way to encode the fields.
                pg("interval of fields", PgKind::Interval(Some((8 << 16) | 0xffff))),
            ],
        ),
        family(
            "Bytes, bits and addresses",
            vec![
                pg("bytea", PgKind::Bytea),
                pg("bit(n)", PgKind::Bit(Some(8))),
                pg("bit varying", PgKind::VarBit(None)),
                pg("uuid", PgKind::Uuid),
                pg("inet", PgKind::Inet),
                pg("cidr", PgKind::Cidr),
                pg("macaddr", PgKind::MacAddr),
                pg("macaddr8", PgKind::MacAddr8),
                pg("pg_lsn", PgKind::PgLsn),
            ],
        ),
        family(
            "Made of others",
            vec![
                pg("json", PgKind::Json),
                pg("jsonb", PgKind::Jsonb),
                pg("hstore", PgKind::Hstore),
                pg("arrays", PgKind::Array(Box::new(integer()))),
                pg("composites", PgKind::Composite(attributes.into())),
                range(),
                pg("multiranges", PgKind::Multirange(Box::new(range()))),
                pg("point", PgKind::Point),
                pg("geometry, geography", PgKind::Geometry),
                pg("any other", PgKind::Other),
            ],
        ),
    ]
}

/// What a cell says.
fn cell(source: &DataType, target: &PgType) -> &'static str {
    match support(source, target) {
        Support::Binary { .. } => rule(source, target),
        Support::Text => "**text**",
        Support::None(_) => "",
    }
}

/// The rule by which values go as binary.
fn rule(source: &DataType, target: &PgType) -> &'static str {
    match source {
        DataType::Null => "null",
        DataType::Dictionary(_, values) => rule(values, target),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match target.kind {
            PgKind::Text => "as is",
            PgKind::Varchar(_) | PgKind::Char(_) => "length",
            PgKind::Enum(_) => "label",
            PgKind::Numeric(Some(_)) => "fits",
            _ => "read",
        },
        _ if matches!(target.kind, PgKind::Json | PgKind::Jsonb) && !is_bytes(source) => "JSON",
        _ if is_bytes(source) => match target.kind {
            PgKind::Bytea => "as is",
            PgKind::Uuid => "16 bytes",
            _ => "UTF-8",
        },
        _ if is_text(target) => "printed",
        DataType::Boolean => "as is",
        _ if source.is_nested() => "parts",
        _ if source.is_temporal() => rule_of_times(source, target),
        _ => rule_of_numbers(source, target),
    }
}

fn is_bytes(source: &DataType) -> bool {
    matches!(source, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

fn is_text(target: &PgType) -> bool {
    matches!(target.kind, PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_))
}

fn rule_of_times(source: &DataType, target: &PgType) -> &'static str {
    match (source, &target.kind) {
        (DataType::Date32, PgKind::Date) => "range",
        (_, PgKind::Date) => "midnight",
        (DataType::Date32 | DataType::Date64 | DataType::Timestamp(..), _) | (_, PgKind::TimeTz(_)) => "zone",
        _ => "micros",
    }
}

fn rule_of_numbers(source: &DataType, target: &PgType) -> &'static str {
    let is_decimal = source.is_decimal();
    match &target.kind {
        PgKind::Bool => "0 or 1",
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 if source.is_floating() || is_decimal => "whole",
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 if is_within(source, target) => "as is",
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 | PgKind::Oid => "range",
        PgKind::Float4 if source.is_floating() => {
            if is_single(source) {
                "as is"
            } else {
                "nearest"
            }
        }
        PgKind::Float8 if source.is_floating() => "as is",
        PgKind::Float4 | PgKind::Float8 if is_decimal => "nearest",
        PgKind::Float4 | PgKind::Float8 if is_within_digits(source, target) => "as is",
        PgKind::Float4 | PgKind::Float8 => "exactly",
        PgKind::Numeric(None) if source.is_floating() => "printed",
        PgKind::Numeric(None) => "as is",
        PgKind::Money if source.is_integer() => "range",
        PgKind::Numeric(Some(_)) | PgKind::Money => "fits",
        _ => panic!("{source} becomes {target} by a rule that has no word yet"),
    }
}

fn is_single(source: &DataType) -> bool {
    matches!(source, DataType::Float16 | DataType::Float32)
}

/// Bits that values take, the sign not counted.
fn bits(source: &DataType) -> u32 {
    match source {
        DataType::Int8 => 7,
        DataType::UInt8 => 8,
        DataType::Int16 => 15,
        DataType::UInt16 => 16,
        DataType::Int32 => 31,
        DataType::UInt32 => 32,
        DataType::Int64 => 63,
        _ => 64,
    }
}

fn is_within(source: &DataType, target: &PgType) -> bool {
    let most = match target.kind {
        PgKind::Int2 => 15,
        PgKind::Int4 => 31,
        _ => 63,
    };
    bits(source) <= most
}

/// Whether every integer of the source is a number of the floating-point type.
fn is_within_digits(source: &DataType, target: &PgType) -> bool {
    bits(source) <= if target.kind == PgKind::Float4 { 24 } else { 53 }
}

fn page() -> String {
    let mut page = PREFACE.to_owned();
    for family in families() {
        let names: Vec<&str> = family.targets.iter().map(|target| target.name.as_str()).collect();
        let name = |name: &str| name.split(", ").map(|part| format!("`{part}`")).collect::<Vec<_>>().join(", ");
        let plain = ["enums", "arrays", "composites", "ranges", "multiranges", "any other"];
        let name = |text: &&str| if plain.contains(text) { (*text).to_owned() } else { name(text) };
        let heads: Vec<String> = names.iter().map(name).collect();
        write!(page, "\n## {}\n\n| from | {} |\n", family.name, heads.join(" | ")).unwrap();
        writeln!(page, "| --- |{}", " --- |".repeat(names.len())).unwrap();
        let mut refused = Vec::new();
        for row in rows() {
            let cells: Vec<&str> = family.targets.iter().map(|target| common(&row, target)).collect();
            if cells.iter().all(|cell| cell.is_empty()) {
                refused.push(row.name);
                continue;
            }
            let written = cells.iter().map(|cell| if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") });
            writeln!(page, "| {} |{}", row.name, written.collect::<String>()).unwrap();
        }
        if !refused.is_empty() {
            writeln!(page, "\nRefused from: {}.", refused.join("; ")).unwrap();
        }
    }
    page
}

/// What happens with all types of a row alike.
fn common(row: &Row, target: &PgType) -> &'static str {
    let cells: Vec<&str> = row.sources.iter().map(|source| cell(source, target)).collect();
    assert!(cells.iter().all(|other| *other == cells[0]), "{} differ for {target}: {cells:?}", row.name);
    cells[0]
}

#[test]
fn the_page_of_types_is_what_the_encoders_do() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/TYPES.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differing = page.lines().zip(found.lines()).find(|(one, two)| one != two);
    assert!(page == found, "TYPES.md is old; INSTA_UPDATE=always writes it. The first difference: {differing:?}");
}
