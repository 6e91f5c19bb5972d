//! Where rows come from: files, folders and globs, CSV as it is found and Parquet, matched to the table by name.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Database, Folder, Random, run, run_args};

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

/// Both rows of most tests here, as the server's own CSV.
const TWO_ROWS: &str = "2024-01-01T00:00:00Z,a,1.5,first\n2024-01-01T01:30:00Z,b,2.5,second\n";

/// One row each hour from `first` on, `rows` of them, as CSV without a header.
fn hours(first: u32, rows: u32) -> String {
    let hour =
        |hour: u32| format!("2024-01-{:02}T{:02}:00:00Z,host-{hour},{hour}.25,note {hour}\n", 1 + hour / 24, hour % 24);
    (first..first + rows).map(hour).collect()
}

fn with_header(rows: &str) -> String {
    format!("ts,host,value,note\n{rows}")
}

/// The rows of [`hours`] as a Parquet file with row groups of 10 rows.
fn write_parquet(path: PathBuf, first: u32, rows: u32) {
    let hours = || first..first + rows;
    // 2024-01-01, in microseconds since 1970
    let micros = |hour: u32| 1_704_067_200_000_000 + i64::from(hour) * 3_600_000_000;
    let times = TimestampMicrosecondArray::from_iter_values(hours().map(micros)).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 4] = [
        ("note", Arc::new(StringArray::from_iter_values(hours().map(|hour| format!("note {hour}"))))),
        ("value", Arc::new(Float64Array::from_iter_values(hours().map(|hour| f64::from(hour) + 0.25)))),
        ("host", Arc::new(StringArray::from_iter_values(hours().map(|hour| format!("host-{hour}"))))),
        ("ts", Arc::new(times)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn files_folders_and_globs_name_the_same_objects_each_once() {
    let folder = Folder::new();
    folder.write("data/a.csv", with_header(&hours(0, 10)));
    folder.write("data/deep/er/b.csv", with_header(&hours(10, 10)));
    folder.write("data/deep/c.txt", with_header(&hours(20, 10)));
    folder.write("data/.hidden.csv", "not,what,is,loaded\n");
    let all = hours(0, 30);
    let spelled = [
        ("{}/data", all.clone()),
        ("{}/data/**/*", all.clone()),
        ("{}/data/a.csv {}/data/deep/er/b.csv {}/data/deep/c.txt", all.clone()),
        ("{}/data/a.csv {}/data {}/data/a.csv", all),
        ("{}/data/**/*.csv", hours(0, 20)),
        ("{}/data/*.csv", hours(0, 10)),
        ("{}/data/deep/*/?.csv", hours(10, 10)),
    ];
    let database = Database::with(TABLES);
    for (number, (pattern, expected)) in spelled.iter().enumerate() {
        database.sql("truncate t, expected");
        let pattern = pattern.replace("{}", folder.path());
        run(&database, &format!("load {pattern} --table t --time-column ts --window 1d --job job{number}")).exits(0);
        database.copy_csv("expected", "", expected.as_bytes());
        database.assert_same("t", "expected");
    }
}

#[test]
fn csv_and_parquet_are_told_apart_by_content_and_load_in_one_job() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    folder.write("mixed/a.parquet", with_header(&hours(0, 40)));
    write_parquet(PathBuf::from(folder.path()).join("mixed/b.csv"), 20, 50);
    write_parquet(PathBuf::from(folder.path()).join("mixed/c"), 200, 5);
    run(&database, &format!("load {}/mixed --table t --time-column ts --window 12h", folder.path())).exits(0);
    database.copy_csv("expected", "", format!("{}{}{}", hours(0, 40), hours(20, 50), hours(200, 5)).as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0).prints(&["95 rows: equal"]);
}

#[test]
fn objects_that_overlap_in_time_and_are_named_in_any_order_load_every_row_once() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let all = hours(0, 600);
    let mut random = Random(7);
    let mut files = vec![String::new(); 6];
    let mut lines: Vec<&str> = all.lines().collect();
    while !lines.is_empty() {
        let line = lines.swap_remove(usize::try_from(random.below(lines.len() as u64)).unwrap());
        let file = usize::try_from(random.below(6)).unwrap();
        files[file].extend([line, "\n"]);
    }
    let mut paths: Vec<String> =
        files.iter().enumerate().map(|(i, rows)| folder.write(&format!("{i}.csv"), with_header(rows))).collect();
    paths.reverse();
    run(&database, &format!("load {} --table t --time-column ts --window 5h --workers 2", paths.join(" "))).exits(0);
    database.copy_csv("expected", "", all.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0);
}

