//! Values: what is stored is what the server's own COPY stores for the same text, and what it refuses is refused.

use crate::harness::{Database, Folder, run};

/// A CSV of `values` under `ts,v`, each quoted, and one null.
pub(crate) fn csv_of(values: &[&str]) -> String {
    let mut csv = "ts,v\n2024-01-01T00:00:00Z,\n".to_owned();
    for value in values {
        csv.extend(["2024-01-01T00:00:00Z,\"", &value.replace('"', "\"\""), "\"\n"]);
    }
    csv
}

/// Loads `values` into a column of each of these types, in the given COPY format, and compares with `\copy`.
#[track_caller]
pub(crate) fn stored_alike(setup: &str, format: &str, cases: &[(&str, &[&str])]) {
    let (database, folder) = (Database::with(setup), Folder::new());
    for (number, (ty, values)) in cases.iter().enumerate() {
        let table = format!("t{number}");
        database.sql(&format!(
            "create table {table} (ts timestamptz not null, v {ty}); create table expected{number} (like {table})"
        ));
        let csv = csv_of(values);
        let path = folder.write(&format!("{table}.csv"), &csv);
        let job = format!("{path} --table {table} --time-column ts --window 1h --job {table} --json");
        let plan = run(&database, &format!("plan {job}")).exits(0).json();
        assert_eq!(plan["format"], format, "{ty}");
        database.copy_csv(&format!("expected{number}"), "header true", csv.as_bytes());
        run(&database, &format!("load {job}")).exits(0);
        database.assert_same(&table, &format!("expected{number}"));
        run(&database, &format!("verify {table}")).exits(0).prints(&["equal"]);
        let hashed = database.one(&format!("select 'v' = any (hashed) from pgbackfill.jobs where name = '{table}'"));
        assert_eq!(hashed, if format == "binary" { "t" } else { "f" }, "verify compares {ty}");
    }
}

/// Expects each value refused by the server's COPY and by ours, which says where the value stood and stores nothing.
#[track_caller]
fn refused_alike(setup: &str, cases: &[(&str, &[&str])]) {
    let (database, folder) = (Database::with(setup), Folder::new());
    for (number, (ty, values)) in cases.iter().enumerate() {
        let table = format!("t{number}");
        database.sql(&format!(
            "create table {table} (ts timestamptz not null, v {ty}); create table expected{number} (like {table})"
        ));
        for (try_number, value) in values.iter().enumerate() {
            let csv = csv_of(&[value]);
            let path = folder.write(&format!("{number}-{try_number}.csv"), &csv);
            let oracle = database.try_copy_csv(&format!("expected{number}"), "header true", csv.as_bytes());
            assert!(oracle.is_err(), "the server takes {value:?} as {ty}");
            let load = format!("load {path} --table {table} --time-column ts --window 1h --job {number}-{try_number}");
            let byte = csv.len() - csv.lines().last().unwrap().len() - 1;
            let place = format!("{path} record 2, byte {byte}");
            run(&database, &load).exits(1).says(&["column \"v\"", &place]);
            assert_eq!(database.count(&table), 0, "{value:?} as {ty}");
        }
    }
}

#[test]
fn booleans_and_integers_are_stored_as_the_server_reads_them() {
    let cases: [(&str, &[&str]); 4] = [
        ("boolean", &["t", "f", "true", "FALSE", "yes", "no", "on", "off", "1", "0", "y", "tru", " t "]),
        ("smallint", &["-32768", "32767", "0", "-0", "+5", " 7 ", "007"]),
        ("integer", &["-2147483648", "2147483647", "+0", " -12"]),
        ("bigint", &["-9223372036854775808", "9223372036854775807", "00000000000000000000001"]),
    ];
    stored_alike("", "binary", &cases);
}

#[test]
fn floats_are_stored_as_the_server_reads_them() {
    let cases: [(&str, &[&str]); 2] = [
        (
            "real",
            &["1.5", "-0", "NaN", "Infinity", "-inf", "3.4028235e38", "1e-45", "0.1", "16777217", " 2 ", ".5", "5."],
        ),
        (
            "double precision",
            &[
                "0.1",
                "1.7976931348623157e308",
                "5e-324",
                "-0",
                "nan",
                "inf",
                "1234567890123456789",
                "1e23",
                "2.2250738585072011e-308",
            ],
        ),
    ];
    stored_alike("", "binary", &cases);
}

