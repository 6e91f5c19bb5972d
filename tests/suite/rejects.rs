//! Rejects: rows that cannot be loaded are set aside as far as the job allows, once each, and no other row is lost for them.

use crate::harness::{Database, Folder, run};

const TABLE: &str = "
    create table t (ts timestamptz not null, n int, host text not null);
    create index on t (ts);
    create table expected (like t);";

/// Three days with a row an hour, and rows at fault among them: of structure, of time, of value.
const MIXED: &str = "ts,n,host\n\
    2024-01-01T00:00:00Z,1,a\n\
    2024-01-01T01:00:00Z,x,a\n\
    2024-01-01T02:00:00Z,3\n\
    soon,4,a\n\
    2024-01-02T00:00:00Z,5,\n\
    2024-01-02T01:00:00Z,6,b\n\
    2024-01-03T00:00:00Z,99999999999,b\n\
    2024-01-03T01:00:00Z,8,\"c,\"\"d\"\"\"\n";

const GOOD: &str = "ts,n,host\n\
    2024-01-01T00:00:00Z,1,a\n\
    2024-01-02T01:00:00Z,6,b\n\
    2024-01-03T01:00:00Z,8,\"c,\"\"d\"\"\"\n";

fn loading(csv: &str) -> (Database, Folder, String) {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let path = folder.write("a.csv", csv);
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    (database, folder, load)
}

#[test]
fn rows_at_fault_are_set_aside_and_all_others_are_loaded() {
    let (database, _folder, load) = loading(MIXED);
    run(&database, &load).exits(1).says(&["record 3", "--max-rejects"]);
    let loaded = run(&database, &format!("{load} --max-rejects 10 --json")).exits(3);
    assert_eq!(loaded.summary()["rows_rejected"], 5);
    database.copy_csv("expected", "header true", GOOD.as_bytes());
    database.assert_same("t", "expected");
    let rejects = database.rows(
        "select concat_ws('|', coalesce(number::text, '-'), record, coalesce(column_name, '-'), coalesce(sqlstate, '-'),
                          convert_from(raw, 'UTF8'))
           from pgbackfill.rejects order by record",
    );
    let expected = [
        "0|2|n|-|2024-01-01T01:00:00Z,x,a",
        "-|3|-|-|2024-01-01T02:00:00Z,3",
        "-|4|ts|-|soon,4,a",
        "1|5|host|23502|2024-01-02T00:00:00Z,5,",
        "2|7|n|-|2024-01-03T00:00:00Z,99999999999,b",
    ];
    assert_eq!(rejects, expected);
    run(&database, "verify").exits(0);
    // Done again, it reads nothing, and still says that not all is loaded.
    let again = run(&database, &format!("{load} --max-rejects 10 --json")).exits(3);
    assert_eq!((&again.summary()["rows"], &again.summary()["rows_rejected"]), (&0.into(), &5.into()));
}
