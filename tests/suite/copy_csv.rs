//! Delimited text of any bytes, in the dialects that COPY has too: the server and the decoder read the same rows from it, or
//! both refuse it, but for the differences that [`pgbackfill::format::csv::Dialect`] lists.

use std::cell::Cell;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, StringArray};
use pgbackfill::Result;
use pgbackfill::format::csv::{CsvDecoder, Dialect, Feed, ProfileContext, Projection, profile, read_header};
use pgbackfill::format::{Decode, Step};
use pgbackfill::model::{Extent, Format, Object};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::harness::Database;

/// Columns of the tables; an object may have any number of fields.
const COLUMNS: [&str; 3] = ["one", "two", "three"];

fn object(bytes: &[u8]) -> Object {
    Object {
        uri: "a.csv".to_owned(),
        bytes: bytes.len() as u64,
        version: String::new(),
        format: Format::Csv,
        path_columns: Vec::new(),
        file: None,
    }
}

/// What the decoder reads: a JSON array for each row. The profile must have counted as many.
fn ours(bytes: &[u8], dialect: &Dialect, columns: usize) -> Result<Vec<Value>> {
    let header = read_header(bytes, true, dialect)?.expect("the object is whole");
    let feeds = (0..columns).map(|at| (format!("c{at}"), Feed::Field(at))).collect();
    let projection = Arc::new(Projection::try_new(columns, feeds)?);
    let context = ProfileContext {
        object: "a.csv",
        dialect: &header.dialect,
        columns,
        key: None,
        range: (None, None),
        rejects: None,
    };
    let body = &bytes[usize::try_from(header.body).unwrap()..];
    let counted = profile(body, header.body, 1, &context)?.rows;
    let extent = Extent::Bytes { start: header.body, end: bytes.len() as u64, first_record: 1 };
    let mut decoder = CsvDecoder::new(&object(bytes), extent, Arc::clone(&header.dialect), projection)?;
    let mut rows = Vec::new();
    loop {
        match decoder.step()? {
            Step::Need(ranges) => decoder.supply(ranges, vec![body.to_vec().into()])?,
            Step::Rows(batch) => rows.extend((0..batch.batch.num_rows()).map(|row| cells(&batch.batch, row))),
            Step::Done => break,
        }
    }
    assert_eq!(rows.len() as u64, counted);
    Ok(rows)
}

fn cells(batch: &RecordBatch, row: usize) -> Value {
    let cell = |column: &Arc<dyn Array>| {
        let texts = column.as_any().downcast_ref::<StringArray>().unwrap();
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    batch.columns().iter().map(cell).collect()
}

/// A dialect, as we and as the server are told it.
#[derive(Debug, Clone)]
struct Both {
    ours: Dialect,
    theirs: String,
}

fn dialects() -> impl Strategy<Value = Both> {
    let escape = select(vec![None, None, Some(b'\\'), Some(b'"'), Some(b'~')]);
    let all = (select(b",;|\t".to_vec()), select(b"\"\"'".to_vec()), escape, select(vec!["", "", "NA", "\\N", " "]));
    all.prop_map(|(delimiter, quote, escape, null)| {
        let literal = |byte: u8| format!("e'\\x{byte:02x}'");
        let escaped = escape.map(|escape| format!(", escape {}", literal(escape))).unwrap_or_default();
        let theirs = format!("delimiter {}, quote {}{escaped}, null '{null}'", literal(delimiter), literal(quote));
        let ours = Dialect {
            delimiter: delimiter.into(),
            quote: Some(quote),
            escape,
            null_marks: vec![null.as_bytes().to_vec()],
            has_header: false,
            ..Dialect::default()
        };
        Both { ours, theirs }
    })
}

/// Texts in which all that means something in one of the dialects is frequent; most are nearly well-formed in this one.
fn objects(dialect: &Dialect) -> impl Strategy<Value = String> + use<> {
    let hazard = select(vec![
        ",", ";", "|", "\t", "\"", "\"\"", "'", "''", "\\", "~", "\\\"", "~'", "\n", "\r\n", "\r", "NA", "\\N", " ",
        "a", "bc", "é", "🦀",
    ]);
    let delimiter = char::from(dialect.delimiter.as_bytes()[0]);
    let quote = char::from(dialect.quote.unwrap_or(b'"'));
    let field = (any::<bool>(), prop::collection::vec(hazard.clone(), 0..3), "[a-z]{0,3}");
    let field = field.prop_map(move |(quoted, hazards, plain)| match quoted {
        true => format!("{quote}{plain}{}{quote}", hazards.concat().replace(quote, &format!("{quote}{quote}"))),
        false => plain,
    });
    let row = move |(one, two): (String, String)| format!("{one}{delimiter}{two}\n");
    prop_oneof![
        1 => prop::collection::vec(hazard, 0..24).prop_map(|tokens| tokens.concat()),
        3 => prop::collection::vec((field.clone(), field), 0..6).prop_map(move |rows| rows.into_iter().map(row).collect()),
    ]
}

/// Whether the server's refusal is one of the documented differences: line ends that are mixed, and empty lines.
fn is_documented(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    let is_empty_line = error.message().starts_with("missing data for column")
        && error.where_().is_some_and(|place| place.ends_with(": \"\""));
    is_empty_line || error.message().starts_with("unquoted")
}

/// Reads the same bytes both ways; how many rows both have.
fn check(database: &Database, bytes: &str, both: &Both, columns: usize) -> std::result::Result<usize, TestCaseError> {
    let table = format!("t{columns}");
    database.sql(&format!("truncate {table}"));
    let theirs = database.try_copy_csv(&table, &both.theirs, bytes.as_bytes());
    let found = ours(bytes.as_bytes(), &both.ours, columns);
    match (theirs, found) {
        (Ok(_), Ok(rows)) => {
            let names = COLUMNS[..columns].join(", ");
            let stored = database.rows(&format!("select json_build_array({names})::text from {table} order by ctid"));
            let stored: Vec<Value> = stored.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
            prop_assert_eq!(json!(rows), json!(stored));
            return Ok(rows.len());
        }
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => prop_assert!(is_documented(&error), "only the server refuses: {error:?}"),
        (Ok(_), Err(error)) => prop_assert!(false, "only we refuse: {error}"),
    }
    Ok(0)
}

#[test]
fn any_text_is_read_as_copy_reads_it_or_refused_as_copy_refuses_it() {
    let tables = (1..=COLUMNS.len()).map(|columns| {
        let columns_of = COLUMNS[..columns].iter().map(|name| format!("{name} text")).collect::<Vec<_>>().join(", ");
        format!("create table t{columns} ({columns_of});")
    });
    let database = Database::with(&tables.collect::<Vec<_>>().concat());
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    let accepted = Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let all = dialects().prop_flat_map(|both| (objects(&both.ours), Just(both), select(vec![1_usize, 2, 2, 2, 3])));
    runner
        .run(&all, |(bytes, both, columns)| {
            // A line of these two characters ends the server's reading.
            prop_assume!(both.ours.validate().is_ok() && !bytes.contains("\\."));
            let rows = check(&database, &bytes, &both, columns)?;
            accepted.set(accepted.get() + u32::from(rows > 0));
            Ok(())
        })
        .unwrap();
    // Refusals alone would prove little.
    assert!(accepted.get() > cases / 5, "{} of {cases} have rows", accepted.get());
}
