//! Real data from end to end: loaded, compared with `\copy` of the same data, verified, changed by hand, taken back.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::harness::{Database, Folder, METRICS, flights, metrics, run, weather};

const WEATHER: &str = "
    create table weather (
      origin text not null, year int not null, month smallint, day smallint, hour smallint, temp float8, dewp real,
      humid numeric, wind_dir smallint, wind_speed float8, wind_gust float8, precip numeric(4,2), pressure numeric(5,1),
      visib float8, time_hour timestamptz not null);
    create index on weather (time_hour);
    create table expected (like weather);";

const FLIGHTS: &str = "
    create table flights (
      year smallint, month smallint not null, day smallint, dep_time int, sched_dep_time int, dep_delay numeric,
      arr_time int, sched_arr_time int, arr_delay float8, carrier varchar(2), flight int, tailnum text, origin char(3),
      dest char(3), air_time real, distance bigint, hour smallint, minute smallint, time_hour timestamptz not null);
    create index on flights (time_hour);
    create table expected (like flights);";

/// Weather loaded by the month.
fn loaded_weather() -> (Database, String) {
    let (database, weather) = (Database::with(WEATHER), weather());
    let load = format!(
        "load {} --table weather --time-column time_hour --window '1 month' --null NA --workers 2",
        weather.path
    );
    run(&database, &load).exits(0);
    (database, load)
}

fn steps(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["step"].as_str()).collect()
}

/// CSV of every Parquet file in the folders of `folder`, each with the value of its folder's name as `month`.
fn parquet_as_csv(folder: &Path) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let options = FormatOptions::default().with_null("");
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let month = entry.file_name().to_str().unwrap().trim_start_matches("month=").to_owned();
        let file = File::open(entry.path().join("part-0.parquet")).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap) {
            let columns: Vec<ArrayRef> = batch.columns().iter().map(at_offset_zero).collect();
            let columns: Vec<ArrayFormatter<'_>> =
                columns.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                csv.write_record(columns.iter().map(|column| column.value(row).to_string()).chain([month.clone()]))
                    .unwrap();
            }
        }
    }
    csv.into_inner().unwrap()
}

/// Times of UTC by name as those of UTC by offset, which can be printed without a table of zones.
fn at_offset_zero(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Arc::new(times.clone().with_timezone("+00:00")),
        None => Arc::clone(column),
    }
}

#[test]
fn weather_by_the_month_equals_a_copy_of_it() {
    let (database, weather) = (Database::with(WEATHER), weather());
    let load =
        format!("load {} --table weather --time-column time_hour --window '1 month' --null NA --json", weather.path);
    let summary = run(&database, &load).exits(0).summary();
    assert_eq!(summary["rows"], weather.rows);
    database.copy_csv("expected", "header true, null 'NA'", &fs::read(&weather.path).unwrap());
    assert_eq!(database.count("expected"), weather.rows);
    database.assert_same("weather", "expected");
    // The only file is one piece, which may hold rows of every month between its oldest and its newest.
    let months = "select count(*) from (select min(time_hour at time zone 'UTC'), max(time_hour at time zone 'UTC') from expected) e,
                    generate_series(date_trunc('month', e.min), e.max, interval '1 month')";
    assert_eq!(summary["windows"].to_string(), database.one(months));
    run(&database, "verify").exits(0).prints(&["equal"]);
}

#[test]
fn flights_by_the_week_equal_a_copy_of_them_with_the_months_of_their_folders() {
    let (database, flights) = (Database::with(FLIGHTS), flights());
    let load = format!("load {} --table flights --time-column time_hour --window 7d --json", flights.path);
    let summary = run(&database, &load).exits(0).summary();
    assert_eq!(summary["rows"], flights.rows);
    let columns = "year, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay, carrier, flight, \
                   tailnum, origin, dest, air_time, distance, hour, minute, time_hour, month";
    database.copy_csv(&format!("expected ({columns})"), "", &parquet_as_csv(Path::new(&flights.path)));
    database.assert_same("flights", "expected");
    let sums =
        |table: &str| database.one(&format!("select count(*), sum(month), sum(distance), sum(dep_delay) from {table}"));
    assert_eq!(sums("flights"), sums("expected"));
    run(&database, "verify").exits(0).prints(&["equal"]);
    let again = run(&database, &load).exits(0);
    assert_eq!((&again.summary()["windows"], &again.summary()["rows"]), (&0.into(), &0.into()));
}

