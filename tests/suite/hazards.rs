//! Texts that are easily read wrongly, with the server as judge of each: what it takes we store alike, what it refuses
//! we refuse.

use crate::harness::{Database, Folder, run};
use crate::values::csv_of;

/// A type and texts for it. The server says which of them are values.
pub(crate) type Hazards = (&'static str, &'static [&'static str]);

/// Gives each text to the server alone, and then those that it takes, all together, and each of the others to both.
///
/// All of it goes in binary. At least one text of each type must be a value, and one must be none.
#[track_caller]
pub(crate) fn agree(setup: &str, cases: &[Hazards]) {
    let database = Database::with(setup);
    let mut taken = Vec::new();
    let mut refused = Vec::new();
    for (ty, texts) in cases {
        database.sql(&format!("drop table if exists t; create table t (ts timestamptz not null, v {ty})"));
        let takes = |text: &&&str| database.try_copy_csv("t", "header true", csv_of(&[**text]).as_bytes()).is_ok();
        let (values, others): (Vec<&str>, Vec<&str>) = texts.iter().partition(|text| takes(text));
        assert!(!values.is_empty() && !others.is_empty(), "{ty}: {values:?} are values, {others:?} are none");
        taken.push((*ty, values));
        refused.push((*ty, others));
    }
    for (ty, values) in &taken {
        stored(setup, ty, values);
    }
    for (ty, others) in &refused {
        refused_each(setup, ty, others);
    }
}

/// Expects each text refused, with its place where it is refused here, and else with the constraint of a domain.
#[track_caller]
fn refused_each(setup: &str, ty: &str, others: &[&str]) {
    const CONSTRAINTS: [&str; 2] = ["(23514)", "(23502)"];
    let (database, folder) = (Database::with(setup), Folder::new());
    database.sql(&format!("create table t (ts timestamptz not null, v {ty})"));
    for (number, text) in others.iter().enumerate() {
        let csv = csv_of(&[text]);
        let path = folder.write(&format!("{number}.csv"), &csv);
        let output = run(&database, &format!("load {path} --table t --time-column ts --window 1h --job {number}"));
        let output = output.exits(1).says(&["column \"v\""]);
        if !CONSTRAINTS.iter().any(|constraint| output.stderr.contains(constraint)) {
            output.says(&[&format!("{path} record 2, byte {}", "ts,v\n2024-01-01T00:00:00Z,\n".len())]);
        }
        assert_eq!(database.count("t"), 0, "{text:?} as {ty}");
    }
}

/// Loads values beside a column that goes in either form, and compares with what the server made of them.
#[track_caller]
fn stored(setup: &str, ty: &str, values: &[&str]) {
    let (database, folder) = (Database::with(setup), Folder::new());
    let columns = format!("(ts timestamptz not null, v {ty})");
    database.sql(&format!(
        "create table expected {columns}; create table t {columns};
         create table beside (ts timestamptz not null, v {ty}, words tsvector)"
    ));
    let csv = csv_of(values);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let path = folder.write("a.csv", &csv);
    let load = |table: &str| format!("load {path} --table {table} --time-column ts --window 1h --job {table}");
    run(&database, &load("t")).exits(0);
    database.assert_same("t", "expected");
    run(&database, "verify t").exits(0).prints(&["equal"]);
    let hashed = database.one("select 'v' = any (hashed) from pgbackfill.jobs where name = 't'");
    assert_eq!(hashed, "t", "verify compares {ty}");
    let (header, rows) = csv.split_once('\n').unwrap();
    // The text form is printed from the binary one, so a table with another column that needs it must hold the same.
    let path = folder
        .write("b.csv", format!("words,{header}\n{}", rows.replace("2024-01-01T00:00:00Z,", ",2024-01-01T00:00:00Z,")));
    run(&database, &load("beside").replace("a.csv", "b.csv")).exits(0);
    assert!(path.ends_with("b.csv"));
    database.assert_same("(select ts, v from beside)", "(select ts, v from expected)");
}
