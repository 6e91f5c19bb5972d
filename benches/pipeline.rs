//! What one core does to rows on their way: CSV surveyed, profiled and decoded, and batches encoded.
//!
//! The rows are like those of a monitoring agent: a time, three names and ten measures. `cargo bench` prints bytes a second
//! of CSV for the first three and of COPY BINARY for the last.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the data is made here, and small"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgbackfill::encode::{BlockBuilder, ColumnPlan, CopyFormat, Encoder, Role};
use pgbackfill::format::csv::{
    CsvDecoder, Dialect, Feed, KeyColumn, ProfileContext, Projection, profile, read_header, survey,
};
use pgbackfill::format::{Decode, Step};
use pgbackfill::model::{Extent, Format, KeyKind, Object, Zone};
use pgbackfill::schema::{PgKind, PgType, Reading, stored_keys};

const ROWS: u32 = 50_000;
const MEASURES: usize = 10;

/// `time,hostname,region,datacenter,usage_0 …` with a header, sorted by time.
fn csv() -> Bytes {
    let mut text = String::from("time,hostname,region,datacenter");
    (0..MEASURES).for_each(|i| write!(text, ",usage_{i}").unwrap());
    text.push('\n');
    for row in 0..ROWS {
        let (minute, host) = (row / 100, row % 100);
        write!(text, "2026-01-{:02} {:02}:{:02}:00+00:00", 1 + minute / 1440, minute / 60 % 24, minute % 60).unwrap();
        write!(text, ",host_{host},eu-central-1,eu-central-1a").unwrap();
        (0..MEASURES)
            .for_each(|i| write!(text, ",{:.2}", f64::from(row * 7 + host) * 0.37 % (50.0 + i as f64)).unwrap());
        text.push('\n');
    }
    text.into()
}

fn object(bytes: &Bytes) -> Object {
    let path_columns = Vec::new();
    Object {
        uri: "bench.csv".into(),
        bytes: bytes.len() as u64,
        version: String::new(),
        format: Format::Csv,
        path_columns,
        file: None,
    }
}

fn decode(csv: &Bytes, body: u64, dialect: &Arc<Dialect>, names: &[String]) -> Vec<RecordBatch> {
    let feeds = names.iter().enumerate().map(|(i, name)| (name.clone(), Feed::Field(i))).collect();
    let projection = Arc::new(Projection::try_new(names.len(), feeds).unwrap());
    let extent = Extent::Bytes { start: body, end: csv.len() as u64, first_record: 1 };
    let mut decoder = CsvDecoder::new(&object(csv), extent, Arc::clone(dialect), projection).unwrap();
    let mut batches = Vec::new();
    loop {
        match decoder.step().unwrap() {
            Step::Need(ranges) => {
                let data = ranges.iter().map(|range| csv.slice(range.start as usize..range.end as usize)).collect();
                decoder.supply(ranges, data).unwrap();
            }
            Step::Rows(rows) => batches.push(rows.batch),
            Step::Done => return batches,
        }
    }
}

fn encoder(names: &[String]) -> Encoder {
    let column = |(i, name): (usize, &String)| {
        let (oid, kind, role) = match i {
            0 => (1184, PgKind::TimestampTz(None), Role::StoredKey),
            1..=3 => (25, PgKind::Text, Role::Value),
            _ => (701, PgKind::Float8, Role::Value),
        };
        let source = if i == 0 { arrow_schema::DataType::Int64 } else { arrow_schema::DataType::Utf8 };
        ColumnPlan { name: name.clone(), source, target: PgType { oid, name: String::new(), kind }, role }
    };
    let columns: Vec<ColumnPlan> = names.iter().enumerate().map(column).collect();
    let hashed = columns.len();
    Encoder::try_new(columns, hashed, CopyFormat::Binary, Zone::UTC).unwrap()
}

/// Replaces the texts of the time column by stored keys, as the load does before it encodes.
fn keyed(batch: &RecordBatch) -> RecordBatch {
    let keys = stored_keys(batch.column(0), KeyKind::TimestampTz, &Reading::utc()).unwrap();
    let schema = batch.schema();
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields[0] = Arc::new(arrow_schema::Field::new("time", arrow_schema::DataType::Int64, true));
    let mut columns = batch.columns().to_vec();
    columns[0] = Arc::new(keys);
    RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), columns).unwrap()
}

fn pipeline(criterion: &mut Criterion) {
    let csv = csv();
    let header = read_header(&csv, true, &Dialect::default()).unwrap().unwrap();
    let body = csv.slice(header.body as usize..);
    let mut group = criterion.benchmark_group("csv");
    group.throughput(Throughput::Bytes(csv.len() as u64));
    group.bench_function("survey", |b| b.iter(|| survey(black_box(&body), &header.dialect)));
    let reading = Reading::utc();
    let key = KeyColumn { position: 0, name: "time", kind: KeyKind::TimestampTz, reading: &reading };
    let (object, dialect, columns) = ("bench.csv", &*header.dialect, header.columns);
    let context = ProfileContext { object, dialect, columns, key: Some(key), range: (None, None), rejects: None };
    group.bench_function("profile", |b| b.iter(|| profile(black_box(&body), header.body, 1, &context).unwrap()));
    group.bench_function("decode", |b| b.iter(|| decode(black_box(&csv), header.body, &header.dialect, &header.names)));
    group.finish();

    let batches: Vec<RecordBatch> =
        decode(&csv, header.body, &header.dialect, &header.names).iter().map(keyed).collect();
    let encode = |builder: &mut BlockBuilder| {
        let mut encoder = encoder(&header.names);
        batches.iter().for_each(|batch| encoder.encode(batch, builder).unwrap());
        builder.finish()
    };
    let mut builder = BlockBuilder::new(1 << 20);
    let bytes = encode(&mut builder).bytes.len() as u64;
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("texts", |b| b.iter(|| encode(black_box(&mut builder))));
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
