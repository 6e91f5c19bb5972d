//! Databases that do not keep their text in UTF-8: texts are stored as the server's own COPY stores them, or refused.

use std::fmt::Write as _;

use crate::harness::{Database, Folder, run};

/// Loads texts beside the server's COPY into a database of an encoding, and compares tables and row hashes.
#[track_caller]
fn stored_alike(encoding: &str, texts: &[&str]) {
    let database = Database::with_encoding(encoding);
    assert_eq!(database.one("show server_encoding"), encoding);
    let label = texts[0];
    database.sql(&format!(
        "create type word as enum ('{label}', 'plain');
         create table t (ts timestamptz not null, a text, b varchar(4), c char(6), d jsonb, e word, f text[]);
         create table expected (like t)"
    ));
    let mut csv = "ts,a,b,c,d,e,f\n".to_owned();
    for (second, text) in texts.iter().enumerate() {
        let json = format!("{{\"\"{text}\"\": \"\"{text}\"\", \"\"ab\"\": 1, \"\"z\"\": [\"\"{text}\"\"]}}");
        let line = format!("2024-01-01T00:00:{second:02}Z,{text},{text},{text},\"{json}\",{label},\"{{{text}}}\"");
        writeln!(csv, "{line}").unwrap();
    }
    database.copy_csv("expected", "header true", csv.as_bytes());
    let folder = Folder::new();
    let path = folder.write("a.csv", &csv);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h")).exits(0);
    database.assert_same("t", "expected");
    assert_eq!(database.count("t where octet_length(c) < 6"), 0, "char is padded by characters");
    run(&database, "verify").exits(0).prints(&["equal"]);
}

#[test]
fn texts_are_stored_in_the_encoding_of_the_database() {
    stored_alike("LATIN1", &["é", "ÿü", "abcd", "ñandú".split_at(4).0]);
    stored_alike("WIN1252", &["€", "“é”", "š", "ab"]);
    stored_alike("EUC_JP", &["日本", "テスト", "abc", "漢字かな"]);
    stored_alike("UTF8", &["é", "日本☃🦀", "abc"]);
}

#[test]
fn a_character_that_the_encoding_lacks_is_refused() {
    let (database, folder) = (Database::with_encoding("LATIN1"), Folder::new());
    database.sql("create table t (ts timestamptz not null, a text)");
    let path = folder.write("a.csv", "ts,a\n2024-01-01Z,fine\n2024-01-02Z,☃\n");
    let refused = run(&database, &format!("load {path} --table t --time-column ts --window 1d")).exits(1);
    let refused = refused.says(&["has no equivalent in encoding \"LATIN1\"", "22P05"]);
    refused.says(&["record 2, byte 22"]);
    assert_eq!(database.rows("select a from t"), ["fine"], "the window before it stays");
    let load = format!("load {path} --table t --time-column ts --window 1d --max-rejects 1 --json");
    run(&database, &load).exits(3);
    let rejects = "select record, sqlstate, column_name, encode(raw, 'hex') like '%e29883' from pgbackfill.rejects";
    assert_eq!(database.rows(rejects), ["2|22P05|a|t"]);
}

#[test]
fn a_reason_that_the_encoding_lacks_letters_of_is_spelled_out_and_no_good_row_is_blamed() {
    let good = (0..300).map(|row| format!("{row},2024-01-01Z,fine\n")).collect::<Vec<_>>().concat();
    let (database, folder) = (Database::with_encoding("LATIN1"), Folder::new());
    database.sql("create table t (id int, ts timestamptz not null, s text)");
    let path = folder.write("a.csv", format!("id,ts,s\n表,2024-01-01Z,a\n5,表,a\n{good}"));
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    run(&database, &format!("{load} --max-rejects 1")).exits(1).says(&["allows no more"]);
    run(&database, &format!("{load} --max-rejects 2")).exits(3);
    assert_eq!(database.count("t"), 300);
    let reasons = database.rows("select record, reason like '%\\u{8868}%' from pgbackfill.rejects order by 1");
    assert_eq!(reasons, ["1|t", "2|t"]);
    // What a window failed for is kept as well.
    let path = folder.write("b.csv", "id,ts,s\n表,2024-01-01Z,a\n");
    let load = format!("load {path} --table t --time-column ts --window 1d --job k --existing keep");
    run(&database, &load).exits(1).says(&["表"]);
    let failed = "select state, error like '%\\u{8868}%' from pgbackfill.windows w join pgbackfill.jobs j on j.id = w.job_id where name = 'k'";
    assert_eq!(database.rows(failed), ["failed|t"]);
}

#[test]
fn a_database_without_an_encoding_is_refused_before_anything_is_read() {
    let (database, folder) = (Database::with_encoding("SQL_ASCII"), Folder::new());
    database.sql("create table t (ts timestamptz not null, a text)");
    let path = folder.write("a.csv", "ts,a\n2024-01-01Z,é\n");
    let refused = run(&database, &format!("load {path} --table t --time-column ts --window 1d")).exits(2);
    refused.says(&["SQL_ASCII", "hint: "]);
    assert_eq!(database.one("select count(*) from pg_namespace where nspname = 'pgbackfill'"), "0");
}

#[test]
fn a_database_that_does_not_speak_utf_8_is_refused() {
    let (server, folder) = (Database::new(), Folder::new());
    let name = format!("{}_mule", server.name());
    server.sql(&format!(
        "create database {name} template template0 encoding 'MULE_INTERNAL' lc_collate 'C' lc_ctype 'C'"
    ));
    let path = folder.write("a.csv", "ts,a\n2024-01-01Z,é\n");
    let url = server.url().replace(&format!("/{}?", server.name()), &format!("/{name}?"));
    let load = format!("load {path} --table t --time-column ts --window 1d");
    let refused = crate::harness::run_at(&url, &load).exits(2);
    refused.says(&["MULE_INTERNAL", "hint: "]);
    server.sql(&format!("drop database {name}"));
}
