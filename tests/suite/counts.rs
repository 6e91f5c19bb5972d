//! The rows in the table that carry a job's ids, against its ledger: exact, or an error with a way out that works.

use crate::harness::{Database, Folder, Gate, METRICS, Output, metrics, run, run_with, start};

/// Two days of three rows, each day a window and a partition, loaded a row a batch.
struct Days {
    database: Database,
    _folder: Folder,
    load: String,
}

const CSV: &str = "ts,value\n2024-01-01 01:00Z,1\n2024-01-01 02:00Z,2\n2024-01-01 03:00Z,3\n\
                   2024-01-02 01:00Z,4\n2024-01-02 02:00Z,5\n2024-01-02 03:00Z,6\n";

fn days() -> Days {
    let database = Database::with(
        "create table t (ts timestamptz not null, value int) partition by range (ts);
         create table day1 partition of t for values from ('2024-01-01Z') to ('2024-01-02Z');
         create table day2 partition of t for values from ('2024-01-02Z') to ('2024-01-03Z');
         create index on t (ts)",
    );
    let folder = Folder::new();
    let path = folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1d --batch-rows 1 --workers 1 --job j");
    Days { database, _folder: folder, load }
}

const DETACH: &str = "alter table t detach partition day1";
const ATTACH: &str = "alter table t attach partition day1 for values from ('2024-01-01Z') to ('2024-01-02Z')";

impl Days {
    fn run(&self, line: &str) -> Output {
        run(&self.database, line)
    }

    fn load(&self, options: &str) -> Output {
        self.run(&format!("{} {options}", self.load))
    }

    #[track_caller]
    fn holds(&self, values: &str) {
        assert_eq!(self.database.one("select string_agg(value::text, ' ' order by value) from t"), values);
    }

    /// The job's rows are to be counted again, as if it had just loaded them.
    fn uncounted(&self) {
        self.database.sql("update pgbackfill.jobs set counted = false");
    }
}

const ALL: &str = "1 2 3 4 5 6";

#[test]
fn rows_that_others_delete_while_the_job_loads_are_missed_at_its_end_and_reloaded_on_request() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let load =
        format!("load {path} --table metrics --time-column ts --window 1h --batch-rows 2000 --workers 1 --job j");
    let gate = Gate::close(&database, 20_000);
    let loader = gate.wait_for(start(&database, &load));
    database.sql("delete from metrics where ts >= '2024-01-01 00:10Z' and ts < '2024-01-01 01:19Z'");
    gate.open();
    let missing = [
        "11,500 rows of job j are missing in public.metrics",
        "[2024-01-01, 2024-01-01 01:00) has 1,667 of 10,000 rows",
    ];
    loader.finish().exits(1).says(&missing);
    assert_eq!(database.one("select distinct state from pgbackfill.windows"), "loaded");
    // A job that is known to lack rows is not called loaded by the next run either.
    run(&database, &load).exits(1).says(&missing);
    let reloaded = run(&database, &format!("{load} --reload-missing --json")).exits(0);
    assert_eq!(reloaded.summary()["windows"], 2);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
    let again = run(&database, &format!("{load} --json")).exits(0);
    assert_eq!(again.summary()["windows"], 0);
    run(&database, "undo j").exits(0).prints(&["60,000 rows deleted"]);
}

#[test]
fn rows_that_come_back_add_up_again() {
    let days = days();
    days.load("").exits(0);
    days.uncounted();
    days.database.sql(DETACH);
    days.load("")
        .exits(1)
        .says(&["3 rows of job j are missing in public.t", "[2024-01-01, 2024-01-02) has 0 of 3 rows"]);
    days.run("undo j").exits(1).says(&["only 0 of the 3 rows", "[2024-01-01, 2024-01-02)"]);
    days.database.sql(ATTACH);
    // The newer window was taken back; the other is as it was.
    days.holds("1 2 3");
    days.load("").exits(0);
    days.holds(ALL);
    days.run("verify j").exits(0);
}

#[test]
fn rows_of_a_half_loaded_window_that_are_out_of_sight_are_not_doubled() {
    let days = days();
    days.load("").exits(0);
    // The first day broke off after three batches.
    days.database.sql("update pgbackfill.windows set state = 'pending' where number = 0");
    days.database.sql(DETACH);
    days.database.sql("create table other partition of t for values from ('2024-01-01Z') to ('2024-01-02Z')");
    for existing in ["keep", "error", "replace"] {
        days.load(&format!("--existing {existing}")).exits(1).says(&["only 0 of the 3 rows", "detached partition"]);
    }
    days.database.sql("drop table other");
    days.database.sql(ATTACH);
    days.load("--existing keep").exits(0);
    days.holds(ALL);
    days.run("verify j").exits(0);
}

