//! What earlier attempts left in a window is counted as it is deleted, and emptied at once only where nobody would miss it.

use crate::harness::{Database, Folder, Gate, METRICS, Output, metrics, run, start};

/// A window of 20,000 rows of which a killed loader left some, and a command that loads it.
fn half_loaded() -> (Database, Folder, String) {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(20_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let load =
        format!("load {path} --table metrics --time-column ts --window 1d --batch-rows 1000 --workers 1 --job j");
    let gate = Gate::close(&database, 5_000);
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    database.sql("drop trigger gate on metrics");
    assert_eq!(database.one("select state, rows > 0 from pgbackfill.windows"), "loading|t");
    (database, folder, load)
}

const TOUCH: &str = "update metrics set note = 'touched' where ctid in (select ctid from metrics order by ts limit 7)";

#[test]
fn rows_of_a_half_loaded_window_that_others_updated_are_not_doubled() {
    let (database, _folder, load) = half_loaded();
    let before = database.count("metrics");
    database.sql(TOUCH);
    let counts = format!("only {} of the {before} rows", before - 7);
    run(&database, &load).exits(1).says(&[&counts, "--reload-missing"]);
    for existing in ["skip", "keep", "replace"] {
        run(&database, &format!("{load} --existing {existing}")).exits(1).says(&[&counts]);
    }
    // What others have updated is theirs: a window that holds it is not loaded again in silence.
    for existing in ["error", "skip"] {
        let reload = format!("{load} --reload-missing --existing {existing}");
        run(&database, &reload).exits(1).says(&["already holds rows that this job did not write"]);
    }
    assert_eq!((database.count("metrics"), database.count("metrics where note = 'touched'")), (before, 7));
    run(&database, &format!("{load} --reload-missing --existing replace")).exits(0).says(&["warning", &counts]);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

#[test]
fn rows_of_a_half_loaded_window_that_others_updated_are_kept_on_request_with_a_warning() {
    let (database, _folder, load) = half_loaded();
    let before = database.count("metrics");
    database.sql(TOUCH);
    let counts = format!("{} of the {before} rows", before - 7);
    run(&database, &format!("{load} --existing keep --reload-missing")).exits(0).says(&["warning", &counts]);
    database.assert_same("(select * from metrics where note <> 'touched')", "expected");
    assert_eq!(database.count("metrics where note = 'touched'"), 7);
}

#[test]
fn rows_of_a_half_loaded_window_that_others_deleted_are_missed_and_reloaded_on_request() {
    let (database, _folder, load) = half_loaded();
    let before = database.count("metrics");
    database.sql("delete from metrics where ctid in (select ctid from metrics limit 3)");
    run(&database, &load).exits(1).says(&[&format!("only {} of the {before} rows", before - 3)]);
    assert_eq!(database.count("metrics"), before - 3);
    run(&database, &format!("{load} --reload-missing")).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

/// Two days of a partitioned table, each a window and a partition.
struct Days {
    database: Database,
    _folder: Folder,
    load: String,
}

impl Days {
    fn new() -> Self {
        let setup = "
            create table metrics (ts timestamptz not null, value int) partition by range (ts);
            create table day1 partition of metrics for values from ('2024-01-01Z') to ('2024-01-02Z');
            create table day2 partition of metrics for values from ('2024-01-02Z') to ('2024-01-03Z');
            create index on metrics (ts)";
        let (database, folder) = (Database::with(setup), Folder::new());
        let path = folder.write("a.csv", "ts,value\n2024-01-01 01:00Z,1\n2024-01-01 02:00Z,2\n2024-01-02 01:00Z,3\n");
        let load = format!("load {path} --table metrics --time-column ts --window 1d --workers 1 --job j --json");
        run(&database, &load).exits(0);
        Self { database, _folder: folder, load }
    }

    /// Puts the first day into the state that an attempt leaves which died after a batch of a hundred thousand rows.
    fn half_load(&self) {
        self.database.sql(
            "begin;
             delete from metrics where ts < '2024-01-02Z';
             insert into metrics select '2024-01-01Z'::timestamptz + n * interval '500 ms', 0 from generate_series(1, 100000) n;
             delete from pgbackfill.batches where number = 0;
             insert into pgbackfill.batches select id, 0, 1, 1, pg_current_xact_id(), 100000, 1 from pgbackfill.jobs;
             update pgbackfill.windows set state = 'pending', batches = 1, rows = 100000 where number = 0;
             commit",
        );
    }

    fn file(&self) -> String {
        self.database.one("select pg_relation_filenode('day1')")
    }

    /// Loads again after a half load, and says whether the partition was truncated.
    #[track_caller]
    fn reload(&self) -> (bool, Output) {
        let before = self.file();
        let output = run(&self.database, &self.load).exits(0);
        let claimed = &output.events_named("claimed")[0];
        assert_eq!(claimed["cleared"], 100_000);
        assert_eq!(self.database.count("metrics where value > 0"), 3);
        (self.file() != before, output)
    }
}

const ADVICE: &str = "vacuum analyze public.metrics";

#[test]
fn a_partition_that_holds_nothing_but_a_half_loaded_window_is_truncated() {
    let days = Days::new();
    days.half_load();
    let (truncated, output) = days.reload();
    assert!(truncated && !output.stdout.contains(ADVICE), "{output:?}");
    assert_eq!(days.database.count("metrics"), 3);
    run(&days.database, "verify j").exits(0);
}

#[test]
fn a_partition_with_a_row_of_another_is_deleted_from_and_the_row_stays() {
    let days = Days::new();
    days.half_load();
    days.database.sql("insert into metrics values ('2024-01-01 12:00Z', -1)");
    let (truncated, output) = days.reload();
    assert!(!truncated && output.stdout.contains(ADVICE), "{output:?}");
    assert_eq!((days.database.count("metrics"), days.database.count("metrics where value = -1")), (4, 1));
}

#[test]
fn a_partition_whose_truncate_somebody_would_miss_is_deleted_from() {
    let days = Days::new();
    let obstacles = [
        (
            "create function missed() returns trigger language plpgsql as 'begin return null; end';
             create trigger missed after delete on metrics for each statement execute function missed()",
            "drop trigger missed on metrics",
        ),
        (
            "create trigger missed after truncate on day1 for each statement execute function missed()",
            "drop trigger missed on day1",
        ),
        (
            "create publication p for table metrics;
             alter table day1 replica identity full; alter table day2 replica identity full",
            "drop publication p",
        ),
        (
            "alter table day1 add unique (ts, value); create table other (ts timestamptz, value int,
             foreign key (ts, value) references day1 (ts, value))",
            "drop table other",
        ),
    ];
    for (put, remove) in obstacles {
        days.half_load();
        days.database.sql(put);
        assert!(!days.reload().0, "{put}");
        days.database.sql(remove);
    }
    days.half_load();
    assert!(days.reload().0);
}

#[test]
fn a_partition_that_somebody_reads_is_deleted_from() {
    let days = Days::new();
    days.half_load();
    let reader = days.database.connect();
    reader.sql("begin; select from day1 limit 1");
    assert!(!days.reload().0);
    assert_eq!(days.database.count("metrics"), 3);
    reader.sql("commit");
}

#[test]
fn a_partition_that_reaches_beyond_the_window_is_deleted_from() {
    let days = Days::new();
    days.half_load();
    // The same partition, which now begins an hour before the window.
    days.database.sql(
        "alter table metrics detach partition day1;
         alter table metrics attach partition day1 for values from ('2023-12-31 23:00Z') to ('2024-01-02Z')",
    );
    assert!(!days.reload().0);
}

#[test]
fn an_undo_truncates_partitions_too_and_touches_no_row_of_another() {
    let days = Days::new();
    days.half_load();
    days.database.sql("insert into metrics values ('2024-01-02 12:00Z', -1)");
    let before = days.file();
    run(&days.database, "undo j").exits(0);
    assert_ne!(days.file(), before);
    assert_eq!(days.database.rows("select value from metrics"), ["-1"]);
}
