//! Encodings: what `--encoding` reads is what the server's `convert_from` makes of the same bytes, and so are refusals.

use std::fmt::Write as _;

use pgbackfill::format::csv::Encoding;

use crate::harness::{Database, Folder, run};

const TABLES: &str = "
    create table t (ts timestamptz not null, host text, value float8, note text);
    create index on t (ts);
    create table expected (like t)";

/// Each encoding with the server's name for it; `macintosh` has none there.
const ENCODINGS: [(&str, &str); 30] = [
    ("windows-1250", "WIN1250"),
    ("windows-1251", "WIN1251"),
    ("windows-1252", "WIN1252"),
    ("windows-1253", "WIN1253"),
    ("windows-1254", "WIN1254"),
    ("windows-1255", "WIN1255"),
    ("windows-1256", "WIN1256"),
    ("windows-1257", "WIN1257"),
    ("windows-1258", "WIN1258"),
    ("windows-874", "WIN874"),
    ("iso-8859-1", "LATIN1"),
    ("iso-8859-2", "LATIN2"),
    ("iso-8859-3", "LATIN3"),
    ("iso-8859-4", "LATIN4"),
    ("iso-8859-5", "ISO_8859_5"),
    ("iso-8859-6", "ISO_8859_6"),
    ("iso-8859-7", "ISO_8859_7"),
    ("iso-8859-8", "ISO_8859_8"),
    ("iso-8859-9", "LATIN5"),
    ("iso-8859-10", "LATIN6"),
    ("iso-8859-13", "LATIN7"),
    ("iso-8859-14", "LATIN8"),
    ("iso-8859-15", "LATIN9"),
    ("iso-8859-16", "LATIN10"),
    ("koi8-r", "KOI8R"),
    ("koi8-u", "KOI8U"),
    ("ibm866", "WIN866"),
    ("shift_jis", "SJIS"),
    ("gbk", "GBK"),
    ("euc-kr", "UHC"),
];

/// The server's reading of `bytes`, in hexadecimal UTF-8; null where it refuses them.
const CONVERT: &str = "
    create function convert(bytes bytea, encoding name) returns text language plpgsql as $$
    begin
        return encode(convert_to(convert_from(bytes, encoding), 'UTF8'), 'hex');
    exception when others then
        return null;
    end $$";

fn ours(encoding: &Encoding, bytes: &[u8]) -> Option<String> {
    let text = encoding.decode(bytes).ok()?;
    Some(text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    }))
}

#[test]
fn every_byte_and_every_pair_of_bytes_means_what_it_means_to_the_server() {
    let database = Database::with(CONVERT);
    for (name, server) in ENCODINGS {
        let encoding = Encoding::named(name).unwrap();
        let has_pairs = ["shift_jis", "gbk", "euc-kr"].contains(&name);
        let mut texts: Vec<Vec<u8>> = (1..=0xff_u8).map(|byte| vec![byte]).collect();
        if has_pairs {
            texts.extend((0x80..=0xff_u8).flat_map(|one| (1..=0xff_u8).map(move |two| vec![one, two])));
        }
        let numbers = if has_pairs {
            "generate_series(1, 255) union all select n from generate_series(32768, 65535) n where n % 256 > 0"
        } else {
            "generate_series(1, 255)"
        };
        let theirs = database.rows(&format!(
            "select coalesce(convert(decode(case when n < 256 then lpad(to_hex(n), 2, '0') else to_hex(n) end, 'hex'), '{server}'), 'refused')
               from (select {numbers}) numbers (n) order by n"
        ));
        assert_eq!(theirs.len(), texts.len());
        for (text, theirs) in texts.iter().zip(theirs) {
            let ours = ours(&encoding, text).unwrap_or_else(|| "refused".to_owned());
            assert_eq!(ours, theirs, "{text:x?} in {name}");
        }
    }
}

