//! A source of one's own: readings of sensors, one part for each day, made up while they are loaded.
//!
//! ```sql
//! create table readings (time timestamptz not null, sensor text not null, value float8);
//! ```
//!
//! `cargo run --example custom_source` loads them into the database that `DATABASE_URL`, or libpq's `PG*` variables,
//! name. Anything that yields Arrow record batches can stand in the place of the made-up readings: another database, a
//! message archive, a format that pgbackfill does not read.

#![allow(dead_code, reason = "the tests take this file in for its source alone, and have no use for `main`")]

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pgbackfill::{
    Backfill, Batches, ConnectSettings, Error, ErrorKind, Event, Options, Part, Result, Source, Stop, WindowSize,
    report,
};

/// The statement that makes a table for the readings.
pub(crate) const CREATE_TABLE: &str =
    "create table readings (time timestamptz not null, sensor text not null, value float8)";

/// Days of readings, each a part.
const DAYS: u64 = 14;
/// Batches of a part: only one is in memory at a time.
const HOURS: i64 = 24;
/// Rows of a batch: five sensors, every minute.
const ROWS_PER_HOUR: i64 = 5 * 60;

/// Rows of all parts.
pub(crate) const ROWS: u64 = DAYS * 24 * 5 * 60;

/// 2024-01-01 00:00 UTC, in microseconds since 1970.
const FIRST_MICROS: i64 = 1_704_067_200_000_000;
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// Readings of five sensors.
struct Readings;

/// The source, as a [`Backfill`] takes it.
pub(crate) fn source() -> Arc<dyn Source> {
    Arc::new(Readings)
}

impl Source for Readings {
    /// Stands in the ledger, as the path of a file would.
    fn name(&self) -> &'static str {
        "readings"
    }

    /// Columns are matched with the table's by name, as those of a file are.
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
            Field::new("sensor", DataType::Utf8, false),
            Field::new("value", DataType::Float64, true),
        ]))
    }

    /// A resume asks again, and refuses to go on if a version is another then: a batch that was loaded from the old
    /// rows and one that was loaded from the new would not fit together.
    fn parts(&self) -> Result<Vec<Part>> {
        let part = |number| Part { number, version: "1".to_owned(), bytes: 24 * 5 * 60 * 24 };
        Ok((0..DAYS).map(part).collect())
    }

    /// Is called once or more for the profile and the load, also after a failure, and must always give the same rows.
    fn read(&self, part: &Part) -> Result<Batches> {
        let day = i64::try_from(part.number)
            .map_err(|error| Error::new(ErrorKind::Source, "no such part").with_source(error))?;
        let schema = self.schema();
        Ok(Box::new((0..HOURS).map(move |hour| batch(&schema, day * HOURS + hour))))
    }
}

/// The readings of one hour.
fn batch(schema: &SchemaRef, hour: i64) -> Result<RecordBatch> {
    let rows = (0..ROWS_PER_HOUR).map(|row| hour * ROWS_PER_HOUR + row);
    let times = rows.clone().map(|row| FIRST_MICROS + row / 5 * MICROS_PER_MINUTE);
    let sensors = rows.clone().map(|row| format!("sensor-{}", row % 5));
    // One reading in a hundred is missing.
    let values =
        rows.map(|row| (row % 100 != 7).then_some(15.0 + f64::from(i16::try_from(row % 80).unwrap_or(0)) / 8.0));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(sensors)),
        Arc::new(values.collect::<Float64Array>()),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|error| Error::new(ErrorKind::Source, "make readings").with_source(error))
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::new("readings")
        .with_time_column("time")
        .with_window(WindowSize::Span(Duration::from_secs(24 * 60 * 60)))
        .with_job("readings");
    let backfill = Backfill::new(ConnectSettings::from_environment()?, source(), options);
    let summary = backfill.load(|_: &Event| (), &Stop::new()).await?;
    println!("{}", report::summary(&summary));
    Ok(())
}