#[test]
fn a_re_run_loads_nothing_and_opens_no_object() {
    let folder = Folder::new();
    let path = folder.write("weather.csv", fs::read(weather().path).unwrap());
    let database = Database::with(WEATHER);
    let load = format!("load {path} --table weather --time-column time_hour --window '1 month' --null NA --json");
    let first = run(&database, &load).exits(0);
    assert!(steps(&first.events()).iter().any(|step| step.contains("opening")), "{first:?}");
    assert!(steps(&first.events()).iter().any(|step| step.contains("profiling")), "{first:?}");
    let again = run(&database, &load).exits(0);
    let events = again.events();
    assert!(steps(&events).iter().all(|step| ["connecting", "listing the source"].contains(step)), "{events:#?}");
    let summary = again.summary();
    assert_eq!((&summary["windows"], &summary["rows"], &summary["bytes"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(summary["progress"], first.summary()["progress"]);
}

#[test]
fn a_row_deleted_by_hand_makes_verify_name_its_window() {
    let (database, _) = loaded_weather();
    database.sql("delete from weather where ctid = (select ctid from weather order by time_hour desc, origin limit 1)");
    let month = database.one(
        "select to_char(m, 'YYYY-MM-DD') || ', ' || to_char(m + interval '1 month', 'YYYY-MM-DD')
           from (select date_trunc('month', max(time_hour) at time zone 'UTC') m from weather) w",
    );
    let found = run(&database, "verify").exits(5);
    let named: Vec<&str> = found.stdout.lines().filter(|line| line.starts_with("window ")).collect();
    assert_eq!(named.len(), 1, "{found:?}");
    assert!(named[0].contains(&format!("[{month})")), "{named:?} lacks {month}");
}

#[test]
fn one_value_changed_by_hand_makes_verify_name_its_window() {
    let (database, _) = loaded_weather();
    let changed = "where ctid = (select ctid from weather order by time_hour, origin limit 1)";
    // An update gives the row another transaction: it is no longer the job's. With the old one, only its value differs.
    database.sql(&format!("update weather set temp = temp + 0.01 {changed}"));
    let found = run(&database, "verify --json").exits(5);
    let differences = &found.events().pop().unwrap()["differences"];
    assert_eq!(differences.as_array().unwrap().len(), 1, "{differences}");
}

#[test]
fn a_value_that_differs_from_what_was_sent_is_found_though_all_rows_are_there() {
    let (database, _) = loaded_weather();
    // What verification compares with is the ledger: a row hash that is off by one stands for any changed value.
    database.sql(
        "update pgbackfill.windows set row_hash = set_byte(row_hash, 15, (get_byte(row_hash, 15) + 1) % 256) where number = 0",
    );
    run(&database, "verify").exits(5).prints(&["values differ"]);
}

#[test]
fn undo_deletes_exactly_what_the_job_loaded() {
    let (database, weather) = (Database::with(WEATHER), weather());
    let others =
        "insert into expected select 'XXX', 2013, 1, 1, n % 24, n, null, null, null, null, null, null, null, null, \
                  timestamptz '2013-06-01' + n * interval '1 hour' from generate_series(1, 500) n;
                  insert into weather table expected";
    database.sql(others);
    let load = format!(
        "load {} --table weather --time-column time_hour --window '1 month' --null NA --existing keep --job june",
        weather.path
    );
    run(&database, &load).exits(0);
    database.sql("update weather set temp = 1 where origin = 'XXX'; update expected set temp = 1");
    assert_eq!(database.count("weather"), weather.rows + 500);
    run(&database, "undo june").exits(0);
    database.assert_same("weather", "expected");
    run(&database, "status june").exits(2);
    run(&database, &load).exits(0);
    assert_eq!(database.count("weather where origin <> 'XXX'"), weather.rows);
    run(&database, "verify june").exits(0);
}

#[test]
fn status_shows_the_frontier_and_every_window() {
    let (database, load) = loaded_weather();
    let end = database.one("select to_char(date_trunc('month', max(time_hour) at time zone 'UTC') + interval '1 month', 'YYYY-MM-DD') from weather");
    let windows = database.one("select count(*) from pgbackfill.windows");
    run(&database, "status").exits(0).prints(&[
        &format!("frontier  every window before {end} is loaded"),
        &format!("{windows} loaded, 0 open, 0 skipped, 0 failed, of {windows}"),
    ]);
    let status = run(&database, "status --json").exits(0).json();
    assert_eq!(status["frontier"], end);
    assert_eq!(status["progress"]["rows"].to_string(), database.count("weather").to_string());
    // With a window taken back the frontier stands before it, however much is loaded after it.
    let first = database
        .one("select to_char(date_trunc('month', min(time_hour) at time zone 'UTC'), 'YYYY-MM-DD') from weather");
    database.sql("update pgbackfill.windows set state = 'pending' where number = 0");
    run(&database, "status").prints(&[&format!("frontier  every window before {first} is loaded"), "1 open"]);
    // And it is loaded again, no row twice.
    let rows = database.count("weather");
    run(&database, &load).exits(0);
    assert_eq!(database.count("weather"), rows);
    run(&database, "verify").exits(0);
}

#[test]
fn a_frozen_table_verifies_and_is_undone_all_the_same() {
    let (database, _) = loaded_weather();
    database.sql("vacuum (freeze, full) weather");
    run(&database, "verify").exits(0);
    database.sql("vacuum freeze weather");
    run(&database, "verify").exits(0);
    let job = database.one("select name from pgbackfill.jobs");
    run(&database, &format!("undo {job}")).exits(0);
    assert_eq!(database.count("weather"), 0);
}

#[test]
fn a_batch_holds_no_more_rows_and_bytes_than_asked_for() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(60_000, 360));
    // In windows that are read piece by piece, and in so many that the source is spooled.
    for window in ["6h", "1h"] {
        database.sql("truncate metrics; drop schema if exists pgbackfill cascade");
        let load = format!("load {path} --table metrics --time-column ts --window {window} --json");
        let most = |limit: &str, counted: &str| {
            let loaded = run(&database, &format!("{load} {limit} --existing keep --job 'j {limit}'")).exits(0);
            loaded.events_named("batch").iter().map(|event| event[counted].as_u64().unwrap()).max().unwrap()
        };
        let rows = most("--batch-rows 2000", "rows");
        assert!(rows <= 2000, "a batch of {rows} rows");
        let bytes = most("--batch-bytes 200kB", "bytes");
        assert!(bytes <= 200_000, "a batch of {bytes} bytes");
    }
}

#[test]
fn a_source_in_order_of_time_is_not_said_to_be_in_none() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(20_000, 360));
    let plan = run(&database, &format!("plan {path} --table metrics --time-column ts --window 10min")).exits(0);
    assert!(plan.stdout.contains(", in order of time"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("not in order of time"), "{}", plan.stdout);
}