#[test]
fn columns_may_stand_in_another_order_in_every_object() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    folder.write("s/a.csv", "note,value,host,ts\nfirst,1.5,a,2024-01-01T00:00:00Z\n");
    folder.write("s/b.csv", "VALUE,ts,Note,host\n2.5,2024-01-01T01:30:00Z,second,b\n");
    run(&database, &format!("load {}/s --table t --time-column ts --window 1h", folder.path())).exits(0);
    database.copy_csv("expected", "", TWO_ROWS.as_bytes());
    database.assert_same("t", "expected");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    loads_as("", format!("\u{feff}{}", with_header(TWO_ROWS)), TWO_ROWS);
    loads_as("--no-header --columns ts,host,value,note", format!("\u{feff}{TWO_ROWS}"), TWO_ROWS);
}

#[test]
fn lines_may_end_as_on_any_system_and_the_last_needs_no_end() {
    loads_as("", with_header(TWO_ROWS).replace('\n', "\r\n"), TWO_ROWS);
    loads_as("", with_header(TWO_ROWS).trim_end(), TWO_ROWS);
}

#[test]
fn quoted_fields_may_hold_delimiters_quotes_and_line_ends() {
    let rows =
        "2024-01-01T00:00:00Z,\"a,\"\"b\"\"\",1.5,\"line one\nline two\r\n\n\"\n2024-01-01T01:30:00Z,\"\",,\"\\.\"\n";
    loads_as("", with_header(rows), rows);
}

#[test]
fn empty_is_null_quoted_empty_is_text_and_null_marks_count_only_unquoted() {
    let rows = "2024-01-01T00:00:00Z,NA,1.5,\"NA\"\n2024-01-01T01:30:00Z,-,NA,\"\"\n2024-01-01T02:30:00Z,,,\n";
    let plain = "2024-01-01T00:00:00Z,,1.5,NA\n2024-01-01T01:30:00Z,,,\"\"\n2024-01-01T02:30:00Z,,,\n";
    loads_as("--null NA --null -", with_header(rows), plain);
}

#[test]
fn a_file_without_a_header_takes_its_names_from_the_command_line() {
    let rows = "first,a,2024-01-01T00:00:00Z,1.5\nsecond,b,2024-01-01T01:30:00Z,2.5\n";
    loads_as("--no-header --columns note,host,ts,value", rows, TWO_ROWS);
}

#[test]
fn columns_are_renamed_and_left_out_as_asked() {
    let csv = "when,host,secret,value\n2024-01-01T00:00:00Z,a,x,1.5\n2024-01-01T01:30:00Z,b,y,2.5\n";
    let plain = "2024-01-01T00:00:00Z,a,1.5,\n2024-01-01T01:30:00Z,b,2.5,\n";
    loads_as("--map when=ts --ignore secret --ignore note", csv, plain);
    let crossed = "ts,note,value,host\n2024-01-01T00:00:00Z,a,1.5,first\n2024-01-01T01:30:00Z,b,2.5,second\n";
    loads_as("--map note=host --map host=note", crossed, TWO_ROWS);
}

#[test]
fn delimiter_quote_escape_and_comments_are_what_the_flags_say() {
    loads_as(r"--delimiter \t", with_header(TWO_ROWS).replace(',', "\t"), TWO_ROWS);
    loads_as("--delimiter ;", with_header(TWO_ROWS).replace(',', ";"), TWO_ROWS);
    let single = "ts,host,value,note\n2024-01-01T00:00:00Z,|a|,1.5,|fi,||rst|\n2024-01-01T01:30:00Z,b,2.5,\"\n";
    loads_as("--quote |", single, "2024-01-01T00:00:00Z,a,1.5,\"fi,|rst\"\n2024-01-01T01:30:00Z,b,2.5,\"\"\"\"\n");
    let escaped = "ts,host,value,note\n2024-01-01T00:00:00Z,\"a\\\"b\",1.5,\"c\\\\d\"\n";
    loads_as(r"--escape \", escaped, "2024-01-01T00:00:00Z,\"a\"\"b\",1.5,c\\d\n");
    let commented = format!(
        "# made by hand\n{}# the end\n",
        with_header(TWO_ROWS).replace("2024-01-01T01", "# between\n2024-01-01T01")
    );
    loads_as("--comment #", commented, TWO_ROWS);
    loads_as("--skip-lines 2", format!("title,\"\n\n{}", with_header(TWO_ROWS)), TWO_ROWS);
}

