//! Ranges, multiranges, composite types and hstore.

use super::forms::is_moment;
use super::texts::Recipe;
use super::times::has_clock;
use super::{Case, agree};

const RANGES: Recipe = Recipe {
    examples: &[
        "empty",
        "EMPTY",
        " empty ",
        "[1,5)",
        "(1,5]",
        "[1,1]",
        "(1,1)",
        "[1,1)",
        "(1,2)",
        "[5,1]",
        "(,)",
        "[,5]",
        "[1,]",
        "[,]",
        "[1,infinity]",
        "[1",
        "1,2",
        "[1,2,3]",
        "[\"1\",\"2\"]",
        "[ 1 , 2 ]",
        "[\"1\"\"\",2]",
        "[\\1,2]",
        "[2147483647,2147483647]",
        "[9223372036854775807,)",
        "[1,2147483647]",
        "[a,b]",
        "",
        "[]",
        "[\"\",1]",
        "[1,2]x",
        " [1,2) ",
        "[null,1]",
        "[1.5,2.50]",
        "[nan,nan]",
        "[1.0,1.00]",
        "[inf,inf]",
    ],
    patterns: &[
        r"[\[(]-?[0-9]{0,3},-?[0-9]{0,3}[\])]",
        r"[\[(] ?[0-9]{1,2}(\.[0-9]{1,2})? ?, ?[0-9]{2,3}(\.[0-9]{1,2})? ?[\])]",
        r#"[\[(]"[0-9]{1,2}","?[0-9]{1,3}"?[\])]"#,
        r"[\[(]21474836[0-9]{2},21474836[0-9]{2}[\])]",
    ],
    tokens: &["[", "(", "]", ")", "empty", "\"\"", "1", "nan", "infinity"],
};

const MULTIRANGES: Recipe = Recipe {
    examples: &[
        "{}",
        " { } ",
        "{[1,2)}",
        "{[1,2),[5,6)}",
        "{[5,6),[1,2)}",
        "{[1,3),[2,6)}",
        "{[1,2),[2,3)}",
        "{(1,2)}",
        "{empty}",
        "{empty,[1,2)}",
        "{[1,2)",
        "[1,2)",
        "{[1,2),}",
        "{,[1,2)}",
        "{[1,2) [3,4)}",
        "{ [1,2) , [3,4) }",
        "{(,)}",
        "{(,1),(5,)}",
        "{[5,1)}",
        "{[1,2)}x",
        "",
        "{[\"1\",\"2\"]}",
        "{EMPTY}",
    ],
    patterns: &[
        r"\{[\[(][0-9]{1,2},[0-9]{2}[\])](, ?[\[(][0-9]{1,2},[0-9]{2}[\])]){0,4}\}",
        r"\{\[[0-9],[0-9]\],(empty|\([0-9],[0-9]\)),\(,[0-9]\)\}",
    ],
    tokens: &["{", "}", "[1,2)", "empty", ",", "[", ")", "(", "]"],
};

const SPANS: Recipe = Recipe {
    examples: &[
        "[2024-01-01,2024-02-01)",
        "[2024-01-01,2024-01-01]",
        "(2024-01-01,2024-01-02)",
        "[2024-01-01,infinity)",
        "[-infinity,infinity]",
        "[,2024-02-30]",
        "(,)",
        "[2024-02-01,2024-01-01]",
        "[\"2024-01-01 12:00\",\"2024-01-02 12:00+01\")",
        "empty",
        "[2024-01-01,)",
    ],
    patterns: &[
        r"[\[(]20[0-2][0-9]-0[1-9]-[0-2][0-9],20[3-9][0-9]-1[0-2]-[0-2][0-9][\])]",
        r#"[\[("]"?2024-01-[0-3][0-9] [01][0-9]:[0-5][0-9]"?,"?2024-0[1-9]-01 00:00(\+0[0-9])?"?[\])]"#,
    ],
    tokens: &["[", "(", "]", ")", "\"", "infinity", "2024-01-01"],
};

