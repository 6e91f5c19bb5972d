//! Scale: what a job of 100,000 windows makes the server read. Pages are counted, never seconds.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use pgbackfill::{Backfill, Batches, Error, ErrorKind, Event, Input, Options, Part, Result, Source, Stop, WindowSize};
use serde_json::Value;

use crate::harness::{Database, Folder, block_on};

const WINDOWS: i64 = 100_000;
const LOADED: i64 = 90_000;

/// A job of 100,000 windows, of which 90,000 are loaded by a run that lives, and the ids of job and run.
fn large_job(before_loading: impl FnOnce(&Database)) -> (Database, String, String) {
    let (database, folder) = (Database::with("create table t (n bigint not null, v text)"), Folder::new());
    let rows: Vec<String> = (0..WINDOWS).map(|window| format!("{},v", window * 10)).collect();
    let path = folder.write("a.csv", format!("n,v\n{}\n", rows.join("\n")));
    let options = Options::new("t").with_time_column("n").with_window(WindowSize::Keys(10)).with_job("large");
    let stop = Stop::new();
    let asks = stop.clone();
    let observer = move |event: &Event| {
        if matches!(event, Event::Planned { .. }) {
            asks.request();
        }
    };
    let backfill = Backfill::new(database.settings(), path.as_str(), options);
    assert!(block_on(backfill.load(observer, &stop)).is_err(), "it was stopped before its first window");
    assert_eq!(database.count("pgbackfill.windows where state = 'pending'"), 100_000);
    let (job, run) = (database.one("select id from pgbackfill.jobs"), database.one("select id from pgbackfill.runs"));
    before_loading(&database);
    database.sql(&format!(
        "update pgbackfill.runs set ended_at = null, lease_until = now() + interval '1 hour';
         update pgbackfill.windows set state = 'loading', attempt = 1, run_id = '{run}', claimed_at = now()
          where number < {LOADED};
         update pgbackfill.windows set state = 'loaded', rows = 1, batches = 1, loaded_at = now() where number < {LOADED}"
    ));
    (database, job, run)
}

/// Runs a statement of the ledger and takes it back; its plan, and the pages that it touched.
fn explain(database: &Database, statement: &str, parameters: &[&str]) -> (String, u64) {
    let mut sql = format!("explain (analyze, buffers, format json) {statement}");
    for (number, parameter) in parameters.iter().enumerate().rev() {
        sql = sql.replace(&format!("${}", number + 1), parameter);
    }
    database.sql("begin");
    let text = database.one(&sql);
    database.sql("rollback");
    let plan: Value = serde_json::from_str(&text).unwrap();
    let pages = |name: &str| plan[0]["Plan"][name].as_u64().unwrap();
    (text.clone(), pages("Shared Hit Blocks") + pages("Shared Read Blocks"))
}

/// A claim reads and writes some ten pages: roots and leaves of two indexes, and the window's own.
const PAGES_OF_A_CLAIM: u64 = 60;

#[test]
fn a_claim_after_90_000_loaded_windows_touches_a_few_pages() {
    let (database, job, run) = large_job(|_| ());
    database.sql("vacuum analyze pgbackfill.windows, pgbackfill.runs");
    let claim = include_str!("../../src/ledger/claim/claim.sql");
    let (plan, pages) = explain(&database, claim, &[&job, &format!("'{run}'"), "0"]);
    assert!(plan.contains("windows_open"), "{plan}");
    assert!(pages <= PAGES_OF_A_CLAIM, "{pages} pages: {plan}");
}

#[test]
fn a_claim_touches_a_few_pages_while_an_old_transaction_keeps_what_is_dead_from_being_forgotten() {
    let mut holder = None;
    let (database, job, run) = large_job(|database| {
        let session = database.connect();
        session.sql("begin isolation level repeatable read; select pg_current_xact_id()");
        holder = Some(session);
    });
    database.sql("analyze pgbackfill.windows, pgbackfill.runs");
    let claim = include_str!("../../src/ledger/claim/claim.sql");
    let floor = LOADED.to_string();
    let (plan, pages) = explain(&database, claim, &[&job, &format!("'{run}'"), &floor]);
    assert!(pages <= PAGES_OF_A_CLAIM, "{pages} pages: {plan}");
    drop(holder);
}

#[test]
fn status_reads_the_windows_of_a_large_job_once_and_finds_the_frontier_by_index() {
    let (database, job, _) = large_job(|_| ());
    database.sql("vacuum analyze pgbackfill.windows, pgbackfill.runs");
    let glance = include_str!("../../src/ledger/status/glance.sql");
    let (plan, pages) = explain(&database, glance, &[&job]);
    let all: u64 =
        database.one("select relpages from pg_class where oid = 'pgbackfill.windows'::regclass").parse().unwrap();
    assert!(plan.contains("windows_open"), "{plan}");
    assert!(pages < all + PAGES_OF_A_CLAIM, "{pages} pages where all windows stand on {all}: {plan}");
    let status = block_on(pgbackfill::status(&database.settings(), Some("large"))).unwrap();
    assert_eq!((status.progress.loaded, status.progress.rows, status.progress.failed), (90_000, 90_000, 0));
    assert_eq!(status.frontier.as_deref(), Some("900000"));
    assert!(status.rows_per_second > 1000.0 && status.failures.is_empty(), "{status:?}");
    database.sql("update pgbackfill.windows set state = 'failed', error = 'why' where number = 17");
    let status = block_on(pgbackfill::status(&database.settings(), Some("large"))).unwrap();
    assert_eq!(status.failures, [("[170, 180)".to_owned(), "why".to_owned())]);
    assert_eq!(status.frontier.as_deref(), Some("170"));
}

/// Parts of no rows, as they are numbered.
struct Numbered(Vec<u64>);

impl Source for Numbered {
    fn name(&self) -> &'static str {
        "numbered://parts"
    }

    fn schema(&self) -> SchemaRef {
        let fields = [("n", DataType::Int64), ("v", DataType::Utf8)];
        Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(self.0.iter().map(|number| Part { number: *number, version: String::new(), bytes: 1 }).collect())
    }

    fn read(&self, _: &Part) -> Result<Batches> {
        Ok(Box::new(std::iter::empty()))
    }
}

/// Why parts of these numbers are not planned, with room for three pieces.
fn refused(numbers: &[u64]) -> Option<Error> {
    let database = Database::with("create table t (n bigint not null, v text)");
    let mut options = Options::new("t").with_time_column("n").with_window(WindowSize::Keys(10));
    options.limits.pieces = 3;
    let backfill = Backfill::new(database.settings(), Input::Custom(Arc::new(Numbered(numbers.to_vec()))), options);
    block_on(backfill.plan(|_: &Event| ())).err()
}

#[test]
fn more_pieces_than_the_limit_are_refused_with_what_to_do() {
    assert!(refused(&[1, 2, 3]).is_none());
    let error = refused(&[1, 2, 3, 4]).unwrap();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Limit, "the source has more than 3 pieces"));
    assert!(error.hint().unwrap().contains("several jobs"), "{error:?}");
}

#[test]
fn a_part_that_a_source_lists_twice_is_refused_by_name() {
    let error = refused(&[7, 10, 7]).unwrap();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(error.place().object.as_deref(), Some("numbered://parts#7"), "{error:?}");
}
