//! `--timestamp-format` and `--allow-lossy`: times in other forms, and finer than microseconds, by the server's own reading.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, DurationNanosecondArray, Int64Array, RecordBatch, Time64NanosecondArray, TimestampNanosecondArray,
    UInt32Array,
};
use parquet::arrow::ArrowWriter;

use crate::harness::{Database, Folder, Output, run, run_args};

fn write_parquet(folder: &Folder, columns: Vec<(&str, ArrayRef)>) -> String {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let path = PathBuf::from(folder.path()).join("a.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_str().unwrap().to_owned()
}

/// Loads a file, by year, with further arguments.
fn load(database: &Database, path: &str, more: &[&str]) -> Output {
    let arguments = ["load", path, "--table", "t", "--time-column", "ts", "--window", "1 year", "--json"];
    run_args(database, &[&arguments[..], more].concat())
}

#[test]
fn texts_are_read_by_their_format_as_the_server_reads_them_by_its_template() {
    let formats = [
        ("DD/MM/YYYY HH24:MI:SS", "%d/%m/%Y %H:%M:%S"),
        ("MM-DD-YYYY HH12:MI:SS.US AM", "%m-%d-%Y %I:%M:%S.%f %p"),
        ("YYYYMMDDHH24MISSUS", "%Y%m%d%H%M%S%f"),
        ("Dy, DD Mon YYYY HH24:MI:SS", "%a, %d %b %Y %T"),
        ("YYYY.DDD HH24:MI", "%Y.%j %R"),
        ("FMMonth FMDD, YYYY, FMHH12 am", "%B %e, %Y, %I %p"),
    ];
    let database = Database::with(
        "create table t (ts timestamptz not null, n int);
         create table raw (ts text, n int);
         create view moments as
           select n, timestamptz '1990-01-01Z' + n * interval '379 hours 7 minutes 11.234567 seconds' as ts
             from generate_series(1, 800) n",
    );
    let folder = Folder::new();
    for (number, (template, format)) in formats.into_iter().enumerate() {
        database.sql("truncate t, raw; set timezone = 'Europe/Berlin'");
        let template = template.replace('\'', "''");
        database.sql(&format!("insert into raw select to_char(ts, '{template}'), n from moments"));
        let rows = database.rows("select '\"' || ts || '\",' || n from raw order by n");
        let path = folder.write(&format!("{number}.csv"), format!("ts,n\n{}\n", rows.join("\n")));
        let job = format!("f{number}");
        let more = ["--job", &job, "--timestamp-format", format, "--timezone", "Europe/Berlin"];
        load(&database, &path, &more).exits(0);
        // The template is read in the session's zone, as ours is in --timezone.
        database.assert_same("t", &format!("(select to_timestamp(ts, '{template}') as ts, n from raw)"));
        run(&database, &format!("verify {job}")).exits(0);
    }
}

#[test]
fn each_column_may_have_its_own_format() {
    let database = Database::with("create table t (ts timestamptz, seen timestamp, day date, iso timestamptz)");
    let folder = Folder::new();
    let csv = "ts,seen,day,iso\n1706704496123,31.01.2024 12:00,1706659200,2024-01-31T12:34:56Z\n,,,\n";
    let path = folder.write("a.csv", csv);
    let formats = ["ts=epoch-ms", "seen=%d.%m.%Y %H:%M", "day=epoch-s"];
    let more: Vec<&str> = formats.iter().flat_map(|format| ["--timestamp-format", format]).collect();
    // A count since 1970 is an instant: it is midnight, as a date must be, in --timezone or not at all.
    let elsewhere = [&more[..], &["--timezone", "America/New_York"]].concat();
    load(&database, &path, &elsewhere).exits(1).says(&["a date would lose its time of day"]);
    load(&database, &path, &[&more[..], &["--job", "b"]].concat()).exits(3);
    let rows = database.rows("select * from t");
    assert_eq!(rows, ["2024-01-31 12:34:56.123+00|2024-01-31 12:00:00|2024-01-31|2024-01-31 12:34:56+00"]);
}

#[test]
fn a_text_that_does_not_match_its_format_is_refused_with_its_place() {
    let database = Database::with("create table t (ts timestamptz not null, seen date)");
    let folder = Folder::new();
    let path = folder.write("a.csv", "ts,seen\n31/01/2024,01/02/2024\n2024-01-31,01/02/2024\n");
    let refused = load(&database, &path, &["--timestamp-format", "%d/%m/%Y"]).exits(1);
    refused.says(&["\"2024-01-31\"", "it does not match the format", "record 2, byte 30", "column \"ts\""]);
    let path = folder.write("b.csv", "ts,seen\n31/01/2024,31/02/2024\n");
    let refused = load(&database, &path, &["--timestamp-format", "%d/%m/%Y"]).exits(1);
    refused.says(&["the calendar has no such day", "record 1, byte 8", "column \"seen\""]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn a_format_is_part_of_what_a_job_is_and_must_make_sense() {
    let database = Database::with("create table t (ts timestamptz not null, host text)");
    let path = Folder::new();
    let file = path.write("a.csv", "ts,host\n01/02/2024,a\n");
    load(&database, &file, &["--job", "j", "--timestamp-format", "%d/%m/%Y"]).exits(0);
    let other = load(&database, &file, &["--job", "j", "--timestamp-format", "%m/%d/%Y"]).exits(2);
    other.says(&["--timestamp-format was [\"%d/%m/%Y\"] and is [\"%m/%d/%Y\"]"]);
    load(&database, &file, &["--timestamp-format", "host=epoch-s"]).exits(2).says(&["host, which has a format"]);
    load(&database, &file, &["--timestamp-format", "%d/%m"]).exits(2).says(&["it must have year, month and day"]);
    assert_eq!(database.rows("select ts from t"), ["2024-02-01 00:00:00+00"]);
}

#[test]
fn integers_of_parquet_count_time_by_an_epoch_format() {
    let database = Database::with("create table t (ts timestamptz not null, day date, seen timestamp)");
    let folder = Folder::new();
    let ts = [-1_i64, 0, 1_706_704_496_123, 1_706_745_600_000];
    let days = [0_u32, 86_400, 1_706_659_200, u32::MAX / 86_400 * 86_400];
    let path = write_parquet(
        &folder,
        vec![
            ("ts", Arc::new(Int64Array::from(ts.to_vec()))),
            ("day", Arc::new(UInt32Array::from(days.to_vec()))),
            ("seen", Arc::new(Int64Array::from(vec![None, Some(1), Some(-1), None]))),
        ],
    );
    load(&database, &path, &[]).exits(2).says(&["Int64", "timestamp with time zone"]);
    let formats = ["ts=epoch-ms", "day=epoch-s", "seen=epoch-us"];
    let more: Vec<&str> = formats.iter().flat_map(|format| ["--timestamp-format", format]).collect();
    load(&database, &path, &more).exits(0);
    let expected = [
        "1969-12-31 23:59:59.999+00|1970-01-01|null",
        "1970-01-01 00:00:00+00|1970-01-02|1970-01-01 00:00:00.000001",
        "2024-01-31 12:34:56.123+00|2024-01-31|1969-12-31 23:59:59.999999",
        "2024-02-01 00:00:00+00|2106-02-07|null",
    ];
    assert_eq!(database.rows("select * from t order by ts"), expected);
    run(&database, "verify").exits(0);
}

#[test]
fn nanoseconds_are_refused_or_cut_off_toward_the_past() {
    let database = Database::with("create table t (ts timestamptz not null, at time, span interval)");
    let folder = Folder::new();
    // The first lies a nanosecond before a window's end.
    let ts = [1_704_067_199_999_999_999_i64, 1_704_067_200_000_000_001, 1_704_067_200_000_002_001];
    let path = write_parquet(
        &folder,
        vec![
            ("ts", Arc::new(TimestampNanosecondArray::from(ts.to_vec()).with_timezone("UTC"))),
            ("at", Arc::new(Time64NanosecondArray::from(vec![1_999, 86_399_999_999_999, 0]))),
            ("span", Arc::new(DurationNanosecondArray::from(vec![1_999, -1, 0]))),
        ],
    );
    load(&database, &path, &[]).exits(1).says(&["nanoseconds would be lost"]);
    assert_eq!(database.count("t"), 0);
    load(&database, &path, &["--allow-lossy"]).exits(0);
    let expected = [
        "2023-12-31 23:59:59.999999+00|00:00:00.000001|00:00:00.000001",
        "2024-01-01 00:00:00+00|23:59:59.999999|-00:00:00.000001",
        "2024-01-01 00:00:00.000002+00|00:00:00|00:00:00",
    ];
    assert_eq!(database.rows("select * from t order by ts"), expected);
    run(&database, "verify").exits(0);
    load(&database, &path, &[]).exits(2).says(&["--allow-lossy was true and is null"]);
}