#[test]
fn a_run_that_dies_before_the_count_leaves_it_to_the_next() {
    let days = days();
    let dies = [("FAILPOINTS", "before-count=return(kill)")];
    let died = run_with(&days.database, &dies, &days.load);
    if !cfg!(feature = "failpoints") {
        return;
    }
    assert_eq!(died.code, -6, "{died:?}");
    days.database.sql("delete from t where value = 2");
    days.load("").exits(1).says(&["1 row of job j are missing", "has 2 of 3 rows"]);
    days.load("--reload-missing").exits(0);
    days.holds(ALL);
}

#[test]
fn more_rows_than_recorded_are_an_error_and_none_is_deleted() {
    let days = days();
    days.load("").exits(0);
    // A row of others that carries an id of the job.
    days.database.sql("update pgbackfill.batches set rows = 0 where number = 1 and batch = 2");
    days.uncounted();
    days.load("")
        .exits(1)
        .says(&["1 row carry transaction ids of job j and are not in its ledger", "[2024-01-02, 2024-01-03)"]);
    days.load("--reload-missing").exits(1).says(&["are not in its ledger"]);
    days.run("undo j").exits(1).says(&["3 rows of public.t carry transaction ids of job j, which loaded 2"]);
    days.run("undo j --missing-ok").exits(1);
    days.database.sql("update pgbackfill.windows set state = 'pending' where number = 1");
    for options in ["", "--existing replace", "--existing keep --reload-missing"] {
        days.load(options).exits(1);
    }
    days.holds(ALL);
    days.run("forget j --leave-rows").exits(0);
    days.holds(ALL);
}

#[test]
fn rows_of_several_windows_that_one_transaction_wrote_are_counted_and_taken_window_by_window() {
    let days = days();
    days.load("").exits(0);
    // Both windows, written again by one transaction.
    days.database.sql(
        "begin;
         create temporary table again as table t;
         delete from t;
         insert into t table again;
         delete from pgbackfill.batches where batch > 1;
         update pgbackfill.batches set rows = 3, xid = pg_current_xact_id();
         commit",
    );
    days.uncounted();
    days.load("").exits(0);
    days.run("verify j").exits(0).prints(&["6 rows: equal"]);
    days.database.sql("delete from t where value = 5");
    days.uncounted();
    days.load("").exits(1).says(&["1 row of job j are missing", "[2024-01-01, 2024-01-03) has 5 of 6 rows"]);
    days.load("--reload-missing").exits(0);
    days.holds(ALL);
    days.run("undo j").exits(0).prints(&["6 rows deleted"]);
}

#[test]
fn thousands_of_transactions_are_counted_in_one_pass() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(3_000, 3_600_000 / 5);
    let path = folder.write("a.csv", &csv);
    let load = format!("load {path} --table metrics --time-column ts --window 1d --batch-rows 1 --job j");
    run(&database, &load).exits(0);
    assert_eq!(database.one("select count(distinct xid) from pgbackfill.batches"), "3000");
    assert_eq!(database.one("select counted from pgbackfill.jobs"), "t");
    database.sql("delete from metrics where note = 'row 1234'; update pgbackfill.jobs set counted = false");
    run(&database, &load).exits(1).says(&["1 row of job j are missing"]);
}

#[test]
fn a_table_without_a_time_column_is_counted_and_reloaded_beside_what_it_holds_on_request() {
    let (database, folder) = (Database::with("create table t (value int)"), Folder::new());
    let path = folder.write("a.csv", "value\n1\n2\n3\n");
    let load = format!("load {path} --table t --no-time-column --job j");
    run(&database, &load).exits(0);
    database.sql("update t set value = 20 where value = 2; update pgbackfill.jobs set counted = false");
    run(&database, &load).exits(1).says(&["1 row of job j are missing"]);
    run(&database, &format!("{load} --reload-missing")).exits(1).says(&["without a time column", "--existing keep"]);
    assert_eq!(database.rows("select value from t order by 1"), ["1", "3", "20"]);
    run(&database, &format!("{load} --reload-missing --existing keep")).exits(0);
    assert_eq!(database.rows("select value from t order by 1"), ["1", "2", "3", "20"]);
}

