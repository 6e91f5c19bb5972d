//! Sources of one's own that stall or panic: neither holds a lock in the target, and neither passes for a source that ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use pgbackfill::{Backfill, Batches, ErrorKind, Event, Options, Part, Result, Source, Stop, Summary, WindowSize};

use crate::harness::{Database, block_on};

const TABLE: &str = "create table numbers (n bigint not null, square bigint); create index on numbers (n)";

const ROWS: i64 = 100_000;

/// Numbers and their squares, in batches of 5,000. Its first reading is for the profile, its second for the first window.
#[derive(Default)]
struct Numbers {
    readings: AtomicU64,
    /// Before which row the second reading stands still.
    stalls_at: Option<i64>,
    /// Before which row the second reading panics.
    panics_at: Option<i64>,
    standing: AtomicBool,
    go_on: Mutex<bool>,
    going_on: Condvar,
}

impl Numbers {
    fn stand(&self) {
        self.standing.store(true, Ordering::SeqCst);
        let go_on = self.going_on.wait_while(self.go_on.lock().unwrap(), |go_on| !*go_on).unwrap();
        drop(go_on);
    }

    fn go_on(&self) {
        *self.go_on.lock().unwrap() = true;
        self.going_on.notify_all();
    }
}

/// The source that a run is given: the test keeps the other handle.
struct Shared(Arc<Numbers>);

impl Source for Shared {
    fn name(&self) -> &'static str {
        "numbers://all"
    }

    fn schema(&self) -> SchemaRef {
        let field = |name| Field::new(name, DataType::Int64, false);
        Arc::new(Schema::new(vec![field("n"), field("square")]))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(vec![Part { number: 0, version: "1".to_owned(), bytes: 100_000 }])
    }

    fn read(&self, _: &Part) -> Result<Batches> {
        let (numbers, schema) = (Arc::clone(&self.0), self.schema());
        let second = numbers.readings.fetch_add(1, Ordering::SeqCst) == 1;
        Ok(Box::new((0..ROWS).step_by(5_000).map(move |first| {
            if second && numbers.stalls_at == Some(first) {
                numbers.stand();
            }
            assert!(!(second && numbers.panics_at == Some(first)), "the sensor caught fire");
            let values = |f: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((first..first + 5_000).map(f)));
            Ok(RecordBatch::try_new(Arc::clone(&schema), vec![values(|n| n), values(|n| n * n)]).unwrap())
        })))
    }
}

fn backfill(database: &Database, numbers: &Arc<Numbers>, options: Options) -> Backfill {
    let source: Arc<dyn Source> = Arc::new(Shared(Arc::clone(numbers)));
    Backfill::new(database.settings(), source, options)
}

/// One window of blocks of ten thousand rows, four to a batch.
fn options() -> Options {
    let mut options =
        Options::new("numbers").with_time_column("n").with_window(WindowSize::Keys(1_000_000)).with_job("j");
    options.limits.batch_bytes = 1 << 20;
    options
}

fn load(backfill: &Backfill) -> Result<Summary> {
    block_on(backfill.load(|_: &Event| (), &Stop::new()))
}

#[track_caller]
fn holds_all(database: &Database) {
    let expected = format!("(select n, n * n as square from generate_series(0::bigint, {}) n)", ROWS - 1);
    database.assert_same("numbers", &expected);
    assert!(block_on(pgbackfill::verify(&database.settings(), None, &|_: &Event| ())).unwrap().is_equal());
}

const OPEN: &str = "select count(*) from pg_stat_activity where datname = current_database()
                       and application_name = 'pgbackfill' and xact_start is not null";

/// Loads while the test looks at the target during the stall.
fn load_with_stall(database: &Database, numbers: &Arc<Numbers>, options: Options, look: impl FnOnce()) -> Summary {
    let backfill = backfill(database, numbers, options);
    let loading = std::thread::spawn(move || load(&backfill));
    database.wait_until("the source stands", || numbers.standing.load(Ordering::SeqCst));
    look();
    numbers.go_on();
    loading.join().unwrap().unwrap()
}