const RECORDS: Recipe = Recipe {
    examples: &[
        "(1,a,t)",
        "(,,)",
        "(1,\"\",f)",
        "(1,\"a,b\",t)",
        "(1,\"a\"\"b\",t)",
        "(1,a\\,b,t)",
        "(1,a\"b\"c,t)",
        "(1,a,t",
        "1,a,t",
        "(1,a)",
        "(1,a,t,x)",
        "()",
        "",
        " (1,a,t) ",
        "( 1 ,a b , t )",
        "(x,a,t)",
        "(1,a,t)x",
        "(1,\"a,t)",
        "(1,null,t)",
        "(1,\\,t)",
        "(1,(a),t)",
        "(1,a\nb,t)",
    ],
    patterns: &[
        r"\([0-9]{0,3},[a-z ]{0,4},[tf]?\)",
        r#"\(-?[0-9]{1,2},"([a-z,()]|""|\\["\\a]){0,4}",(t|false|)\)"#,
        r#"\([0-9],[a-z]"[a-z ,]{0,3}"[a-z]?,1\)"#,
    ],
    tokens: &["(", ")", "\"\"", "\\\\", "a", "t", ",,"],
};

const HSTORES: Recipe = Recipe {
    examples: &[
        "",
        "a=>1",
        "a=>1,b=>2",
        "\"a b\"=>\"c d\"",
        "a=>NULL",
        "a=>\"NULL\"",
        "a=>null",
        "a=>1,a=>2",
        " a => 1 , b=>2 ",
        "a=>",
        "=>1",
        "a",
        "a=>1,",
        ",a=>1",
        "a=>1 b=>2",
        "\"\"=>\"\"",
        "\"a\\\"b\"=>\"c\\\\d\"",
        "a\\=b=>c",
        "a=>b=>c",
        "a=1",
        "a>1",
        "NULL=>1",
        "aa=>1,b=>2",
        "é=>☃",
        "a=>\"",
        "\"a\"=>1x",
        "\\a=>b",
    ],
    patterns: &[
        r#"("[a-z =>,]{0,3}"|[a-z]{1,3}) ?=> ?("[a-z, ]{0,4}"|[a-z0-9]{1,3}|NULL)( ?, ?[a-c]{1,2}=>[0-9]){0,3}"#,
        r#""([a-z]|\\["\\a]){0,3}"=>"([a-z]|\\["\\a]){0,3}""#,
        "[ab]=>[0-9](,[ab]{1,2}=>[0-9]){0,4}",
    ],
    tokens: &["=>", "=", ">", "\"", "\\\"", "\\", "NULL", "a", ","],
};

#[test]
fn ranges_are_read_as_the_server_reads_them() {
    agree(
        &["int4range", "int8range", "numrange"]
            .map(|ty| Case { stricter: super::numbers::has_spaced_exponent, ..Case::of(ty, RANGES) }),
    );
    agree(&["tsrange", "tstzrange"].map(|ty| Case { stricter: has_other_bound, ..Case::of(ty, SPANS) }));
    let holds_clock =
        |text: &str| has_other_bound(text) || text.split(',').any(|bound| has_clock(bound.trim_matches(AROUND)));
    agree(&[Case { stricter: holds_clock, ..Case::of("daterange", SPANS) }]);
}

/// What may stand around the bounds of a range.
const AROUND: [char; 8] = ['[', ']', '(', ')', '"', ' ', '\t', '\n'];

/// Whether a bound of a range is written in a form that is not promised to be read.
fn has_other_bound(text: &str) -> bool {
    let is_read = |bound: &str| is_moment(bound.trim_matches(AROUND)) || bound.trim_matches(AROUND).is_empty();
    // A further bracket, what is escaped, or a comma inside of quotes, would be one of the bound's own letters.
    let quotes_comma = text.split('"').skip(1).step_by(2).any(|quoted| quoted.contains(','));
    quotes_comma
        || text.contains('\\')
        || text.contains("\"\"")
        || text.matches(['[', ']', '(', ')']).count() > 2
        || !text.split(',').all(is_read)
}

#[test]
fn multiranges_are_read_as_the_server_reads_them() {
    agree(
        &["int4multirange", "nummultirange", "int8multirange"]
            .map(|ty| Case { stricter: super::numbers::has_spaced_exponent, ..Case::of(ty, MULTIRANGES) }),
    );
}

#[test]
fn composites_are_read_as_the_server_reads_them() {
    let setup = "create type reading as (n int, t text, b boolean); create domain readings as reading[]";
    agree(&[Case { setup, ..Case::of("reading", RECORDS) }]);
}

#[test]
fn hstores_are_read_as_the_server_reads_them() {
    let setup = "create extension hstore";
    // Which servers before 16 take for a letter, later ones for white space.
    let has_vertical_tab = |text: &str| text.contains('\u{b}');
    agree(&[Case { setup, stricter: has_vertical_tab, ..Case::of("hstore", HSTORES) }]);
}