#[test]
fn numerics_keep_every_digit_and_round_as_the_server_rounds() {
    let cases: [(&str, &[&str]); 4] = [
        (
            "numeric",
            &[
                "0",
                "-0",
                "0.00",
                "1.10",
                "1e10",
                "1e-10",
                "NaN",
                "Infinity",
                "-inf",
                " 42 ",
                ".5",
                "5.",
                "10000",
                "0.0001",
                "123456789012345678901234567890.1234567890123456789",
                "-99999999999999999999.9999",
                "1e300",
                "1e-300",
            ],
        ),
        (
            "numeric(10,2)",
            &["1.005", "2.675", "-1.005", "99999999.99", "99999999.994", "1e3", "0.004", "-0.004", "NaN"],
        ),
        ("numeric(5,-2)", &["12345", "150", "50", "49", "-250", "9999949"]),
        ("numeric(3,5)", &["0.00123", "0.001234", "0.001235", "-0.00999"]),
    ];
    stored_alike("", "binary", &cases);
}

#[test]
fn texts_keep_every_letter_and_follow_the_rules_of_their_type() {
    let hazards: &[&str] =
        &["", " ", "a\tb", "a\nb\r\nc", "\\", "\\N", "\\.", "NULL", "\"", "'", "naïve ☃ 🦀", " lead and trail "];
    let cases: [(&str, &[&str]); 5] = [
        ("text", hazards),
        ("varchar", hazards),
        ("varchar(3)", &["abc", "abc   ", "é☃🦀", ""]),
        ("char(5)", &["ab", "ab   ", "", "éé", "abcde   "]),
        ("bpchar", &["ab  ", ""]),
    ];
    stored_alike("", "binary", &cases);
}

#[test]
fn bytes_and_uuids_are_stored_as_the_server_reads_them() {
    let uuids: &[&str] = &[
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    ];
    let bytes: &[&str] = &["\\x", "\\xDEADbeef", "\\x de ad\n00", "plain", "a\\\\b", "\\000\\377", ""];
    stored_alike("", "binary", &[("bytea", bytes), ("uuid", uuids)]);
}

#[test]
fn dates_and_times_are_stored_as_the_server_reads_them() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "date",
            &["2024-02-29", "0001-01-01", "0044-03-15 BC", "infinity", "-infinity", "5874897-12-31", " 2024-01-01 "],
        ),
        ("time", &["00:00", "24:00:00", "23:59:59.999999", "23:59:60", "04:05:06.7891235", "4:5"]),
        ("time(3)", &["04:05:06.7895", "23:59:59.9995", "04:05:06.7894999"]),
        ("timetz", &["04:05:06+02", "04:05:06.123456-08:30", "24:00:00Z", "00:00+15:59", "04:05"]),
        (
            "timestamp",
            &[
                "2024-01-01 00:00",
                "2024-01-01T00:00:00.1234565",
                "0044-03-15 01:02:03 BC",
                "infinity",
                "-infinity",
                "294276-12-31 23:59:59.999999",
                "2024-12-31 23:59:60",
                "2024-12-31 24:00:00",
                "2024-02-29",
            ],
        ),
        (
            "timestamptz",
            &[
                "2024-01-01 00:00+05",
                "2024-01-01 00:00+0530",
                "2024-01-01T00:00:00-05:30",
                "2024-01-01T00:00:00.5Z",
                "2024-06-01 12:00",
                "1900-01-01 00:00:00-00:44:30",
                "infinity",
                "0001-01-01 00:00 BC",
            ],
        ),
        ("timestamptz(0)", &["2024-01-01 00:00:00.5Z", "2024-01-01 00:00:00.499999Z", "2024-12-31T23:59:59.9Z"]),
    ];
    stored_alike("", "binary", &cases);
}