#[test]
fn a_header_alone_and_an_empty_file_hold_no_rows_beside_others_that_do() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    folder.write("s/a.csv", "");
    folder.write("s/b.csv", "ts,host,value,note\n");
    folder.write("s/c.csv", with_header(TWO_ROWS));
    let load = format!("load {}/s --table t --time-column ts --window 1h --json", folder.path());
    assert_eq!(run(&database, &load).exits(0).summary()["rows"], 2);
    database.copy_csv("expected", "", TWO_ROWS.as_bytes());
    database.assert_same("t", "expected");
}

#[test]
fn a_load_that_finds_no_row_fails_and_says_what_it_looked_at() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let header = folder.write("header.csv", with_header(""));
    let rows = folder.write("rows.csv", with_header(TWO_ROWS));
    let untimed = folder.write("untimed.csv", with_header(",a,1,x\ninfinity,b,2,y\n"));
    write_parquet(format!("{}/a.parquet", folder.path()).into(), 0, 30);
    let parquet = format!("{}/a.parquet", folder.path());
    let holds_none = "no row was found to load: the source, 1 object of ";
    let cases = [
        (format!("{header} --time-column ts"), "holds no row"),
        (format!("{header} --no-time-column"), "holds no row"),
        (
            format!("{rows} --time-column ts --from 2025-01-01"),
            "holds 2 rows, 2 before the range; its times are from 2024-01-01",
        ),
        (format!("{rows} --time-column ts --until 2023-01-01"), "holds 2 rows, 2 after it"),
        (format!("{parquet} --time-column ts --from 2025-01-01"), "holds 30 rows, 30 before the range"),
        (format!("{untimed} --time-column ts"), "holds 2 rows, 2 without a finite time"),
    ];
    for (options, says) in &cases {
        run(&database, &format!("load {options} --table t")).exits(1).says(&[holds_none, says, "--allow-empty"]);
        run(&database, &format!("plan {options} --table t")).exits(0).prints(&[holds_none, "--allow-empty"]);
    }
    assert_eq!(database.count("t"), 0);
    // Nothing was entered: rows that come later are loaded by the same command, as a source like any other.
    assert_eq!(database.one("select to_regclass('pgbackfill.jobs')"), "null");
    folder.write("header.csv", with_header(TWO_ROWS));
    run(&database, &format!("load {header} --table t --time-column ts")).exits(0);
    assert_eq!(database.count("t"), 2);
}

#[test]
fn a_job_without_windows_is_complete_only_where_it_may_be_empty() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", with_header(""));
    let load = format!("load {path} --table t --time-column ts");
    for _ in 0..2 {
        let summary = run(&database, &format!("{load} --allow-empty --json")).exits(0).summary();
        assert_eq!((&summary["rows"], &summary["progress"]["windows"]), (&0.into(), &0.into()));
    }
    run(&database, &format!("{load} --allow-empty"))
        .exits(0)
        .says(&["nothing to load into public.t: no row was found"]);
    run(&database, &load).exits(1).says(&["has no row to load: its source holds no row", "--allow-empty"]);
    run(&database, "verify").exits(0);
}

#[test]
fn a_source_that_has_lost_all_its_rows_takes_none_back_unless_it_may_be_empty() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", with_header(TWO_ROWS));
    let load = format!("load {path} --table t --time-column ts --window 1h --accept-changed-source");
    run(&database, &load).exits(0);
    folder.write("a.csv", with_header(""));
    run(&database, &load).exits(1).says(&["no row was found to load"]);
    assert_eq!(database.count("t"), 2);
    run(&database, &format!("{load} --allow-empty")).exits(0);
    assert_eq!(database.count("t"), 0);
}

/// Loads one file and expects it refused for its columns, with both sides listed, before anything is written.
#[track_caller]
fn refused(options: &str, csv: &str, fault: &str) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", csv);
    let header = csv.lines().next().unwrap().replace(',', ", ");
    let sides = [format!("source has: {header}"), "public.t has: ts, host, value, note".to_owned()];
    for command in ["plan", "load"] {
        let output = run(&database, &format!("{command} {path} --table t --time-column ts {options}")).exits(2);
        output.says(&[fault, "a.csv", &sides[0], &sides[1]]);
    }
    assert_eq!(database.count("t"), 0);
}

