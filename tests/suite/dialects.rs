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

/// Loads `csv` as [`loads_as`] does, and expects the summary to say what was mended.
#[track_caller]
fn mends(options: &str, csv: &str, plain: &str, mended: &str) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", csv);
    let load = format!("load {path} --table t --time-column ts --window 1h {options}");
    run(&database, &load.replacen("load", "plan", 1)).exits(0).prints(&[&format!("mended   {mended}")]);
    run(&database, &load).exits(0).says(&[&format!("mended: {mended}\n")]);
    database.copy_csv("expected", "", plain.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0);
    // The ledger keeps it: a run that reads no data still says so.
    run(&database, &load).exits(0).says(&[&format!("mended: {mended}\n")]);
}

/// Loads `csv`, which must be refused with this place and hint.
#[track_caller]
fn refuses(options: &str, csv: impl AsRef<[u8]>, texts: &[&str]) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", csv);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h {options}")).exits(1).says(texts);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn ragged_records_are_refused_with_a_hint_and_served_as_asked() {
    let short = with_header("2024-01-01T00:00:00Z,a\n2024-01-01T01:30:00Z,b,2.5,second\n");
    let long = with_header("2024-01-01T00:00:00Z,a,1.5,first,\n2024-01-01T01:30:00Z,b,2.5,second,x,y\n");
    refuses("", &short, &["has 2 fields, expected 4", "record 1, byte 19", "--ragged pad"]);
    refuses("--ragged trim", &short, &["has 2 fields, expected 4"]);
    refuses("", &long, &["has 5 fields, expected 4", "--ragged trim"]);
    refuses("--ragged pad", &long, &["has 5 fields, expected 4"]);
    let padded = "2024-01-01T00:00:00Z,a,,\n2024-01-01T01:30:00Z,b,2.5,second\n";
    mends("--ragged pad", &short, padded, "1 record filled up with nulls");
    mends("--ragged trim", &long, TWO_ROWS, "2 records cut to the columns there are");
    let both = format!("{short}2024-01-01T02:30:00Z,,,,,\n");
    let mended = "1 record filled up with nulls, 1 record cut to the columns there are";
    mends("--ragged pad,trim", &both, &format!("{padded}2024-01-01T02:30:00Z,,,\n"), mended);
}

#[test]
fn a_delimiter_at_the_end_of_every_line_makes_a_column_without_a_name() {
    let trailing = |rows: &str| rows.replace('\n', ",\n");
    loads_as("--ignore ''", trailing(&with_header(TWO_ROWS)), TWO_ROWS);
    let rows = trailing(TWO_ROWS);
    mends("--ragged trim", &with_header(&rows), TWO_ROWS, "2 records cut to the columns there are");
}

#[test]
fn blanks_around_fields_are_trimmed_outside_quotes_only() {
    let rows = "2024-01-01T00:00:00Z , a,1.5\t,\" first \" \n  \t \n2024-01-01T01:30:00Z,NA ,2.5, \n";
    let plain = "2024-01-01T00:00:00Z,a,1.5,\" first \"\n2024-01-01T01:30:00Z,,2.5,\n";
    mends("--trim --null NA", &format!("ts, host ,value,\"note\" \n{rows}"), plain, "6 fields trimmed");
    let tabs = "ts\thost \tvalue\tnote\n2024-01-01T00:00:00Z\t a\t\t x y \n";
    mends(r"--trim --delimiter \t", tabs, "2024-01-01T00:00:00Z,a,,x y\n", "2 fields trimmed");
}

#[test]
fn the_last_lines_are_left_out_as_asked() {
    let object = format!("{}Total,2,\"rows\n\n", with_header(TWO_ROWS));
    refuses("--footer-lines 1", &object, &["never closed", "record 3"]);
    mends("--footer-lines 2", &object, TWO_ROWS, "2 lines at the end left out");
    let (database, folder) = (Database::with(TABLES), Folder::new());
    folder.write("s/empty.csv", "");
    folder.write("s/header.csv", "ts,host,value,note\nTotal 0\n");
    folder.write("s/two.csv", with_header(TWO_ROWS).replace('\n', "\r\n") + "Total 2\r\n");
    let load = format!("load {}/s -t t -c ts --window 1h --footer-lines 1 --json", folder.path());
    let summary = run(&database, &load).exits(0).summary();
    assert_eq!((&summary["rows"], &summary["mended"]["footer_lines"]), (&2.into(), &2.into()));
}

#[test]
fn a_long_footer_is_found_from_the_end_of_the_object() {
    let footer = "remark\n".repeat(20_000);
    let object = format!("{}{footer}", with_header(TWO_ROWS));
    mends("--footer-lines 20000", &object, TWO_ROWS, "20,000 lines at the end left out");
}

#[test]
fn a_header_in_the_middle_is_data_unless_it_is_to_be_skipped() {
    let joined = format!("{}\u{feff}{}", with_header(TWO_ROWS), with_header("2024-01-02,c,,\n"));
    refuses("", joined.replace('\u{feff}', ""), &["\"ts\" is not a timestamp", "record 3", "--repeated-header skip"]);
    mends("--repeated-header skip", &joined, &format!("{TWO_ROWS}2024-01-02,c,,\n"), "1 repeated header skipped");
    // Another case is no header, nor is one with other quotes.
    let other = format!("{}TS,host,value,note\n", with_header(TWO_ROWS));
    refuses("--repeated-header skip", other, &["record 3"]);
}

#[test]
fn stray_quotes_are_kept_as_text_and_well_formed_text_means_the_same() {
    let rows =
        "2024-01-01T00:00:00Z,5\" pipe,1.5,\"the \"red\" one\"\n2024-01-01T01:30:00Z,\"a,\"\"b\"\"\",2.5,\"x\ny\"\n";
    let plain = "2024-01-01T00:00:00Z,\"5\"\" pipe\",1.5,\"the \"\"red\"\" one\"\n\
                 2024-01-01T01:30:00Z,\"a,\"\"b\"\"\",2.5,\"x\ny\"\n";
    mends("--stray-quotes keep", &with_header(rows), plain, "2 fields with stray quotes kept");
    loads_as("--stray-quotes keep", with_header(plain), plain);
    let open = with_header("2024-01-01T00:00:00Z,5\" pipe,1.5,x\n");
    refuses("", open, &["never closed", "record 1", "--stray-quotes keep"]);
}

#[test]
fn what_mends_is_part_of_the_settings_that_a_resume_must_share() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", with_header(TWO_ROWS));
    let load = format!("load {path} -t t -c ts");
    run(&database, &load).exits(0);
    for (option, name) in [
        ("--ragged pad", "--ragged was null and is [\"pad\"]"),
        ("--trim", "--trim was null and is true"),
        ("--footer-lines 1", "--footer-lines was null and is 1"),
        ("--stray-quotes keep", "--stray-quotes was null and is \"keep\""),
        ("--repeated-header skip", "--repeated-header was null and is \"skip\""),
    ] {
        run(&database, &format!("{load} {option}")).exits(2).says(&[name]);
    }
}
