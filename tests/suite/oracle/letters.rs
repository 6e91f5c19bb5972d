//! Texts, bytes, identifiers, JSON and enums.

use super::texts::Recipe;
use super::{Case, agree};

const LETTERS: Recipe = Recipe {
    examples: &[
        "",
        " ",
        "a",
        "abc",
        "abc   ",
        "é☃🦀",
        "e\u{301}",
        "\\N",
        "\\.",
        "NULL",
        "a\tb\nc\r\n",
        "\u{feff}x",
        "\u{7f}",
    ],
    patterns: &["[a-z]{0,6} {0,4}", "[é☃🦀a ]{0,7}", "\\PC{0,8}", "[\u{1}-\u{1f}a]{0,5} {0,3}"],
    tokens: &["   ", "☃", "🦀", "\u{301}", "\u{1}", "\u{a0}", "\u{3000}", "\r"],
};

const BYTES: Recipe = Recipe {
    examples: &[
        r"\x",
        r"\x00ff",
        r"\X00",
        r"\x 0aFF 0b",
        r"\xabc",
        r"\x0 a",
        "abc",
        r"a\\b",
        r"a\142",
        r"\400",
        r"\377",
        r"\000",
        "\\",
        r"a\08",
        "",
        "é",
        r"\x0g",
        "\\x0a\u{b}0b",
    ],
    patterns: &[
        r"\\x([ \n\t\r]{0,1}[0-9a-fA-F]{2}){0,6}[ ]{0,1}",
        r"\\x[0-9a-fA-F ]{0,9}",
        r"([a-z]|\\\\|\\[0-4][0-8]{2}){0,6}",
        r"\\[0-3][0-7]{2}\PC{0,3}",
    ],
    tokens: &["\\x", "\\\\", "\\000", "\\3", "7", "a", "F", "g", "\r"],
};

const IDENTIFIERS: Recipe = Recipe {
    examples: &[
        "00112233-4455-6677-8899-aabbccddeeff",
        "{00112233445566778899AABBCCDDEEFF}",
        "0011-2233-4455-6677-8899-aabb-ccdd-eeff",
        "00112233445566778899aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeeff}",
        "",
    ],
    patterns: &[
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        r"\{?([0-9a-fA-F]{4}-?){8}\}?",
        r"\{?([0-9a-fA-F]{4}-?){7}[0-9a-f]{4}\}?",
        "[0-9a-f]{30,34}",
    ],
    tokens: &["{", "}", "--", "a", "f", "g", "F", "00000000"],
};

const DOCUMENTS: Recipe = Recipe {
    examples: &[
        "{}",
        "[]",
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+2",
        "1.50",
        "0.1e-3",
        "1e-400",
        "12345678901234567890.10",
        "null",
        "true",
        "false",
        "\"a\"",
        "{\"a\":1,\"a\":2}",
        "{\"b\":1,\"aa\":2,\"a\":{\"c\":[1,{}]}}",
        r#""\u0000""#,
        r#""\u00e9\ud83e\udd80""#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud83ex""#,
        r#""\ud83e\n""#,
        r#""\ud83e\ud83e""#,
        r#""\/\b\f\n\r\t\\\"""#,
        r#""\x""#,
        r#""\u12g4""#,
        "[1,]",
        "{\"a\"}",
        "01",
        "1.",
        ".5",
        "+1",
        "nan",
        "'a'",
        "\"\t\"",
        "\"\u{7f}\"",
        "\"\u{80}\"",
        "[1] 2",
        "[[[[[[]]]]]]",
        "{\"\":\"\"}",
        "{\"é\":1,\"z\":2}",
        "1e131071",
        "1e131072",
        "1e-16383",
        "1e-16384",
        "",
        r#"{"\u0061":1,"a":2}"#,
        r#"{"a\u0000":1}"#,
    ],
    patterns: &[
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        r#"\[(-?[0-9]{1,3}(\.[0-9]{1,3})?[ ,]{1,2}){0,3}("[a-z]{0,3}"|null|true|false)\]"#,
        r#"\{ ?("[ab]{0,2}" ?: ?([0-9]|"x"|\[\]|null|\{\}) ?, ?){0,4}"[ab]{0,2}": ?(true|1\.0)\}"#,
        r#""(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|[a-zé🦀]|\\ud8[0-9a-f]{2}\\udc[0-9a-f]{2}){0,5}""#,
        r#"[ \t\n\r]{0,2}\{"(a|b|\\u0061)":\{"(a|b)":\[[01](,[01]){0,2}\]\},"(a|b)":1\}[ ]{0,1}"#,
    ],
    tokens: &[
        "{", "}", "[", "]", "\"a\":", "true", "false", "\\u", "\\ud83e", "\\udd80", "\\u0000", "\\u0001", "{}", "[]",
        "\u{1}",
    ],
};

const LABELS: Recipe = Recipe {
    examples: &["ok", "OK", " ok", "not ok", "it's", "a\"b", "", "é", "null", "{x,y}", "\\", "tab\there", "ok "],
    patterns: &["(ok|not ok|it's|é|null)", "[okn t]{1,6}"],
    tokens: &["ok", "o", "k", "not "],
};

#[test]
fn texts_of_any_length_rule_are_kept_as_the_server_keeps_them() {
    let types = ["text", "varchar", "varchar(3)", "char(1)", "char(5)", "bpchar", "name"];
    agree(&types[..6].iter().map(|&ty| Case::of(ty, LETTERS)).collect::<Vec<_>>());
}

#[test]
fn bytes_are_read_as_the_server_reads_them() {
    agree(&[Case::of("bytea", BYTES)]);
}

#[test]
fn identifiers_are_read_as_the_server_reads_them() {
    agree(&[Case::of("uuid", IDENTIFIERS)]);
}

#[test]
fn documents_are_read_as_the_server_reads_them() {
    agree(&[Case::of("json", DOCUMENTS), Case::of("jsonb", DOCUMENTS)]);
}

#[test]
fn enums_take_their_labels_however_odd() {
    let setup = r#"create type mood as enum ('ok', 'not ok', 'OK', 'it''s', 'a"b', '', 'é', 'null', '{x,y}', E'\\', E'tab\there', 'ok ')"#;
    agree(&[Case { setup, ..Case::of("mood", LABELS) }]);
}