#[test]
fn intervals_are_stored_as_the_server_reads_them() {
    let intervals: &[&str] = &[
        "1 day",
        "1 year 2 mons -3 days 04:05:06.7",
        "P1Y2M3DT4H5M6S",
        "-1:30",
        "1.5 hours",
        "1 minute ago",
        "1 week",
        "100000:00:00",
        "P0Y",
        "-00:00:00.000001",
        "1 year 13 months",
    ];
    let cases: [(&str, &[&str]); 2] =
        [("interval", intervals), ("interval(2)", &["00:00:01.239", "1 day 00:00:00.995"])];
    stored_alike("", "binary", &cases);
}

#[test]
fn json_keeps_its_text_and_jsonb_becomes_what_the_server_makes_of_it() {
    let documents: &[&str] = &[
        r#"{"b": 1,  "a":2, "b": 3}"#,
        "[1, 2 ,[]]",
        "null",
        r#""x""#,
        " 1 ",
        "1.10",
        "-0",
        "1E5",
        "1e-7",
        r#""\u00e9\ud83e\udd80""#,
        r#"{"nested": {"deep": [true, false, null, {"": ""}]}}"#,
        r#"{"long key": 1, "k": 2, "kk": 3}"#,
        r#""a\/b\n\t\"""#,
        "12345678901234567890.123456789",
        "{}",
    ];
    stored_alike("", "binary", &[("json", documents), ("jsonb", documents)]);
}

const NAMED_TYPES: &str = r#"
    create type mood as enum ('sad', 'ok', 'very happy', 'it''s "odd", yes');
    create domain posint as int check (value > 0);
    create domain code as varchar(5) check (value <> 'bad');
    create domain moods as mood;
    create domain price as numeric(8,3);"#;

#[test]
fn enums_and_domains_are_stored_as_the_server_reads_them() {
    let cases: [(&str, &[&str]); 5] = [
        ("mood", &["sad", "very happy", "it's \"odd\", yes"]),
        ("posint", &["1", "2147483647", " 3"]),
        ("code", &["", "abcde", "ab "]),
        ("moods", &["ok"]),
        ("price", &["1.0005", "99999.9994"]),
    ];
    stored_alike(NAMED_TYPES, "binary", &cases);
}