/// Two rows as the server's own CSV, in UTF-8, with letters that all the encodings here have.
const ROWS: &str = "2024-01-01T00:00:00Z,a,1.5,\"one\ntwo\"\n2024-01-01T01:30:00Z,é,2.5,\"ü, \"\"ß\"\"\"\n";

fn with_header(rows: &str) -> String {
    format!("ts,host,value,note\n{rows}")
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[track_caller]
fn loads_as(options: &str, csv: impl AsRef<[u8]>, plain: &str) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", csv);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h {options}")).exits(0);
    database.copy_csv("expected", "", plain.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify").exits(0);
}

#[test]
fn text_is_loaded_from_the_encoding_that_is_declared() {
    for name in ["windows-1252", "latin1", "iso-8859-15", "macintosh"] {
        let csv = Encoding::named(name).unwrap().encode(&with_header(ROWS)).unwrap();
        loads_as(&format!("--encoding {name}"), csv, ROWS);
    }
    let rows = "2024-01-01T00:00:00Z,ソ表,1.5,\"ﾃ,ｽ\"\n";
    loads_as("--encoding sjis", Encoding::named("sjis").unwrap().encode(&with_header(rows)).unwrap(), rows);
    let section = with_header(ROWS).replace("é,2.5,", "é§2.5§").replace("Z,", "Z§").replace("a,1.5,", "a§1.5§");
    let section = section.replace("ts,host,value,", "ts§host§value§");
    loads_as("--encoding latin1 --delimiter §", Encoding::named("latin1").unwrap().encode(&section).unwrap(), ROWS);
}

#[test]
fn utf_16_is_loaded_with_a_mark_or_a_declared_order_of_bytes() {
    let text = with_header(ROWS);
    loads_as("--encoding utf-16", utf16(&format!("\u{feff}{text}")), ROWS);
    loads_as("--encoding utf-16le", utf16(&text), ROWS);
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    loads_as("--encoding utf-16be", big, ROWS);
    let row = |row: usize| format!("2024-01-01T00:00:00Z,host 🦀 {row},,{}\n", "世".repeat(row % 200));
    let long: String = (0..40_000).map(row).collect();
    let object = utf16(&format!("\u{feff}{}Total 🦀\n", with_header(&long)));
    assert!(object.len() > 9 << 20, "several chunks");
    loads_as("--encoding utf-16 --footer-lines 1", object, &long);
}

#[test]
fn names_of_columns_null_marks_and_faults_are_in_the_encoding() {
    let (database, folder) = (Database::with("create table t (время timestamptz, имя text)"), Folder::new());
    let encoding = Encoding::named("cp1251").unwrap();
    let path = folder.write("a.csv", encoding.encode("время,имя\n2024-01-01,нет\n2024-01-02,да\n").unwrap());
    run(&database, &format!("load {path} -t t -c время --encoding CP1251 --null нет")).exits(0);
    assert_eq!(database.rows("select имя from t order by 1"), ["да", "null"]);
    let path = folder.write("b.csv", encoding.encode("время,имя\nзавтра,x\n").unwrap());
    let load = format!("load {path} -t t -c время --encoding cp1251 --existing keep");
    run(&database, &load).exits(1).says(&["\"завтра\" is not a timestamp", "record 1, byte 10"]);
}

