//! The sources: many small parts, and many small files.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pgbackfill::{Batches, Input, Part, Result, Source};

/// A window is an hour.
pub(crate) const WINDOW_SECONDS: u64 = 3600;

/// 2010-01-01, in seconds since 1970.
const ORIGIN_SECONDS: i64 = 1_262_304_000;

const ROWS: i64 = 3;

/// Parts that begin one after the other, and reach so far.
struct Parts {
    schema: SchemaRef,
    count: u64,
    share_micros: i64,
    reach_micros: i64,
}

/// A custom source of `parts` parts over `windows` windows, each of which reaches over `reach` windows at most.
pub(crate) fn parts(parts: u64, windows: u64, reach: u64) -> Input {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let schema = Arc::new(Schema::new(vec![
        Field::new("ts", time, false),
        Field::new("sensor", DataType::Int64, false),
        Field::new("value", DataType::Float64, false),
    ]));
    let window_micros = WINDOW_SECONDS as i64 * 1_000_000;
    let share_micros = window_micros * windows as i64 / parts as i64;
    let reach_micros = if reach == 1 { share_micros } else { window_micros * reach as i64 };
    Input::Custom(Arc::new(Parts { schema, count: parts, share_micros, reach_micros }))
}

impl Parts {
    /// Times of a part's rows, in microseconds since 1970: the first and the last at the ends of its reach.
    fn times(&self, part: u64) -> impl Iterator<Item = i64> {
        let (first, reach) = (ORIGIN_SECONDS * 1_000_000 + part as i64 * self.share_micros, self.reach_micros);
        (0..ROWS).map(move |row| first + (reach - 1) * row / (ROWS - 1))
    }
}

impl Source for Parts {
    fn name(&self) -> &'static str {
        "scale://parts"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok((0..self.count).map(|number| Part { number, version: "1".to_owned(), bytes: 72 }).collect())
    }

    fn read(&self, part: &Part) -> Result<Batches> {
        let times = TimestampMicrosecondArray::from_iter_values(self.times(part.number)).with_timezone("+00:00");
        let sensors = Int64Array::from_iter_values(0..ROWS);
        let values = Float64Array::from_iter_values((0..ROWS).map(|row| row as f64 / 8.0));
        let columns: Vec<ArrayRef> = vec![Arc::new(times), Arc::new(sensors), Arc::new(values)];
        Ok(Box::new(std::iter::once(Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns).unwrap()))))
    }
}

/// A folder of CSV files, one for each window, a thousand to a folder of its own.
pub(crate) fn files(files: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..files {
        let below = folder.path().join(format!("{:04}", file / 1000));
        if file % 1000 == 0 {
            std::fs::create_dir(&below).unwrap();
        }
        let mut text = String::from("ts,sensor,value\n");
        for row in 0..ROWS {
            let seconds = ORIGIN_SECONDS + file as i64 * WINDOW_SECONDS as i64 + row * 60;
            let time = jiff::Timestamp::from_second(seconds).unwrap();
            writeln!(text, "{time},{row},{}", row as f64 / 8.0).unwrap();
        }
        std::fs::write(below.join(format!("{file:06}.csv")), text).unwrap();
    }
    folder
}