#[test]
fn missing_extra_and_ambiguous_columns_are_refused_with_both_sides_listed() {
    refused("", "ts,host,value\n", "target column note has no column in the source");
    refused("", "ts,host,value,note,extra\n", "source column extra has no column in the table");
    refused("", "host,value,note\n", "target column ts is not null, has no default, and no source column feeds it");
    refused("", "ts,host,Host,value,note\n", "target column host is fed by both host and Host");
    refused("--map value=note", "ts,host,value,note\n", "target column note is fed by both");
    refused("--map nothing=note", "ts,host,value,note\n", "source column nothing, which is not there");
    refused("--map note=nothing", "ts,host,value,note\n", "target column nothing, which is not there");
    refused("--ignore nothing", "ts,host,value,note\n", "nothing, which is on neither side");
}

#[test]
fn a_name_that_stands_twice_in_a_header_is_refused() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", "ts,host,host,value,note\n2024-01-01,a,b,1,c\n");
    let output = run(&database, &format!("load {path} --table t --time-column ts"));
    assert!([1, 2].contains(&output.code), "{output:?}");
    output.says(&["a.csv", "host"]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn objects_that_feed_different_columns_are_refused_by_name() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    database.sql("alter table t alter note set default 'none'");
    folder.write("s/a.csv", with_header(TWO_ROWS));
    folder.write("s/b.csv", "ts,host,value\n2024-01-01,a,1\n");
    let output = run(&database, &format!("load {}/s --table t --time-column ts", folder.path())).exits(2);
    output.says(&["different columns", "a.csv has: ts, host, value, note", "b.csv has: ts, host, value\n"]);
}

#[test]
fn ragged_records_and_stray_quotes_are_refused_with_their_place() {
    let database = Database::with(TABLES);
    let folder = Folder::new();
    let cases = [
        ("short", "2024-01-01T02:00:00Z,c\n", "byte 86"),
        ("long", "2024-01-01T02:00:00Z,c,1,x,y\n", "byte 86"),
        // The place of a quote is its own.
        ("open", "2024-01-01T02:00:00Z,c,1,\"never closed\n", "byte 111"),
    ];
    for (name, row, byte) in cases {
        let path = folder.write(&format!("{name}.csv"), with_header(&format!("{TWO_ROWS}{row}")));
        let load = format!("load {path} --table t --time-column ts --existing keep");
        run(&database, &load).exits(1).says(&[&format!("{name}.csv"), "record 3", byte]);
    }
}

#[test]
fn what_matches_nothing_and_what_is_no_data_is_an_error_that_names_it() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let load = |source: &str| run(&database, &format!("load {source} --table t --time-column ts"));
    for missing in ["missing.csv", "*.csv", "missing/**/*.parquet"] {
        load(&format!("{}/{missing}", folder.path())).exits(1).says(&[missing, "matches nothing"]);
    }
    let bad = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/bad");
    for file in ["truncated.parquet", "gzipped.csv"] {
        load(&format!("{bad}/{file}")).exits(1).says(&[file]);
    }
}

#[test]
fn invalid_utf_8_is_refused_with_its_place_and_nothing_is_re_read_as_something_else() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let mut csv = with_header(TWO_ROWS).into_bytes();
    csv.extend_from_slice(b"2024-01-01T02:00:00Z,caf\xe9,1,x\n");
    let path = folder.write("latin.csv", csv);
    let load = format!("load {path} --table t --time-column ts");
    run(&database, &load).exits(1).says(&["latin.csv", "record 3", "byte", "\"host\""]);
}

#[test]
fn a_record_longer_than_its_limit_is_an_error_and_one_longer_than_every_buffer_is_not() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let row = format!("2024-01-01T02:00:00Z,c,1,\"{}\"\n", "long\n".repeat(500_000));
    let rows = format!("{TWO_ROWS}{row}{}", hours(3, 20));
    let path = folder.write("long.csv", with_header(&rows));
    let load = format!("load {path} --table t --time-column ts");
    run(&database, &format!("{load} --record-bytes 1MB --job short")).exits(1).says(&["long.csv", "record"]);
    run(&database, &load).exits(0);
    database.copy_csv("expected", "", rows.as_bytes());
    database.assert_same("t", "expected");
}

