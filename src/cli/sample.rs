//! The demo's sample data: made-up readings of sensors at a few sites, one file for each day.
//!
//! The same seed always makes the same files. Days take turns as CSV and as Parquet. One reading in fifty arrives
//! late: it stands among later ones, and the late ones of a day's first hours belong to the day before, so that files
//! overlap in time as real ones do. Notes have quotes, commas and line ends; values and notes are null now and then.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use pgbackfill::{Error, ErrorKind, Result};

/// Writes one batch as one Parquet file.
pub(crate) type WriteParquet = fn(&Path, &RecordBatch) -> Result<()>;

/// Statement that makes a table for the sample; `{table}` stands for its name.
pub(crate) const CREATE_TABLE: &str = "create table {table} (
    time timestamptz not null,
    sensor text not null,
    site text not null,
    value float8,
    count int4 not null,
    note text
)";

/// How much is made, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) days: u32,
    pub(crate) rows_per_day: u32,
    pub(crate) seed: u64,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// The files, in the order of their days.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) rows: u64,
    /// Bytes of all the files.
    pub(crate) bytes: u64,
}

impl Default for Sample {
    /// About a million rows over thirty days.
    fn default() -> Self {
        Self { days: 30, rows_per_day: 33_400, seed: 42 }
    }
}

/// 2024-01-01 00:00 UTC, in microseconds since 1970.
const FIRST_MICROS: i64 = 1_704_067_200_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// One reading in so many arrives late, by up to so many hours.
const LATE_ONE_IN: u64 = 50;
const LATE_HOURS_MAX: i64 = 3;

const SITES: [&str; 6] = ["Zürich", "São Paulo", "Kyōto", "O'Hare", "Reykjavík", "Cape Town, South"];
const SENSORS: u64 = 40;

const NOTES: [&str; 5] = [
    "calibrated",
    "operator said \"too hot\", then left",
    "door open;\nfan off",
    "'quoted', and 100% humid",
    "back\\slash and tab\there",
];

impl Sample {
    /// Makes the files in `folder`.
    pub(crate) fn make(&self, folder: &Path, write_parquet: WriteParquet) -> Result<Made> {
        let mut made = Made { files: Vec::new(), rows: 0, bytes: 0 };
        for day in 0..self.days {
            let readings = self.readings(day);
            let stem = folder.join(format!("readings-{}", date(day_start(day))));
            let path = if day % 2 == 0 {
                write_csv(&stem.with_extension("csv"), &readings)?
            } else {
                let path = stem.with_extension("parquet");
                write_parquet(&path, &batch(&readings)?)?;
                path
            };
            made.rows += u64::from(self.rows_per_day);
            made.bytes += fs::metadata(&path).map_err(|error| cannot("measure", &path, error))?.len();
            made.files.push(path);
        }
        Ok(made)
    }

    /// The readings of one day, in the order in which they arrive.
    fn readings(&self, day: u32) -> Vec<Reading> {
        let mut dice = Dice(self.seed ^ (u64::from(day) << 32));
        let step = MICROS_PER_DAY / i64::from(self.rows_per_day.max(1));
        (0..self.rows_per_day).map(|row| reading(&mut dice, day_start(day) + i64::from(row) * step, step)).collect()
    }
}

/// One made-up row.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    /// Microseconds since 1970.
    time: i64,
    sensor: String,
    site: &'static str,
    value: Option<f64>,
    count: i32,
    note: Option<&'static str>,
}

/// A reading that arrives within `step` microseconds of `arrival`.
fn reading(dice: &mut Dice, arrival: i64, step: i64) -> Reading {
    let mut time = arrival + dice.below_signed(step);
    if dice.one_in(LATE_ONE_IN) {
        time = (time - dice.below_signed(LATE_HOURS_MAX * MICROS_PER_HOUR)).max(FIRST_MICROS);
    }
    let sensor = dice.below(SENSORS);
    // A daily wave with some noise, in thousandths.
    let noon = f64::from(i32::try_from((time / 1_000_000) % 86_400).expect("a day has fewer seconds than i32 counts"));
    let noise = f64::from(u32::try_from(dice.below(2_000)).expect("below two thousand")) / 1_000.0;
    let value = 15.0 + 8.0 * (noon / 86_400.0 * std::f64::consts::TAU).sin() + noise;
    Reading {
        time,
        sensor: format!("sensor-{sensor:02}"),
        site: pick(&SITES, sensor),
        value: (!dice.one_in(200)).then(|| (value * 1_000.0).round() / 1_000.0),
        count: i32::try_from(dice.below(100)).expect("below a hundred"),
        note: dice.one_in(20).then(|| pick(&NOTES, dice.below(u64::MAX))),
    }
}

fn pick<'a>(texts: &[&'a str], number: u64) -> &'a str {
    let count = u64::try_from(texts.len()).expect("a list fits memory");
    texts[usize::try_from(number % count).expect("smaller than a length")]
}

/// Random numbers that are the same everywhere: the generator `SplitMix64` (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }

    fn below_signed(&mut self, limit: i64) -> i64 {
        let limit = u64::try_from(limit).unwrap_or(0);
        i64::try_from(self.below(limit)).expect("less than a limit that was an i64")
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

fn day_start(day: u32) -> i64 {
    FIRST_MICROS + i64::from(day) * MICROS_PER_DAY
}

fn timestamp(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).expect("the sample's days are within any calendar")
}

