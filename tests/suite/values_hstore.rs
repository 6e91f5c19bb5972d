//! Values of `hstore`, an extension's type: hazards judged by the server.

use crate::harness::Database;
use crate::hazards::{Hazards, agree};
use crate::values::stored_alike;

const SETUP: &str =
    "create extension hstore; create domain labels as hstore; create type tagged as (id int, tags hstore)";

const HSTORES: [Hazards; 4] = [
    (
        "hstore",
        &[
            "",
            " ",
            "a=>1",
            "a => 1 , b=>2",
            "\"a b\"=>\"c d\"",
            "a=>NULL",
            "a=>null",
            "a=>\"NULL\"",
            "a=>nul\\l",
            "NULL=>1",
            "b=>1, aa=>2, a=>3",
            "a=>1, a=>2",
            "a=>1,",
            "a=>1,,b=>2",
            "a=>,b",
            "a=>b=c",
            "a==>b",
            "=>1",
            "a=>",
            "a",
            "a=",
            "a=1",
            "a>1",
            "\"a=>1",
            "a=>\"1",
            "a=>1 b=>2",
            "a=>\"x\"y",
            "\"\"=>\"\"",
            "a=>\\,",
            r"a\=b=>c",
            r#""a\"b"=>"c\\d""#,
            "a=>1\\",
            "ä=>ö, ☃=>🦀",
            "a,b=>c",
            "a=>b c",
            "\ta\n=>\n1\t",
            "a= >1",
            "{}",
            "{\"a\": 1}",
            "a=>'b'",
            "x=>1;y=>2",
        ],
    ),
    ("labels", &["a=>1", "a"]),
    ("tagged", &[r#"(1,"""a b""=>""c"", d=>NULL")"#, "(,)", "(1,a)"]),
    ("hstore[]", &[r#"{"a=>1","\"b c\"=>NULL",NULL,""}"#, "{a}"]),
];

#[test]
fn hstores_are_stored_as_the_extension_reads_them() {
    agree(SETUP, &HSTORES);
}

/// Of equal keys one value stays: which, depends on the unstable sort of the server.
#[test]
fn of_many_equal_keys_the_one_stays_that_the_server_keeps() {
    let pairs = |count: usize, step: usize| {
        let pair = |at: usize| format!("{}=>{at}", "k".repeat((at * step) % 5 + 1));
        (0..count).map(pair).collect::<Vec<_>>().join(", ")
    };
    let texts: Vec<String> = (2..70).flat_map(|count| [1, 2, 3].map(|step| pairs(count, step))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    stored_alike(SETUP, "binary", &[("hstore", &texts)]);
}

#[test]
fn a_type_that_is_only_called_hstore_goes_as_text() {
    stored_alike("create type hstore as range (subtype = text)", "text", &[("hstore", &["[a,b]"])]);
    // The extension may stand in any schema.
    let database = Database::with("create schema odd; create extension hstore schema odd");
    assert_eq!(database.one("select 'a=>1'::odd.hstore"), "\"a\"=>\"1\"");
    stored_alike("create schema odd; create extension hstore schema odd", "binary", &[("odd.hstore", &["a=>1"])]);
}
