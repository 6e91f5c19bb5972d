//! Time columns: every type that can have one, half-open ranges, rows outside them, and tables without one.

use serde_json::Value;

use crate::harness::{Database, Folder, Output, run};

/// Loads `times` as the values of a time column of type `ty` into a table that holds them and their position.
fn load(database: &Database, ty: &str, times: &[&str], options: &str) -> Output {
    let folder = Folder::new();
    database.sql(&format!(
        "drop table if exists t; create table t (at {ty}, n int); drop schema if exists pgbackfill cascade"
    ));
    let rows: Vec<String> = times.iter().enumerate().map(|(n, time)| format!("{time},{n}\n")).collect();
    let path = folder.write("a.csv", format!("at,n\n{}", rows.concat()));
    run(database, &format!("load {path} --table t --time-column at --json {options}"))
}

/// Positions of the rows that were loaded, in order.
fn loaded(database: &Database) -> String {
    database.one("select coalesce(string_agg(n::text, ' ' order by n), 'none') from t")
}

/// Summary's counts of rows: loaded, before the range, after it, and without a key.
fn counts(summary: &Value) -> [u64; 4] {
    ["rows", "rows_before_range", "rows_after_range", "rows_unkeyed"].map(|name| summary[name].as_u64().unwrap())
}

#[test]
fn a_range_is_half_open_for_every_type_of_time() {
    let database = Database::new();
    let cases = [
        (
            "timestamptz",
            ["2023-12-31 23:59:59.999999Z", "2024-01-01 00:00Z", "2024-01-31T23:59:59.999999Z", "2024-02-01T00:00Z"],
        ),
        ("timestamp", ["2023-12-31 23:59:59.999999", "2024-01-01", "2024-01-31T23:59:59.999999", "2024-02-01"]),
        ("date", ["2023-12-31", "2024-01-01", "2024-01-31", "2024-02-01"]),
    ];
    for (ty, times) in cases {
        for window in ["'1 month'", "7d", "auto"] {
            let range = format!("--window {window} --from 2024-01-01 --until 2024-02-01");
            let summary = load(&database, ty, &times, &range).exits(0).summary();
            assert_eq!(counts(&summary), [2, 1, 1, 0], "{ty} {window}");
            assert_eq!(loaded(&database), "1 2", "{ty} {window}");
            assert_eq!(summary["frontier"], "2024-02-01", "{ty} {window}");
            run(&database, "verify").exits(0);
        }
    }
    for ty in ["smallint", "int", "bigint"] {
        let summary =
            load(&database, ty, &["-1", "0", "99", "100"], "--window 30 --from 0 --until 100").exits(0).summary();
        assert_eq!(counts(&summary), [2, 1, 1, 0], "{ty}");
        assert_eq!(loaded(&database), "1 2", "{ty}");
        assert_eq!(summary["frontier"], "100", "{ty}");
        run(&database, "verify").exits(0);
    }
}

#[test]
fn a_bound_without_an_offset_is_in_the_zone_that_is_given() {
    let database = Database::new();
    let times = ["2023-12-31 22:59:59Z", "2023-12-31 23:00Z", "2024-01-01 00:00Z"];
    load(&database, "timestamptz", &times, "--from 2024-01-01 --timezone Europe/Berlin").exits(0);
    assert_eq!(loaded(&database), "1 2");
    load(&database, "timestamptz", &times, "--from '2024-01-01 00:00Z' --timezone Europe/Berlin").exits(0);
    assert_eq!(loaded(&database), "2");
}

#[test]
fn a_bound_may_be_so_long_ago() {
    let database = Database::new();
    let times = database.rows("select to_char(now() at time zone 'UTC' - interval '1 day' * n, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from (values (1), (5), (40)) v (n)");
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    let summary =
        load(&database, "timestamptz", &times, "--from '30 days ago' --until '3 days ago'").exits(0).summary();
    assert_eq!(counts(&summary), [1, 1, 1, 0]);
    assert_eq!(loaded(&database), "1");
}

#[test]
fn rows_without_a_time_are_counted_told_and_make_the_exit_code_3() {
    let database = Database::new();
    let times = ["2024-01-01", "", "infinity", "-infinity", "2024-01-02", ""];
    for ty in ["timestamptz", "timestamp", "date"] {
        let output = load(&database, ty, &times, "--window 1d").exits(3);
        assert_eq!(counts(&output.summary()), [2, 0, 0, 4], "{ty}");
        assert_eq!(loaded(&database), "0 4", "{ty}");
    }
    assert_eq!(counts(&load(&database, "int", &["", "7"], "").exits(3).summary()), [1, 0, 0, 1]);
    // A re-run has nothing to load, and does not forget them.
    let folder = Folder::new();
    let path = folder.write("a.csv", "at,n\n,1\n7,2\n");
    let load = format!("load {path} --table t --time-column at --existing keep");
    for _ in 0..2 {
        run(&database, &load).exits(3).says(&["not loaded: 1 row whose time is null or infinite"]);
    }
}

