//! The table changed while rows go into it: nothing that does not fit it any more is stored, and the change is named.

use std::fmt::Write as _;

use crate::harness::{Database, Folder, Gate, Output, run, start};

const TABLE: &str =
    "create table metrics (ts timestamptz not null, value bigint, note text); create index on metrics (ts)";

const ROWS: u32 = 12_000;

/// A row a second, whose value is its number, in one window of six batches.
fn scene() -> (Database, Folder, String) {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let mut csv = String::from("ts,value,note\n");
    for row in 0..ROWS {
        let (hour, minute, second) = (row / 3600, row / 60 % 60, row % 60);
        writeln!(csv, "2024-01-01 {hour:02}:{minute:02}:{second:02}Z,{row},row").expect("a String takes any text");
    }
    let path = folder.write("a.csv", csv);
    let load =
        format!("load {path} --table metrics --time-column ts --window 1d --batch-rows 2000 --workers 1 --job j");
    (database, folder, load)
}

/// Runs a load under which the table is changed between two batches.
fn change_midway(database: &Database, load: &str, change: &str) -> Output {
    let gate = Gate::close(database, 5_000);
    let loader = gate.wait_for(start(database, load));
    let (other, change) = (database.connect(), change.to_owned());
    let changing = std::thread::spawn(move || other.sql(&change));
    // It waits for the batch that stands at the gate, and the next batch waits for it.
    let waiting = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                    where not l.granted and l.locktype = 'relation' and a.datname = current_database()";
    database.wait_until("the change waits for its lock", || database.one(waiting) != "0");
    gate.open();
    changing.join().expect("the change is made");
    loader.finish()
}

/// Panics unless the change ends the load with its name, and the window is not loaded.
#[track_caller]
fn refused(change: &str, texts: &[&str]) -> (Database, Folder, String) {
    let (database, folder, load) = scene();
    change_midway(&database, &load, change).exits(1).says(texts).says(&["pgbackfill undo j"]);
    assert_eq!(database.one("select state, attempt from pgbackfill.windows"), "failed|1");
    (database, folder, load)
}

#[test]
fn bytes_of_one_type_are_never_stored_as_another() {
    let change = "alter table metrics alter column value type double precision";
    let (database, _folder, load) =
        refused(change, &["column value of public.metrics is now double precision, and was bigint"]);
    let garbage = "metrics where value <> extract(epoch from ts - timestamptz '2024-01-01Z')";
    assert_eq!((database.count(garbage), database.count("metrics")), (0, 6_000));
    // The change wrote every row anew, so that none can be told from rows of others any more: that is found out too.
    database.sql("alter table metrics alter column value type bigint; drop trigger gate on metrics");
    run(&database, &load).exits(1).says(&["only 0 of the 6000 rows", "ALTER TABLE has rewritten the rows"]);
    run(&database, &format!("{load} --existing replace --reload-missing")).exits(0);
    assert_eq!((database.count(garbage), database.count("metrics")), (0, u64::from(ROWS)));
}

#[test]
fn an_instant_is_never_stored_as_a_local_time() {
    refused(
        "alter table metrics alter column ts type timestamp",
        &["column ts of public.metrics is now timestamp without time zone not null, and was timestamp with time zone"],
    );
}

#[test]
fn a_column_that_is_gone_is_named() {
    refused("alter table metrics drop column note", &["column note of public.metrics is gone, and was text", "42703"]);
}

#[test]
fn a_new_column_that_rows_must_fill_is_named() {
    refused(
        "alter table metrics add column host text not null default 'a'; alter table metrics alter column host drop default",
        &["column host of public.metrics is new, text not null", "23502"],
    );
}

#[test]
fn a_new_column_that_rows_may_leave_out_is_no_hindrance() {
    let (database, _folder, load) = scene();
    change_midway(&database, &load, "alter table metrics add column host text not null default 'a'").exits(0);
    assert_eq!(database.count("metrics where host = 'a'"), u64::from(ROWS));
}

#[test]
fn a_table_that_was_dropped_and_made_anew_is_not_taken_for_the_old_one() {
    let change = format!("begin; drop table metrics; {TABLE}; commit");
    let (database, ..) = refused(&change, &["public.metrics is gone: it was dropped"]);
    assert_eq!(database.count("metrics"), 0);
}

#[test]
fn a_table_that_was_renamed_is_named_by_both_names() {
    let (database, ..) =
        refused("alter table metrics rename to other", &["public.metrics is now called public.other", "42P01"]);
    assert_eq!(database.count("other"), 6_000);
}

#[test]
fn a_table_that_took_the_place_of_another_gets_no_rows() {
    let change = format!("begin; alter table metrics rename to other; {TABLE}; commit");
    let (database, ..) = refused(&change, &["public.metrics is now called public.other"]);
    assert_eq!((database.count("metrics"), database.count("other")), (0, 6_000));
}

#[test]
fn a_new_trigger_that_may_rewrite_rows_is_named() {
    let (database, ..) = refused(
        "create function clip() returns trigger language plpgsql as 'begin new.value := 0; return new; end';
         create trigger clip before insert on metrics for each row execute function clip()",
        &["trigger clip of public.metrics is new, and may rewrite rows"],
    );
    assert_eq!(database.count("metrics where value = 0"), 1);
}