fn date(micros: i64) -> String {
    timestamp(micros).strftime("%Y-%m-%d").to_string()
}

fn cannot(what: &str, path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Source, format!("cannot {what} {}", path.display())).with_source(error)
}

fn write_csv(path: &Path, readings: &[Reading]) -> Result<PathBuf> {
    let file = File::create(path).map_err(|error| cannot("write", path, error))?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    let written = writer.write_record(["time", "sensor", "site", "value", "count", "note"]).and_then(|()| {
        for reading in readings {
            let value = reading.value.map(|value| value.to_string()).unwrap_or_default();
            let (time, count) = (timestamp(reading.time).to_string(), reading.count.to_string());
            writer.write_record([
                &time,
                &reading.sensor,
                reading.site,
                &value,
                &count,
                reading.note.unwrap_or_default(),
            ])?;
        }
        Ok(writer.flush()?)
    });
    written.map_err(|error| cannot("write", path, error))?;
    Ok(path.to_owned())
}

fn batch(readings: &[Reading]) -> Result<RecordBatch> {
    let time_type = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("time", time_type, false),
        Field::new("sensor", DataType::Utf8, false),
        Field::new("site", DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("count", DataType::Int32, false),
        Field::new("note", DataType::Utf8, true),
    ]);
    let times = readings.iter().map(|reading| reading.time);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(readings.iter().map(|reading| &reading.sensor))),
        Arc::new(StringArray::from_iter_values(readings.iter().map(|reading| reading.site))),
        Arc::new(readings.iter().map(|reading| reading.value).collect::<Float64Array>()),
        Arc::new(Int32Array::from_iter_values(readings.iter().map(|reading| reading.count))),
        Arc::new(readings.iter().map(|reading| reading.note).collect::<StringArray>()),
    ];
    RecordBatch::try_new(Arc::new(schema), columns)
        .map_err(|error| Error::new(ErrorKind::Internal, "the sample's columns do not fit together").with_source(error))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;

    use super::*;

    const SMALL: Sample = Sample { days: 4, rows_per_day: 10_000, seed: 42 };

    /// Stands in for the real writer: notes the rows.
    fn write_rows(path: &Path, batch: &RecordBatch) -> Result<()> {
        fs::write(path, batch.num_rows().to_string()).map_err(|error| cannot("write", path, error))
    }

    #[test]
    fn the_default_is_about_a_million_rows() {
        let sample = Sample::default();
        let rows = u64::from(sample.days) * u64::from(sample.rows_per_day);
        assert!((1_000_000..1_010_000).contains(&rows));
    }

    #[test]
    fn days_take_turns_as_csv_and_parquet_and_every_row_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let made = SMALL.make(folder.path(), write_rows).unwrap();
        let names: Vec<_> = made.files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        let expected = ["01.csv", "02.parquet", "03.csv", "04.parquet"].map(|tail| format!("readings-2024-01-{tail}"));
        assert_eq!(names, expected);
        assert_eq!(made.rows, 40_000);
        assert_eq!(csv::Reader::from_path(&made.files[0]).unwrap().into_records().count(), 10_000);
        assert_eq!(fs::read_to_string(&made.files[1]).unwrap(), "10000");
    }

    #[test]
    fn the_same_seed_makes_the_same_files_and_another_does_not() {
        assert_eq!(SMALL.readings(2), SMALL.readings(2));
        assert_ne!(SMALL.readings(2), Sample { seed: 43, ..SMALL }.readings(2));
        assert_ne!(SMALL.readings(2)[0].sensor, "");
    }

    #[test]
    fn some_readings_are_out_of_order_and_reach_into_the_day_before_but_not_before_the_first() {
        let late = |day: u32| SMALL.readings(day).into_iter().filter(|reading| reading.time < day_start(day)).count();
        assert_eq!(late(0), 0);
        assert!(late(1) > 0);
        let readings = SMALL.readings(1);
        let falls = readings.windows(2).filter(|pair| pair[1].time < pair[0].time).count();
        assert!((100..300).contains(&falls), "{falls}");
        assert!(readings.iter().all(|reading| reading.time < day_start(2)));
    }

    #[test]
    fn notes_need_quotes_and_nulls_are_there_and_both_survive_csv() {
        let folder = tempfile::tempdir().unwrap();
        let readings = SMALL.readings(0);
        let path = write_csv(&folder.path().join("a.csv"), &readings).unwrap();
        let mut reader = csv::Reader::from_path(path).unwrap();
        for (record, reading) in reader.records().zip(&readings) {
            let record = record.unwrap();
            assert_eq!(&record[5], reading.note.unwrap_or_default());
            assert_eq!(record[3].parse::<f64>().ok(), reading.value);
            assert_eq!(record[0].parse::<jiff::Timestamp>().unwrap().as_microsecond(), reading.time);
        }
        assert!(readings.iter().any(|reading| reading.value.is_none()));
        assert!(readings.iter().any(|reading| reading.note.is_some_and(|note| note.contains('\n'))));
    }

    #[test]
    fn a_batch_has_the_tables_columns_and_nulls() {
        let batch = batch(&SMALL.readings(1)).unwrap();
        for field in batch.schema().fields() {
            assert!(CREATE_TABLE.contains(&format!("    {} ", field.name())), "{field}");
        }
        assert!(batch.column(3).null_count() > 0 && batch.column(5).null_count() > 0);
        assert_eq!(batch.column(0).null_count(), 0);
    }
}