/// Loads `csv`, which must be refused with these texts.
#[track_caller]
fn refuses(options: &str, csv: impl AsRef<[u8]>, code: i32, texts: &[&str]) {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", csv);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h {options}")).exits(code).says(texts);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn what_contradicts_the_declared_encoding_is_refused_and_never_guessed() {
    let marked = utf16(&format!("\u{feff}{}", with_header(ROWS)));
    refuses("", &marked, 1, &["UTF-16LE", "UTF-8", "--encoding utf-16"]);
    refuses("--encoding utf-16be", &marked, 1, &["UTF-16LE", "UTF-16BE"]);
    refuses("--encoding utf-16", utf16(&with_header(ROWS)), 1, &["no byte order mark", "--encoding utf-16le"]);
    refuses("--encoding windows-1252", format!("\u{feff}{}", with_header(ROWS)), 1, &["UTF-8", "windows-1252"]);
    let bad = b"ts,host,value,note\n2024-01-01,a,1,b\n2024-01-02,x\x81y,1,b\n";
    refuses(
        "--encoding windows-1252",
        bad,
        1,
        &["invalid byte sequence for windows-1252", "\"host\"", "record 2, byte 48"],
    );
    refuses("", bad, 1, &["invalid byte sequence for UTF-8", "byte 48", "--encoding"]);
    refuses("--encoding iso-2022-jp", "", 2, &["is not read", "iconv"]);
    refuses("--encoding klingon", "", 2, &["no encoding called klingon", "windows-1252"]);
    refuses("--encoding gbk --delimiter |", "", 2, &["second half of a character"]);
    refuses("--encoding latin1 --delimiter ж", "", 2, &["cannot be the delimiter"]);
}

#[test]
fn a_resume_in_another_encoding_is_refused_and_another_spelling_is_none() {
    let (database, folder) = (Database::with(TABLES), Folder::new());
    let path = folder.write("a.csv", with_header("2024-01-01,a,1,b\n"));
    let load = format!("load {path} -t t -c ts");
    run(&database, &format!("{load} --encoding cp1252")).exits(0);
    run(&database, &format!("{load} --encoding WINDOWS-1252")).exits(0);
    run(&database, &load).exits(2).says(&["--encoding was \"windows-1252\" and is null"]);
}

#[test]
fn rejects_are_exported_in_the_encoding_of_their_object_and_those_of_utf_16_in_utf_8() {
    let text = "ts,host,value,note\n2024-01-01,é,x,ü\n2024-01-02,é,1,ü\nsoon,ß,1,ü\n2024-01-03,é\n";
    let mended = "ts,host,value,note\n2024-01-01,é,7,ü\n2024-01-04,ß,1,ü\n2024-01-03,é,,\n";
    for (name, object) in [
        ("latin1", Encoding::named("latin1").unwrap().encode(text).unwrap()),
        ("utf-16", utf16(&format!("\u{feff}{text}"))),
    ] {
        let (database, folder) = (Database::with(TABLES), Folder::new());
        let path = folder.write("a.csv", &object);
        let load = format!("load {path} -t t -c ts --window 1d --encoding {name} --job j --max-rejects 9");
        run(&database, &load).exits(3);
        let reasons = "select record, byte, reason from pgbackfill.rejects order by record";
        let at = |record: &str| {
            let position = text.find(record).unwrap();
            let units = text[..position].chars().count();
            if name == "utf-16" { 2 + 2 * units } else { units }
        };
        let places: Vec<String> =
            database.rows(reasons).iter().map(|row| row.split('|').take(2).collect::<Vec<_>>().join("|")).collect();
        let expected = [("1", "2024-01-01"), ("3", "soon"), ("4", "2024-01-03")];
        assert_eq!(places, expected.map(|(record, text)| format!("{record}|{}", at(text))), "{name}");
        let raw = database.rows("select encode(raw, 'hex') from pgbackfill.rejects order by record");
        let kept = |line: &str| {
            if name == "utf-16" {
                line.as_bytes().to_vec()
            } else {
                Encoding::named(name).unwrap().encode(line).unwrap()
            }
        };
        let lines = ["2024-01-01,é,x,ü", "soon,ß,1,ü", "2024-01-03,é"];
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert_eq!(raw, lines.map(|line| hex(kept(line))), "{name}");
        let path = folder.write("mended.csv", kept(mended));
        let encoding = if name == "utf-16" { "utf-8" } else { name };
        run(&database, &format!("load {path} -t t -c ts --encoding {encoding} --job mended --existing keep")).exits(0);
        database.copy_csv("expected", "header true", format!("{mended}2024-01-02,é,1,ü\n").as_bytes());
        database.assert_same("t", "expected");
    }
}