#[test]
fn arrays_are_stored_as_the_server_reads_them() {
    let cases: [(&str, &[&str]); 8] = [
        ("int[]", &["{}", "{1,2,NULL}", "{ 1 , 2 }", "{{1,2},{3,4}}", "[0:1]={7,8}", "[2:2][-1:0]={{1,2}}", "{null}"]),
        (
            "text[]",
            &["{}", "{a,b}", "{\"\",\"NULL\",NULL}", r#"{"a,b","c\"d","e\\f","{}"}"#, "{ spaced out }", "{é,☃}"],
        ),
        ("numeric(6,2)[]", &["{1.005,NaN}", "{{1},{2}}"]),
        ("timestamptz[]", &["{2024-01-01,\"2024-01-01 00:00+05\",infinity}"]),
        ("boolean[]", &["{t,f,yes}"]),
        ("uuid[]", &["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]),
        ("mood[]", &["{sad,\"very happy\"}"]),
        ("jsonb[]", &[r#"{"{\"b\": 1, \"a\": [2]}",NULL}"#]),
    ];
    stored_alike(NAMED_TYPES, "binary", &cases);
}

#[test]
fn types_without_a_binary_form_here_go_as_text_and_the_plan_says_so() {
    let cases: [(&str, &[&str]); 3] =
        [("tsvector", &["a fat cat"]), ("box", &["(1,2),(3,4)"]), ("tsvector[]", &["{a,NULL}"])];
    stored_alike("", "text", &cases);
    let (database, folder) =
        (Database::with("create table t (ts timestamptz not null, words tsvector, note text)"), Folder::new());
    let path = folder.write("a.csv", "ts,words,note\n2024-01-01,a b,x\n");
    let plan = format!("plan {path} --table t --time-column ts");
    run(&database, &plan).exits(0).prints(&[
        "by COPY text",
        "no binary form here for words (tsvector)",
        "cannot compare",
        "no\n",
    ]);
}

#[test]
fn every_text_survives_a_table_that_goes_as_text() {
    let setup = "create table t (words tsvector, ts timestamptz not null, ip inet, note text, more bytea);
                 create table expected (like t)";
    let (database, folder) = (Database::with(setup), Folder::new());
    let csv = "words,ts,ip,note,more\n\
               a b,2024-01-01 00:00:00.123456+05,::1,\"tab\there\",\\x00ff\n\
               a b,2024-01-01,,\"line\nend\r\n\",a\\\\b\n\
               a b,2024-01-01,10.0.0.1,\\N,\n\
               a b,2024-01-01,10.0.0.1,\"\\.\",\"\"\n\
               a b,2024-01-01,10.0.0.1,\"\",\n\
               a b,2024-01-01,10.0.0.1,back\\slash\\,\n\
               a b,2024-01-01,10.0.0.1,naïve ☃ \u{b},\n";
    let path = folder.write("a.csv", csv);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h")).exits(0);
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0);
}

#[test]
fn numbers_that_the_server_refuses_are_refused_with_their_place() {
    let cases: [(&str, &[&str]); 7] = [
        ("boolean", &["maybe", "2", ""]),
        ("smallint", &["32768", "-32769", "1.0", "", "1e2"]),
        ("integer", &["2147483648", "one", "0x"]),
        ("bigint", &["9223372036854775808", "- 1"]),
        ("real", &["1e39", "1e-50", "1,5"]),
        ("double precision", &["1e309", "", "1.2.3"]),
        ("numeric(5,2)", &["1000", "999.995", "Infinity", "abc", ""]),
    ];
    refused_alike("", &cases);
}

#[test]
fn texts_that_the_server_refuses_are_refused_with_their_place() {
    let cases: [(&str, &[&str]); 9] = [
        ("varchar(3)", &["abcd", "☃☃☃☃"]),
        ("char(2)", &["abc"]),
        ("text", &["nul \0 byte"]),
        ("bytea", &["\\xabc", "\\xzz", "\\9"]),
        ("uuid", &["a0eebc99", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g"]),
        ("json", &["{", "{'a': 1}", "", "1 2"]),
        ("jsonb", &["[1,]", "\"\\u0000\"", "nul"]),
        ("mood", &["SAD", "sad ", ""]),
        ("int[]", &["1,2", "{1,2", "{1,x}", "{{1},{2,3}}", "{1}x"]),
    ];
    refused_alike(NAMED_TYPES, &cases);
}

#[test]
fn times_that_the_server_refuses_are_refused_with_their_place() {
    let cases: [(&str, &[&str]); 6] = [
        ("date", &["2023-02-29", "2024-13-01", "yesterday was fine", "", "5874898-01-01"]),
        ("time", &["24:00:01", "25:00", "12:60"]),
        ("timestamp", &["2024-01-32 00:00", "294277-01-01", "2024-01-01 25:00", ""]),
        ("timestamptz", &["2024-01-01 00:00+99", "2024-01-01 00:00 Nowhere/City", "4714-01-01 BC"]),
        ("timetz", &["04:05:06+17"]),
        ("interval", &["1 fortnite", "", "P", "1e100 years"]),
    ];
    refused_alike("", &cases);
}

#[test]
fn a_value_that_a_domain_refuses_is_refused_and_nothing_is_stored() {
    let (database, folder) = (Database::with(NAMED_TYPES), Folder::new());
    database.sql("create table t (ts timestamptz not null, v posint)");
    let path = folder.write("a.csv", csv_of(&["3", "0"]));
    let load = format!("load {path} --table t --time-column ts");
    run(&database, &load).exits(1).says(&["posint", "\"v\"", "23514"]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn a_zone_is_that_of_the_command_line_and_never_of_server_or_machine() {
    let setup = "create table t (ts timestamptz not null, v timestamptz); create table expected (like t)";
    let (database, folder) = (Database::with(setup), Folder::new());
    database.sql("alter database current set timezone = 'Asia/Tokyo'".replace("current", database.name()).as_str());
    let csv = "ts,v\n2024-03-31 02:30,2024-10-27 02:30\n2024-07-01,2024-01-01 12:00Z\n1880-01-01 00:00,1880-01-01\n";
    let path = folder.write("a.csv", csv);
    run(&database, &format!("load {path} --table t --time-column ts --window '1 month' --timezone Europe/Berlin"))
        .exits(0);
    database.sql("set timezone = 'Europe/Berlin'");
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0);
}