#[test]
fn no_transaction_is_open_while_the_source_stalls() {
    let database = Database::with(TABLE);
    let numbers = Arc::new(Numbers { stalls_at: Some(60_000), ..Numbers::default() });
    let look = || {
        // Five blocks were made before the stall: a whole batch, and one that the stall has cut.
        database.wait_until("what was sent is committed", || database.count("numbers") > 50_000);
        database.wait_until("no transaction is open", || database.one(OPEN) == "0");
        database.sql("set lock_timeout = '5s'; begin; lock table numbers in access exclusive mode; commit");
        assert_eq!(database.one(OPEN), "0");
        assert_eq!(database.one("select state from pgbackfill.windows"), "loading");
    };
    let summary = load_with_stall(&database, &numbers, options(), look);
    assert!(summary.is_complete() && summary.retries == 0, "{summary:?}");
    holds_all(&database);
}

#[test]
fn a_window_whose_end_is_known_late_is_loaded_by_an_entry_without_rows() {
    let database = Database::with(TABLE);
    let numbers = Arc::new(Numbers { stalls_at: Some(60_000), ..Numbers::default() });
    let mut options = options().with_window(WindowSize::Keys(50_000));
    options.limits.batch_rows = 10_000;
    options.limits.workers = Some(1);
    let look = || {
        database.wait_until("all rows of the first window are committed", || database.count("numbers") == 50_000);
        database.wait_until("no transaction is open", || database.one(OPEN) == "0");
        assert_eq!(database.one("select state from pgbackfill.windows where number = 0"), "loading");
    };
    assert!(load_with_stall(&database, &numbers, options, look).is_complete());
    let entries = "select batch, rows from pgbackfill.batches where number = 0 order by batch desc limit 2";
    assert_eq!(database.rows(entries), ["6|0", "5|10000"]);
    holds_all(&database);
}

#[test]
fn a_load_that_is_asked_to_stop_while_the_source_stalls_does_not_wait_for_it() {
    let database = Database::with(TABLE);
    let numbers = Arc::new(Numbers { stalls_at: Some(60_000), ..Numbers::default() });
    let (backfill, stop) = (backfill(&database, &numbers, options()), Stop::new());
    let asked = stop.clone();
    let loading = std::thread::spawn(move || block_on(backfill.load(|_: &Event| (), &asked)));
    database.wait_until("what was sent is committed", || database.count("numbers") > 50_000);
    stop.request();
    database.wait_until("the run has ended", || loading.is_finished());
    let summary = loading.join().unwrap().unwrap();
    assert!(summary.interrupted && !summary.is_complete(), "{summary:?}");
    numbers.go_on();
    let again = self::backfill(&database, &numbers, options());
    assert!(load(&again).unwrap().is_complete());
    holds_all(&database);
}

#[test]
fn a_source_that_does_not_stall_gets_as_many_batches_as_its_size_asks_for() {
    // A machine may stand still for longer than a COPY waits: of some loads one is left alone.
    let batches = (0..5).map(|_| {
        let database = Database::with(TABLE);
        load(&backfill(&database, &Arc::default(), options())).unwrap();
        holds_all(&database);
        database.one("select batches from pgbackfill.windows")
    });
    assert!(batches.into_iter().any(|batches| batches == "3"));
}

/// Panics unless the ledger holds no live run and no window under way.
#[track_caller]
fn ledger_is_clean(database: &Database) {
    assert_eq!(database.one("select count(*) from pgbackfill.runs where ended_at is null"), "0");
    assert_eq!(database.one("select count(*) from pgbackfill.windows where state = 'loading'"), "0");
}

#[test]
fn a_source_that_panics_fails_the_load_and_leaves_a_clean_ledger() {
    let database = Database::with(TABLE);
    let numbers = Arc::new(Numbers { panics_at: Some(60_000), ..Numbers::default() });
    let backfill = backfill(&database, &numbers, options());
    let error = load(&backfill).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(format!("{error:?}").contains("the sensor caught fire"), "{error:?}");
    ledger_is_clean(&database);
    assert!(load(&backfill).unwrap().is_complete());
    holds_all(&database);
}

#[test]
fn a_worker_that_panics_fails_the_load_and_gives_its_window_back() {
    let (database, numbers) = (Database::with(TABLE), Arc::default());
    let backfill = backfill(&database, &numbers, options());
    let observer = |event: &Event| assert!(!matches!(event, Event::Batch { .. }), "the observer could not bear it");
    let error = block_on(backfill.load(observer, &Stop::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(format!("{error:?}").contains("the observer could not bear it"), "{error:?}");
    ledger_is_clean(&database);
    assert_eq!(database.one("select state from pgbackfill.windows"), "pending");
    assert!(load(&backfill).unwrap().is_complete());
    holds_all(&database);
}
