//! The crate as a library: a source of one's own, and a load that is stopped and resumed, through public names only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pgbackfill::{
    Backfill, Batches, Error, ErrorKind, Event, Existing, Input, MissingRows, Options, Part, Result, Source, Stop,
    WindowSize,
};

use crate::harness::{Database, Folder, METRICS, block_on, metrics};

const READINGS: &str = "
    create table readings (ts timestamptz not null, sensor text not null, value float8, raw bigint);
    create index on readings (ts);
    create view expected as
      select timestamptz '2024-01-01Z' + n * interval '1 minute' as ts, 'sensor-' || n % 3 as sensor,
             case when n % 10 <> 0 then n / 4.0::float8 end as value, n::bigint * n as raw
        from generate_series(0, 9999) n";

const ROWS_PER_PART: u64 = 2_500;

/// Ten thousand readings in four parts; the columns stand in another order than the table's.
struct Readings {
    version: AtomicU64,
    /// Part 2 cannot be read to its end.
    broken: AtomicBool,
    /// What a part is said to take: parts without a time column are put together into windows by it.
    bytes: u64,
}

impl Readings {
    fn new() -> Arc<Self> {
        Arc::new(Self { version: AtomicU64::new(1), broken: AtomicBool::new(false), bytes: 100_000 })
    }

    fn large() -> Arc<Self> {
        Arc::new(Self { version: AtomicU64::new(1), broken: AtomicBool::new(false), bytes: 64 << 20 })
    }

    fn batch(&self, first: u64, rows: u64) -> RecordBatch {
        let numbers = || (first..first + rows).map(|n| i64::try_from(n).unwrap());
        // 2024-01-01, in microseconds since 1970
        let times = numbers().map(|n| 1_704_067_200_000_000 + n * 60_000_000);
        let value = |n: i64| (n % 10 != 0).then(|| f64::from(i32::try_from(n).unwrap()) / 4.0);
        let columns: Vec<arrow_array::ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(numbers().map(|n| n * n))),
            Arc::new(numbers().map(value).collect::<Float64Array>()),
            Arc::new(StringArray::from_iter_values(numbers().map(|n| format!("sensor-{}", n % 3)))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("+00:00")),
        ];
        RecordBatch::try_new(self.schema(), columns).unwrap()
    }
}

impl Source for Readings {
    fn name(&self) -> &'static str {
        "readings://all"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("raw", DataType::Int64, false),
            Field::new("value", DataType::Float64, true),
            Field::new("sensor", DataType::Utf8, false),
            Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())), false),
        ]))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let version = self.version.load(Ordering::SeqCst).to_string();
        Ok((0..4).map(|number| Part { number, version: version.clone(), bytes: self.bytes }).collect())
    }

    fn read(&self, part: &Part) -> Result<Batches> {
        let first = part.number * ROWS_PER_PART;
        let mut batches: Vec<Result<RecordBatch>> = (0..5).map(|i| Ok(self.batch(first + i * 500, 500))).collect();
        if part.number == 2 && self.broken.load(Ordering::SeqCst) {
            batches[3] = Err(Error::new(ErrorKind::Source, "the sensor fell silent"));
        }
        Ok(Box::new(batches.into_iter()))
    }
}

fn options() -> Options {
    Options::new("readings")
        .with_time_column("ts")
        .with_window(WindowSize::Span(std::time::Duration::from_secs(86_400)))
}

fn backfill(database: &Database, source: &Arc<Readings>, options: Options) -> Backfill {
    let source: Arc<dyn Source> = Arc::clone(source) as Arc<dyn Source>;
    Backfill::new(database.settings(), source, options)
}

fn ignore(_: &Event) {}

#[test]
fn a_source_of_ones_own_is_planned_loaded_and_verified() {
    let database = Database::with(READINGS);
    let backfill = backfill(&database, &Readings::new(), options().with_job("mine"));
    let plan = block_on(backfill.plan(ignore)).unwrap();
    assert_eq!((plan.rows, plan.windows.len()), (10_000, 7));
    assert_eq!(database.one("select to_regclass('pgbackfill.jobs') is null"), "t");
    let summary = block_on(backfill.load(ignore, &Stop::new())).unwrap();
    assert!(summary.is_complete() && summary.rows == 10_000 && summary.windows == 7, "{summary:?}");
    database.assert_same("readings", "expected");
    let target = database.settings();
    let verification = block_on(pgbackfill::verify(&target, Some("mine"), &ignore)).unwrap();
    assert!(verification.is_equal() && verification.rows == 10_000, "{verification:?}");
    let again = block_on(backfill.load(ignore, &Stop::new())).unwrap();
    assert_eq!((again.windows, again.rows), (0, 0));
    database.sql("update readings set value = 0 where raw = 1");
    let verification = block_on(pgbackfill::verify(&target, None, &ignore)).unwrap();
    assert_eq!(verification.differences.len(), 1);
    let status = block_on(pgbackfill::status(&target, Some("mine"))).unwrap();
    assert!(status.progress.is_complete());
    let refused = block_on(pgbackfill::undo(&target, "mine", MissingRows::Refuse, &ignore)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Changed);
    let undone = block_on(pgbackfill::undo(&target, "mine", MissingRows::Accept, &ignore)).unwrap();
    // The first has taken back the windows that are newer than the one that lacks a row.
    assert!(undone.rows + 1 == undone.rows_loaded && undone.rows < 9_999, "{undone:?}");
    assert_eq!(database.count("readings"), 1);
}

