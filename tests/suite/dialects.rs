//! Delimited text as it is found: each option that says how it is read, against the server's own reading of plain CSV.

use crate::harness::{Database, Folder, run};

const TABLES: &str = "
    create table t (ts timestamptz not null, host text, value float8, note text);
    create index on t (ts);
    create table expected (like t)";

/// Loads `csv` with `options` and compares with `\copy` of `plain`, the same rows as the server's own CSV.
#[track_caller]
fn loads_as(options: &str, csv: impl AsRef<[u8]>, plain: &str) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", csv);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h {options}")).exits(0);
    database.copy_csv("expected", "", plain.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0);
}

/// Two rows as the server's own CSV.
const TWO_ROWS: &str = "2024-01-01T00:00:00Z,a,1.5,first\n2024-01-01T01:30:00Z,b,2.5,second\n";

fn with_header(rows: &str) -> String {
    format!("ts,host,value,note\n{rows}")
}

#[test]
fn a_delimiter_may_have_several_bytes_or_none_of_ascii() {
    for delimiter in ["||", "::", "§", "¦", "<tab>"] {
        loads_as(&format!("--delimiter {delimiter}"), with_header(TWO_ROWS).replace(',', delimiter), TWO_ROWS);
    }
    loads_as(r"--delimiter \x1f", with_header(TWO_ROWS).replace(',', "\x1f"), TWO_ROWS);
    let quoted = "ts||host||value||note\n2024-01-01T00:00:00Z||\"a||b\"||1.5||c|d\n";
    loads_as("--delimiter ||", quoted, "2024-01-01T00:00:00Z,a||b,1.5,c|d\n");
}

#[test]
fn empty_fields_are_null_or_text_as_copy_or_the_options_have_it() {
    let rows = "2024-01-01T00:00:00Z,,1.5,\"\"\n2024-01-01T01:30:00Z,\"\",,\n";
    loads_as("", with_header(rows), rows);
    loads_as("--empty-as-null", with_header(rows), "2024-01-01T00:00:00Z,,1.5,\n2024-01-01T01:30:00Z,,,\n");
    let piped = "2024-01-01,||,,||\n";
    loads_as("--empty-as-null --no-header --columns ts,host,value,note --quote |", piped, "2024-01-01,,,\n");
}

#[test]
fn with_another_null_mark_alone_empty_fields_are_text_as_in_copy() {
    let rows = "2024-01-01T00:00:00Z,,1.5,\"\"\n2024-01-01T01:30:00Z,NA,NA,\"NA\"\n";
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", with_header(rows));
    run(&database, &format!("load {path} -t t -c ts --null NA --empty-as-text")).exits(0);
    database.copy_csv("expected", "null 'NA'", rows.as_bytes());
    database.assert_same("t", "expected");
}

#[test]
fn a_resume_that_reads_empty_fields_otherwise_is_refused() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", with_header(TWO_ROWS));
    run(&database, &format!("load {path} -t t -c ts")).exits(0);
    run(&database, &format!("load {path} -t t -c ts --empty-as-null"))
        .exits(2)
        .says(&["--empty-as-null was null and is true"]);
}