#[test]
fn windows_whose_rows_others_updated_are_reloaded_as_existing_says() {
    for (existing, code, values) in [("error", 1, "1 3 4 5 6 20"), ("replace", 0, ALL), ("keep", 0, "1 2 3 4 5 6 20")] {
        let days = days();
        days.load("").exits(0);
        days.database.sql("update t set value = 20 where value = 2");
        days.uncounted();
        days.load("").exits(1).says(&["1 row of job j are missing"]);
        days.load(&format!("--reload-missing --existing {existing}")).exits(code);
        days.holds(values);
        if code == 0 {
            days.run("verify j").exits(0);
        }
    }
}

#[test]
fn a_job_whose_rows_are_gone_is_loaded_again_by_redo_and_by_reload_missing() {
    for again in ["--redo", "--reload-missing"] {
        for lost in ["truncate t", "truncate t; update pgbackfill.jobs set counted = false", "delete from t"] {
            let days = days();
            days.load("").exits(0);
            days.database.sql(lost);
            days.load("").exits(1).says(&["holds no row any more", "--redo"]);
            days.load(again).exits(0);
            days.holds(ALL);
            days.run("verify j").exits(0);
        }
    }
}

#[test]
fn redo_takes_the_rows_that_are_left_where_some_are_missing() {
    let days = days();
    days.load("").exits(0);
    days.database.sql("delete from t where value = 2");
    days.uncounted();
    days.load("").exits(1).says(&["1 row of job j are missing"]);
    days.load("--redo").exits(0).says(&["deleted 5 of the 6 rows"]);
    days.holds(ALL);
    days.run("verify j").exits(0);
}

#[test]
fn a_table_that_was_created_again_is_not_reloaded_in_part_but_by_redo() {
    let days = days();
    days.load("").exits(0);
    days.database.sql("drop table t; create table t (ts timestamptz not null, value int)");
    days.load("--reload-missing").exits(1).says(&["was dropped and created again", "--redo"]);
    days.load("--redo").exits(0);
    days.holds(ALL);
}

#[test]
fn verify_reports_rows_that_a_view_lacks() {
    let database = Database::with("create table t (ts timestamptz not null, value int); create view v as table t");
    let folder = Folder::new();
    let path = folder.write("a.csv", CSV);
    run(&database, &format!("load {path} --table v --time-column ts --window 1d --job j")).exits(0);
    database.sql("delete from t where value = 2");
    run(&database, "verify j").exits(5).prints(&["3 rows were loaded, 2 are there"]);
}

#[test]
fn an_extra_row_that_a_trigger_stores_before_the_insert_is_refused() {
    let days = days();
    days.database.sql(
        "create function twin() returns trigger language plpgsql as $$ begin
           if pg_trigger_depth() = 1 then insert into t values (new.ts, -new.value); end if;
           return new;
         end $$;
         create trigger twin before insert on day1 for each row execute function twin()",
    );
    days.load("").exits(1).says(&["triggers of public.t leave 6 of 3 rows as this transaction's own"]);
    assert_eq!(days.database.count("t"), 0);
}

#[test]
fn forget_asks_for_a_word_and_leaves_the_rows() {
    let days = days();
    days.load("").exits(0);
    days.run("forget j").exits(2).says(&[
        "leaves the rows that it loaded in public.t",
        "forget j --leave-rows",
        "undo j",
    ]);
    assert_eq!(days.database.count("pgbackfill.jobs"), 1);
    days.run("forget other --leave-rows").exits(2).says(&["there is no job other"]);
    days.run("forget j --leave-rows")
        .exits(0)
        .prints(&["the 6 rows that it loaded stay in public.t", "no longer be undone"]);
    days.holds(ALL);
    for table in ["jobs", "windows", "batches", "runs", "objects"] {
        assert_eq!(days.database.count(&format!("pgbackfill.{table}")), 0, "{table}");
    }
    days.run("undo j").exits(2).says(&["there is no job j"]);
    days.load("").exits(1).says(&["already holds rows that this job did not write"]);
    let forgotten = days.run("forget j --leave-rows --json").exits(0).json();
    assert_eq!((&forgotten["job"], &forgotten["rows"]), (&"j".into(), &0.into()));
}

#[test]
fn forget_refuses_while_a_run_is_alive() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(20_000, 360));
    let load = format!("load {path} --table metrics --time-column ts --batch-rows 1000 --workers 1 --job j");
    let gate = Gate::close(&database, 5_000);
    let loader = gate.wait_for(start(&database, &load));
    run(&database, "forget j --leave-rows").exits(7).says(&["job j is being loaded by process"]);
    gate.open();
    loader.finish().exits(0);
    run(&database, "forget j --leave-rows").exits(0).prints(&["the 20,000 rows"]);
    assert_eq!(database.count("metrics"), 20_000);
}