#[test]
fn rows_outside_the_range_are_told_and_are_no_failure() {
    let (database, folder) = (Database::with("create table t (at date, n int)"), Folder::new());
    let path = folder.write("a.csv", "at,n\n2023-12-30,0\n2023-12-31,1\n2024-01-01,2\n2025-01-01,3\n");
    let load = format!("load {path} --table t --time-column at --from 2024-01-01 --until 2025-01-01");
    run(&database, &load).exits(0).says(&["not loaded: 2 rows before the range, 1 row at or after its end"]);
}

#[test]
fn windows_that_do_not_suit_the_time_column_are_refused() {
    let database = Database::new();
    load(&database, "int", &["1"], "--window 1d").exits(2).says(&["integer", "plain number"]);
    load(&database, "timestamptz", &["2024-01-01"], "--window 100").exits(2).says(&["duration"]);
    load(&database, "date", &["2024-01-01"], "--window 12h").exits(2).says(&["whole days"]);
    load(&database, "text", &["2024-01-01"], "").exits(2).says(&["cannot be of type text"]);
    load(&database, "timestamp(3)", &["2024-01-01"], "").exits(2).says(&["rounds its values"]);
    load(&database, "int", &["1"], "--from 5 --until 5").exits(2).says(&["[5, 5) is empty"]);
    load(&database, "int", &["1"], "--from soon").exits(2).says(&["soon"]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn the_windows_of_calendar_months_are_those_of_the_calendar() {
    let database = Database::new();
    let times = ["2023-12-31", "2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01", "1999-06-15", "0044-03-15 BC"];
    load(&database, "date", &times, "--window '1 month' --from 2023-12-15").exits(0);
    let day = |bound: &str| format!("date '2000-01-01' + {bound}::int");
    let bounds =
        format!("select ({}) || ' ' || ({}), rows from pgbackfill.windows order by number", day("lower"), day("upper"));
    assert_eq!(
        database.rows(&bounds),
        ["2023-12-15 2024-01-01|1", "2024-01-01 2024-02-01|1", "2024-02-01 2024-03-01|2", "2024-03-01 2024-04-01|1"]
    );
}

#[test]
fn times_at_the_ends_of_time_load_and_verify() {
    let database = Database::new();
    let times = ["4713-01-01 BC", "294276-12-31 23:59:59.999999", "2000-01-01"];
    load(&database, "timestamptz", &times, "--window '1000 years'").exits(0);
    assert_eq!(loaded(&database), "0 1 2");
    run(&database, "verify").exits(0);
    let numbers = ["-9223372036854775808", "0", "9223372036854775806"];
    load(&database, "bigint", &numbers, "--window 1000000000000000000").exits(0);
    assert_eq!(loaded(&database), "0 1 2");
    run(&database, "verify").exits(0);
}

/// A table without a time column, with rows of others in it, and a source of three files.
fn dimension() -> (Database, Folder, String) {
    let setup = "
        create table hosts (name text, rack int);
        create table others (like hosts);
        insert into others values ('theirs', 1), ('theirs', 1);
        insert into hosts table others;
        create table expected (like hosts)";
    let (database, folder) = (Database::with(setup), Folder::new());
    for file in ["a", "b", "c"] {
        let rows = (0..500).map(|n| format!("{file}-{n},{}\n", n % 7)).collect::<Vec<_>>().concat();
        folder.write(&format!("s/{file}.csv"), format!("name,rack\n{rows}"));
        database.copy_csv("expected", "", rows.as_bytes());
    }
    let load = format!("load {}/s --table hosts --no-time-column --existing keep --job hosts --json", folder.path());
    (database, folder, load)
}

#[test]
fn a_table_without_a_time_column_loads_verifies_and_is_undone() {
    let (database, _folder, load) = dimension();
    let summary = run(&database, &load).exits(0).summary();
    assert_eq!((&summary["rows"], &summary["windows"]), (&1500.into(), &1.into()));
    database.assert_same("(select * from hosts where name <> 'theirs')", "expected");
    run(&database, "verify hosts").exits(0).prints(&["1,500 rows: equal"]);
    assert_eq!(run(&database, &load).exits(0).summary()["windows"], 0);
    database.sql("delete from hosts where name = 'b-3'");
    run(&database, "verify hosts")
        .exits(5)
        .prints(&["window pieces [0, 3) differs: 1,500 rows were loaded, 1,499 are there"]);
    run(&database, "undo hosts").exits(1).says(&["only 1499 of the 1500 rows"]);
    run(&database, "undo hosts --missing-ok").exits(0);
    database.assert_same("hosts", "others");
}

#[test]
fn without_a_time_column_existing_rows_speak_for_the_whole_table() {
    let (database, _folder, load) = dimension();
    let with = |existing: &str| {
        load.replace("--existing keep --job hosts", &format!("--existing {existing} --job {existing}"))
    };
    run(&database, &with("error")).exits(1).says(&["already holds rows"]);
    run(&database, &with("skip")).exits(2).says(&["needs a time column"]);
    database.assert_same("hosts", "others");
    run(&database, &with("replace")).exits(0);
    database.assert_same("hosts", "expected");
    run(&database, "verify replace").exits(0);
}

#[test]
fn a_range_needs_a_time_column() {
    let (database, _folder, load) = dimension();
    run(&database, &format!("{load} --from 2024-01-01")).exits(2).says(&["need a time column"]);
    run(&database, &format!("{load} --time-column rack")).exits(2);
}
