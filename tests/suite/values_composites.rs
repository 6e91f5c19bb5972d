//! Values of composite types, enums and domains, and arrays of them: hazards of each, judged by the server.

use crate::harness::{Database, Folder, run};
use crate::hazards::{Hazards, agree};
use crate::values::{csv_of, stored_alike};

const TYPES: &str = r#"
    create type mood as enum ('', 'sad', 'very happy', 'it''s "odd", yes', 'a,b', '(x)', '{y}', '\', '☃', 'NULL', 'null ');
    create type pair as (a int, b text);
    create type "Odd ""Type"" name" as ("A b" int, "c""d" varchar(3), e numeric(5,2), f timestamptz);
    create type nested as (p pair, ps pair[], m mood, r int4range, j jsonb);
    create type lossy as (a int, gone text, b char(3), lost int, c bit(2));
    alter type lossy drop attribute gone;
    alter type lossy drop attribute lost;
    create type single as (a text);
    create type worded as (a int, w tsvector);
    create table whole (id bigint, note text);
    create domain posint as int check (value > 0);
    create domain code as varchar(5) check (value <> 'bad');
    create domain price as numeric(8,3);
    create domain moods as mood check (value <> 'sad');
    create domain ordered as pair check ((value).a is null or (value).a < 100);
    create domain few as int[] check (coalesce(array_length(value, 1), 0) < 4);
    create domain fewer as few check (value[1] is null or value[1] > 0);
    create domain posints as posint[];
    create type checked as (n posint, c code, p price);"#;

const COMPOSITES: [Hazards; 9] = [
    (
        "pair",
        &[
            "(1,x)",
            "(,)",
            "(1,)",
            "(,x)",
            "(1,\"\")",
            "(1,\"a b\")",
            "(1,\"a\"\"b\")",
            "(1,\"a\\\"b\")",
            "(1,a\\,b)",
            "(1,\"x,\\\\ y\")",
            " (1,x) ",
            "( 1 , x )",
            "(1,\" x \")",
            "(1,NULL)",
            "(NULL,x)",
            "(1,(2))",
            "(1,\"(2)\")",
            "(1,(2)",
            "(1,x,y)",
            "(1)",
            "()",
            "1,x",
            "(1,x",
            "(1,x)y",
            "(x,1)",
            "",
            "(99999999999,x)",
            "(\"1\",x)",
            "(1,\"multi\nline\")",
            "(1,naïve ☃)",
            "(1,\\)",
            "(1,\"x)",
        ],
    ),
    (
        "\"Odd \"\"Type\"\" name\"",
        &[
            "(1,abc,1.005,2024-01-01 00:00+05)",
            "(1,\"abc  \",,infinity)",
            "(,,,)",
            "(1,abcd,1,)",
            "(1,a,1000,)",
            "(1,a,1,soon)",
            "(1,a,1)",
        ],
    ),
    (
        "nested",
        &[
            r#"("(1,x)","{""(2,y)"",NULL}",sad,"[1,5]","{""b"":1, ""a"": 2}")"#,
            "(,,,,)",
            r#"("(,)",{},"",empty,1)"#,
            r#"("(1,""a b"")","{""(2,\\""c d\\"")""}","it's ""odd"", yes",(,),null)"#,
            r#"("(1,x",,,,)"#,
            r"(,,glad,,)",
            r#"(,,,"[5,1]",)"#,
            r"(,,,,{)",
            r#"(,"{""(2)""}",,,)"#,
        ],
    ),
    ("lossy", &["(1,ab,10)", "(,,)", "(1,abcd,10)", "(1,ab,1)", "(1,x,ab,2,10)"]),
    ("single", &["(a)", "()", "(\"\")", "(a,b)", "a"]),
    ("whole", &["(1,x)", "(,)", "(x,1)"]),
    (
        "pair[]",
        &[
            r#"{"(1,x)","(2,\"a b\")",NULL}"#,
            "{}",
            r#"{{"(1,x)"},{"(2,y)"}}"#,
            "[0:0]={\"(1,x)\"}",
            "{(1,x)}",
            r#"{"(1,x"}"#,
        ],
    ),
    ("nested[]", &[r#"{"(\"(1,x)\",\"{\"\"(2,y)\"\"}\",sad,,)",NULL}"#, r#"{"(1)"}"#]),
    ("checked", &["(1,abc,1.0005)", "(,,1)", "(0,abc,1)", "(1,bad,1)", "(1,abcdef,1)", "(1,abc,)"]),
];

const ENUMS_AND_DOMAINS: [Hazards; 11] = [
    (
        "mood",
        &[
            "",
            "sad",
            "very happy",
            "it's \"odd\", yes",
            "a,b",
            "(x)",
            "{y}",
            "\\",
            "☃",
            "NULL",
            "null ",
            "SAD",
            "sad ",
            " sad",
            "null",
        ],
    ),
    (
        "mood[]",
        &[
            r#"{"",sad,"very happy","it's \"odd\", yes","a,b",(x),"{y}","\\",☃,"NULL",NULL,"null "}"#,
            "{null }",
            "{SAD}",
            "{\"sad \"}",
        ],
    ),
    ("posint", &["1", " 2147483647 ", "0", "-1", "x"]),
    ("code", &["", "abcde", "abcde  ", "bad", "bad  ", "abcdef"]),
    ("price", &["1.0005", "99999.9994", "99999.9995", "NaN", ""]),
    ("moods", &["very happy", "", "sad", "glad"]),
    ("ordered", &["(1,x)", "(,)", "(100,x)", "(1)"]),
    ("few", &["{1,2,3}", "{}", "{1,NULL}", "{1,2,3,4}", "{x}"]),
    ("fewer", &["{1,2,3}", "{0}", "{1,2,3,4}"]),
    ("posints", &["{1,NULL}", "{{1},{2}}", "{0}", "{1,-1}"]),
    ("posint[]", &["{1,2}", "{0}"]),
];

#[test]
fn composites_are_stored_as_the_server_reads_them() {
    agree(TYPES, &COMPOSITES);
}

#[test]
fn enums_and_domains_are_stored_as_the_server_reads_them() {
    agree(TYPES, &ENUMS_AND_DOMAINS);
}

#[test]
fn a_composite_with_an_attribute_that_has_no_binary_form_here_goes_as_text() {
    let cases: [(&str, &[&str]); 2] = [("worded", &["(1,\"a fat cat\")", "(,)"]), ("worded[]", &["{\"(1,a)\"}"])];
    stored_alike(TYPES, "text", &cases);
}

#[test]
fn a_part_that_cannot_be_stored_is_named_with_its_attribute() {
    let (database, folder) = (Database::with(TYPES), Folder::new());
    database.sql("create table t (ts timestamptz not null, v nested[])");
    let path = folder.write("a.csv", csv_of(&["{}", r#"{"(,\"{\"\"(1,x)\"\",\"\"(x,1)\"\"}\",,,)"}"#]));
    let load = format!("load {path} --table t --time-column ts");
    run(&database, &load).exits(1).says(&[
        "record 3",
        "column \"v\"",
        "attribute ps: attribute a: \"x\" is not an integer",
    ]);
}