#[test]
fn a_source_in_no_order_is_spooled_within_its_limits() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let all = hours(0, 700);
    let mut lines: Vec<&str> = all.lines().collect();
    let mut random = Random(11);
    for last in (1..lines.len()).rev() {
        lines.swap(last, usize::try_from(random.below(last as u64 + 1)).unwrap());
    }
    let path = folder.write("a.csv", with_header(&format!("{}\n", lines.join("\n"))));
    let load = format!("load {path} --table t --time-column ts --window 2h --workers 2 --memory 1MiB");
    run(&database, &format!("{load} --spool-bytes 1kB --job small"))
        .exits(1)
        .says(&["takes more than 1000 bytes", "--spool-bytes"]);
    run(&database, &format!("{load} --spool-folder {}/missing --job nowhere", folder.path()))
        .exits(1)
        .says(&["--spool-folder"]);
    let spools = folder.write("spools/kept", "");
    run(&database, &format!("{load} --spool-folder {}", spools.trim_end_matches("/kept"))).exits(0);
    database.copy_csv("expected", "", all.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "undo small").exits(0);
    // The spool goes with its run.
    assert_eq!(std::fs::read_dir(spools.trim_end_matches("/kept")).unwrap().count(), 1);
}

#[test]
fn folders_that_are_named_after_a_column_feed_it() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text, month int)"), Folder::new());
    folder.write("s/year=2024/month=01/a.csv", "ts,host\n2024-01-01,a\n2024-01-02,b\n");
    folder.write("s/year=2024/month=02/a.csv", "ts,host\n2024-02-01,c\n");
    let load = format!("load {}/s --table t --time-column ts --window '1 month'", folder.path());
    run(&database, &load).exits(0);
    assert_eq!(database.rows("select host, month from t order by ts"), ["a|1", "b|1", "c|2"]);
    run(&database, "verify").exits(0);
    // A column of the file itself comes first.
    folder.write("both/month=07/a.csv", "ts,host,month\n2025-01-01,a,3\n");
    run(&database, &format!("load {}/both --table t --time-column ts --window '1 month'", folder.path())).exits(0);
    assert_eq!(database.one("select month from t where ts > '2024-12-01'"), "3");
    folder.write("bad/month=May/a.csv", "ts,host\n2026-05-01,a\n");
    let bad = run(&database, &format!("load {}/bad --table t --time-column ts", folder.path()));
    bad.exits(1).says(&["\"May\"", "\"month\"", "month=May/a.csv record 1"]);
}

#[test]
fn fields_of_any_text_load_as_the_server_reads_them() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let field = prop_oneof![
        4 => "[a-z ,;\"\n\r\\\\.'|#\t]{0,12}",
        1 => Just("NA".to_owned()),
        1 => Just("\\.".to_owned()),
        1 => "\\PC{0,8}",
    ];
    let records = prop::collection::vec((field.clone(), field), 1..40);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&records, |records| {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            for (i, (host, note)) in records.iter().enumerate() {
                let time = format!("2024-01-01T{:02}:{:02}:00Z", i % 7, i);
                writer.write_record([&time, host, "1", note]).unwrap();
            }
            let rows = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            database.sql("truncate t, expected; drop schema if exists pgbackfill cascade");
            let path = folder.write("any.csv", with_header(&rows));
            run_args(&database, &["load", &path, "--table", "t", "--time-column", "ts", "--window", "1h"]).exits(0);
            database.copy_csv("expected", "", rows.as_bytes());
            database.assert_same("t", "expected");
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_default_folder_of_a_column_is_null() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text, month int)"), Folder::new());
    folder.write("s/month=01/a.csv", "ts,host\n2024-01-01,a\n");
    folder.write("s/month=__HIVE_DEFAULT_PARTITION__/a.csv", "ts,host\n2024-02-01,b\n");
    run(&database, &format!("load {}/s --table t --time-column ts", folder.path())).exits(0);
    assert_eq!(database.rows("select host, month from t order by ts"), ["a|1", "b|null"]);
}

#[test]
fn the_files_of_a_delta_table_are_refused_by_every_command_and_load_only_as_files() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let csv = with_header(TWO_ROWS);
    folder.write("lake/events/part-0.csv", &csv);
    folder.write("lake/events/_delta_log/00000000000000000000.json", "{}");
    let load = format!("{} --table t --time-column ts", folder.path());
    let why = ["events belongs to a Delta table", "deleted and superseded rows", "--as-files"];
    for command in [format!("load {load}"), format!("plan {load}"), format!("inspect {}", folder.path())] {
        run(&database, &command).exits(1).says(&why);
    }
    run(&database, &format!("inspect {} --as-files", folder.path())).exits(0).prints(&["--as-files"]);
    run(&database, &format!("load {load} --as-files")).exits(0);
    assert_eq!(database.count("t"), 2);
    run(&database, &format!("load {load}")).exits(1).says(&why);
}