#[test]
fn a_job_is_forgotten_and_its_rows_stay() {
    let database = Database::with(READINGS);
    let target = database.settings();
    let backfill = backfill(&database, &Readings::new(), options().with_job("mine"));
    block_on(backfill.load(ignore, &Stop::new())).unwrap();
    let forgotten = block_on(pgbackfill::forget(&target, "mine")).unwrap();
    assert_eq!((forgotten.job.as_str(), forgotten.rows, forgotten.rejected), ("mine", 10_000, 0));
    assert_eq!((database.count("readings"), database.count("pgbackfill.batches")), (10_000, 0));
    assert_eq!(block_on(pgbackfill::forget(&target, "mine")).unwrap_err().kind(), ErrorKind::Settings);
}

#[test]
fn parts_of_a_source_without_a_time_column_are_windows_of_their_own() {
    let database = Database::with(READINGS);
    let backfill = backfill(&database, &Readings::large(), Options::new("readings").with_job("mine"));
    let summary = block_on(backfill.load(ignore, &Stop::new())).unwrap();
    assert_eq!((summary.windows, summary.rows), (4, 10_000));
    database.assert_same("readings", "expected");
    database.sql("delete from readings where raw = 6000 * 6000");
    let verification = block_on(pgbackfill::verify(&database.settings(), None, &ignore)).unwrap();
    let windows: Vec<&str> = verification.differences.iter().map(|difference| difference.window.as_str()).collect();
    assert_eq!(windows, ["piece 2"]);
}

#[test]
fn a_source_that_fails_fails_the_load_and_is_resumed_when_it_is_whole_again() {
    let database = Database::with(READINGS);
    let source = Readings::new();
    source.broken.store(true, Ordering::SeqCst);
    let backfill = backfill(&database, &source, options());
    let error = block_on(backfill.load(ignore, &Stop::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(format!("{error:?}").contains("the sensor fell silent"), "{error:?}");
    source.broken.store(false, Ordering::SeqCst);
    let summary = block_on(backfill.load(ignore, &Stop::new())).unwrap();
    assert!(summary.is_complete());
    database.assert_same("readings", "expected");
}

#[test]
fn a_source_whose_version_changed_is_refused() {
    let database = Database::with(READINGS);
    let source = Readings::new();
    let backfill = backfill(&database, &source, options());
    block_on(backfill.load(ignore, &Stop::new())).unwrap();
    source.version.store(2, Ordering::SeqCst);
    let error = block_on(backfill.load(ignore, &Stop::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().contains("readings://all#0 has changed"), "{error}");
}

#[test]
fn a_source_whose_columns_do_not_fit_is_refused_with_both_sides() {
    let database = Database::with("create table readings (ts timestamptz, sensor text, value float8)");
    let error = block_on(backfill(&database, &Readings::new(), options()).load(ignore, &Stop::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.hint().unwrap().contains("source has: raw, value, sensor, ts"), "{error:?}");
}

#[test]
fn a_load_that_is_asked_to_stop_ends_in_good_order_and_is_resumed() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let mut options = Options::new("metrics")
        .with_time_column("ts")
        .with_window(WindowSize::Span(std::time::Duration::from_secs(3600)));
    options.existing = Some(Existing::Keep);
    options.limits.workers = Some(1);
    let backfill = Backfill::new(database.settings(), Input::Files(vec![path]), options);
    let stop = Stop::new();
    let (asked, seen) = (stop.clone(), AtomicU64::new(0));
    let observer = move |event: &Event| {
        if matches!(event, Event::Loaded { .. }) && seen.fetch_add(1, Ordering::SeqCst) == 1 {
            asked.request();
        }
    };
    let summary = block_on(backfill.load(observer, &stop)).unwrap();
    assert!(summary.interrupted && !summary.is_complete(), "{summary:?}");
    assert_eq!((summary.windows, database.count("metrics")), (2, summary.rows));
    assert_eq!(summary.frontier.as_deref(), Some("2024-01-01 02:00"));
    let summary = block_on(backfill.load(ignore, &Stop::new())).unwrap();
    assert!(summary.is_complete() && !summary.interrupted && summary.windows == 4, "{summary:?}");
    database.assert_same("metrics", "expected");
}
