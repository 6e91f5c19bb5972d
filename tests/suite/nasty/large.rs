//! Nasty files that are too large to be kept: fields, records and headers larger than every buffer, and sequences of bytes
//! that a cut between two pieces falls into.

use crate::harness::{Database, Folder, Output, run};

/// Bytes of a chunk, at whose ends files are cut into pieces.
const CHUNK: usize = 4 << 20;

/// A table for `csv`, and what COPY makes of it.
const TABLES: &str = "create table t (id int, body text); create table expected (like t)";

fn load(database: &Database, folder: &Folder, csv: &[u8], options: &str) -> Output {
    let path = folder.write("large.csv", csv);
    run(database, &format!("load {path} --table t --no-time-column --job large {options}"))
}

/// Loads what COPY takes too, and compares.
#[track_caller]
fn stored_alike(csv: &str) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    load(&database, &folder, csv.as_bytes(), "").exits(0);
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.assert_same("t", "expected");
}

#[test]
fn a_quoted_field_may_be_longer_than_several_pieces() {
    let long = "line, \"\"quoted\"\"\n".repeat(9 * CHUNK / 4 / 16);
    assert!(long.len() > 2 * CHUNK);
    stored_alike(&format!("id,body\n1,before\n2,\"{long}\"\n3,after\n4,\"{long}\"\n"));
}

#[test]
fn quoted_newlines_quotes_and_delimiters_may_stand_at_every_cut() {
    use std::fmt::Write as _;
    let mut csv = "id,body\n".to_owned();
    for row in 0..150_000_u32 {
        let body = ["\n", "\"\"", ",", "\r\n", "é", "\"\",\"\"", "x\n,\"\"\n", "🦀"][row as usize % 8];
        let times = (row as usize * 7) % 23;
        writeln!(csv, "{row},\"{}\"", body.repeat(times)).unwrap();
    }
    assert!(csv.len() > CHUNK);
    stored_alike(&csv);
}

#[test]
fn no_sequence_of_bytes_is_torn_by_a_cut() {
    // What follows stands once at each distance from the cut, so that the cut falls between any two of its bytes.
    let torn = ["2,\"a\"\"b\"\r\n3,\"\r\n\"\r\n4,\"\"\r\n", "2,🦀é\r\n3,\"🦀\"\"\"\r\n4,\r\n"];
    for sequence in torn {
        let (database, folder) = (Database::with(TABLES), Folder::new());
        let mut expected = String::new();
        for shift in 0..=sequence.len() {
            let head = "id,body\r\n1,";
            let mut csv = format!("{head}{}\r\n", "x".repeat(CHUNK - head.len() - 2 - shift));
            csv.push_str(sequence);
            csv.push_str("5,end\r\n");
            let path = folder.write("large.csv", &csv);
            run(&database, &format!("load {path} --table t --no-time-column --job shift{shift} --existing keep"))
                .exits(0);
            let rows =
                database.rows("select id, encode(convert_to(body, 'UTF8'), 'hex') from t where id > 1 order by 1");
            let rows = rows.join("\n");
            if shift == 0 {
                database.copy_csv("expected", "header true", csv.as_bytes());
                let copied = database
                    .rows("select id, encode(convert_to(body, 'UTF8'), 'hex') from expected where id > 1 order by 1");
                expected = copied.join("\n");
            }
            assert_eq!(rows, expected, "{sequence:?}, shifted by {shift}");
            database.sql("truncate t");
        }
    }
}

#[test]
fn a_record_as_long_as_the_limit_is_taken_and_a_longer_one_is_refused_not_cut() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let record = |bytes: usize| format!("7,{}", "y".repeat(bytes - 2));
    let csv = format!("id,body\n1,a\n{}\n3,c\n", record(1 << 20));
    load(&database, &folder, csv.as_bytes(), "--record-bytes 1MiB").exits(0);
    assert_eq!(database.one("select count(*), max(length(body)) from t"), format!("3|{}", (1 << 20) - 2));
    database.sql("truncate t");
    let csv = format!("id,body\n1,a\n{}\n3,c\n", record((1 << 20) + 1));
    let path = folder.write("longer.csv", &csv);
    run(&database, &format!("load {path} --table t --no-time-column --job longer --record-bytes 1MiB"))
        .exits(1)
        .says(&["longer than 1048576 bytes", &format!("{path} record 2, byte 12")]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn a_quote_that_is_never_closed_names_the_byte_that_opened_it_pieces_ago() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let row = "12345,some text of a row\n";
    let (before, after) = (2 * CHUNK / row.len(), CHUNK / row.len());
    let csv = format!("id,body\n{}9,\"open\n{}", row.repeat(before), row.repeat(after));
    let byte = "id,body\n".len() + row.len() * before + 2;
    load(&database, &folder, csv.as_bytes(), "")
        .exits(1)
        .says(&["never closed", &format!("record {}, byte {byte}", before + 1)]);
}

#[test]
fn a_bad_record_far_into_the_file_is_named_by_its_record_and_byte() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let row = "12345,\"some text\nof a row\"\n";
    let before = 9 * CHUNK / 4 / row.len();
    let head = format!("id,body\n{}", row.repeat(before));
    for (bad, says) in [("1,2,3\n", "3 fields, expected 2"), ("1,a\rb\n", "carriage return")] {
        let csv = format!("{head}{bad}{row}");
        let byte = head.len() + bad.find('\r').unwrap_or(0);
        let path = folder.write("large.csv", &csv);
        run(&database, &format!("load {path} --table t --no-time-column --job far{}", bad.len()))
            .exits(1)
            .says(&[says, &format!("record {}, byte {byte}", before + 1)]);
    }
}

#[test]
fn a_header_may_be_longer_than_what_is_read_first() {
    let names: Vec<String> = (0..1600).map(|at| format!("c{at}_{}", "n".repeat(56 - at.to_string().len()))).collect();
    let columns = names.iter().map(|name| format!("{name} int2")).collect::<Vec<_>>().join(", ");
    let (database, folder) =
        (Database::with(&format!("create table t ({columns}); create table expected (like t)")), Folder::new());
    let row = (0..1600).map(|at| at.to_string()).collect::<Vec<_>>().join(",");
    let csv = format!("{}\n{row}\n{}\n", names.join(","), ",".repeat(1599));
    assert!(csv.len() > 96_000);
    load(&database, &folder, csv.as_bytes(), "").exits(0);
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.assert_same("t", "expected");
}

#[test]
fn what_comes_before_the_header_may_be_longer_than_what_is_read_first() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let csv = format!("{}id,body\n1,a\n", "a line of \"prose, skipped\n".repeat(10_000));
    load(&database, &folder, csv.as_bytes(), "--skip-lines 10000").exits(0);
    assert_eq!(database.rows("select * from t"), ["1|a"]);
}

#[test]
fn pieces_of_nothing_but_empty_lines_and_comments_hold_no_row() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let empty = "\n".repeat(CHUNK + 17);
    let comments = "# it's \"open, here\n".repeat(CHUNK / 19 + 100);
    let csv = format!("id,body\n1,a\n{empty}2,b\n{comments}3,\"c\n# d\"\n{empty}");
    load(&database, &folder, csv.as_bytes(), "--comment #").exits(0);
    assert_eq!(database.rows("select id, body from t order by id"), ["1|a", "2|b", "3|c\n# d"]);
}
