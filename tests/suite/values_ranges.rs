//! Values of range and multirange types: hazards of each, judged by the server.

use crate::hazards::{Hazards, agree};
use crate::values::stored_alike;

/// Range types beside the built-in ones; `words` is ordered by a collation.
const RANGE_TYPES: &str = r#"
    create type floats as range (subtype = float8, multirange_type_name = floatses);
    create type reals as range (subtype = float4);
    create type times as range (subtype = time);
    create type uuids as range (subtype = uuid);
    create type "Odd, Name" as range (subtype = bytea);
    create domain percent as int4range check (value <@ int4range(0, 101));
    create domain small as numeric(5,2);
    create type smalls as range (subtype = small);
    create type words as range (subtype = text);
    create type far as range (subtype = inet);"#;

const RANGES: [Hazards; 6] = [
    (
        "int4range",
        &[
            "[1,5]",
            "[1,5)",
            "(1,5]",
            "(1,5)",
            "(1,2)",
            "[1,1]",
            "[1,1)",
            "(1,1]",
            "[2,1]",
            "empty",
            " EMPTY ",
            "emptyx",
            "(,)",
            "[,]",
            "[,5]",
            "(1,",
            "(,5",
            "[1,)",
            "[1,]",
            "[2147483647,2147483647]",
            "[1,2147483647)",
            "(2147483647,)",
            "(2147483646,2147483647)",
            "[-2147483648,0]",
            " [1,2] ",
            "[ 1 , 2 ]",
            "[\"1\",\"2\"]",
            "[\"1,\",2]",
            "[\\1,2]",
            "[1,2,3]",
            "[1;2]",
            "1,2",
            "[1,2",
            "[1,2]x",
            "[a,2]",
            "[\"\",2]",
            "",
            "[1]",
            "[99999999999,)",
            "[,",
            "{[1,2]}",
        ],
    ),
    (
        "int8range",
        &[
            "[1,9223372036854775806]",
            "[1,9223372036854775807]",
            "(9223372036854775807,)",
            "(-9223372036854775808,0)",
            "(5,5)",
            "(5,4)",
        ],
    ),
    (
        "numrange",
        &[
            "[1.0,2.00]",
            "(1,1)",
            "[1.0,1.00]",
            "(1.0,1.00]",
            "[2,1]",
            "[NaN,NaN]",
            "[1,NaN)",
            "[-inf,inf]",
            "(NaN,1)",
            "[1e10,1e11)",
            "[0.1,0.10)",
            "(,1.50]",
            "empty",
            "[1,x]",
        ],
    ),
    (
        "daterange",
        &[
            "[2024-01-01,2024-01-31]",
            "[2024-02-28,2024-02-29]",
            "(2024-01-01,2024-01-02)",
            "[2024-01-01,infinity]",
            "[2024-01-01,infinity)",
            "(-infinity,2024-01-01)",
            "[-infinity,-infinity]",
            "(infinity,infinity)",
            "[infinity,]",
            "[5874897-12-31,5874897-12-31]",
            "(5874897-12-31,)",
            "[5874897-12-31,)",
            "[4713-01-01 BC,0001-01-01]",
            "[2024-01-02,2024-01-01]",
            "[2024-13-01,)",
            "( , 2024-01-01 ]",
        ],
    ),
    (
        "tsrange",
        &[
            "[2024-01-01 10:00,2024-01-01 11:00)",
            "[\"2024-01-01 10:00:00.123456\",\"2024-01-01 11:00\"]",
            "[infinity,infinity]",
            "(-infinity,infinity)",
            "[2024-01-01,2024-01-01)",
            "[2024-01-02,2024-01-01]",
            "[2024-01-01,soon]",
        ],
    ),
    (
        "tstzrange",
        &[
            "[2024-01-01 10:00+05,2024-01-01 06:00Z]",
            "[\"2024-01-01T10:00Z\",)",
            "[2024-01-01 00:00:00Z,2024-01-01 01:00+01]",
            "[2024-01-01 00:00:00Z,2024-01-01 01:00+02]",
            "[2024-01-01,2024-01-02)",
        ],
    ),
];

const RANGES_OF_ONES_OWN: [Hazards; 7] = [
    ("floats", &["[0.1,0.2]", "[-0,0]", "[-0,0)", "(1,inf)", "[nan,nan]", "[inf,nan)", "[nan,1]", "[1e400,)"]),
    ("reals", &["[0.1,16777217]", "[3,2]"]),
    ("times", &["[10:00,24:00:00]", "[11:00,10:00]"]),
    (
        "uuids",
        &[
            "[a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11)",
            "[b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11)",
        ],
    ),
    ("\"Odd, Name\"", &[r"[\\x00,\\xff]", r#"["\\x00","\\x0000")"#, r"[\\xff,\\x00]"]),
    ("smalls", &["[1.005,2)", "[1.001,1.004]", "[1.001,1.004)", "[1000,)", "[2,1.999]", "[2,1.99]"]),
    (
        "int4range[]",
        &[r#"{"[1,5]",NULL,empty,"(,)"}"#, r#"{{"[1,2]"},{"[3,4]"}}"#, "{[1,5]}", r#"[0:0]={"(1,3)"}"#, r#"{"[5,1]"}"#],
    ),
];

const MULTIRANGES: [Hazards; 6] = [
    (
        "int4multirange",
        &[
            "{}",
            " { } ",
            "{[1,5]}",
            "{[1,5],[6,8]}",
            "{[6,8],[1,5]}",
            "{[1,3),[5,7),[3,5)}",
            "{[1,3),[4,5)}",
            "{empty}",
            "{empty,[1,2)}",
            "{ empty , [1,2) , EMPTY }",
            "{(,)}",
            "{(,1),(5,)}",
            "{(,5),(3,)}",
            "{[1,5],[2,3]}",
            "{[1,10),[1,3)}",
            "{[1,2),[1,2)}",
            "{(1,2)}",
            "{[1,2]",
            "{[1,2],}",
            "{,[1,2]}",
            "{[1,2]x}",
            "[1,2]",
            "{[1,2]}x",
            "{[2,1]}",
            "{1,2}",
            "{[1,2] [3,4]}",
            "",
            "{\"[1,2]\"}",
            "{[\"1\",\"2\"]}",
            "{[1\\,2]}",
            "{emptyx}",
            "{empty",
            "{[ 1 , 2 ] }",
            "{[2147483647,2147483647]}",
            "{[7,8),[1,2),[5,6),[3,4),[9,10),[13,14),[11,12),[15,16),[2,3)}",
        ],
    ),
    (
        "nummultirange",
        &[
            "{[1.0,2.0],[2.00,3]}",
            "{[1.0,2.0),(2.00,3]}",
            "{[1.0,2.0),[2.00,3]}",
            "{[1.00,5],[1.0,5.000]}",
            "{[1.0,5.000],[1.00,5]}",
            "{[3,4),[1.0,2),[1.00,2.0),[1.000,2.00),[1.0000,2.000),[7,8),[5,6),[5.0,6.0)}",
            "{[1,2],[x,3]}",
            "{[3,4),[1.0,2),[1.00,2.0),[1.000,2.00),[1.0000,2.000),[7,8),[5,6),[5.0,6.0),[3.0,4.00),[3.00,4.0),[0,0.5)}",
            "{(,1),[NaN,NaN],[1,2.50)}",
            "{[\"1\",\"2\"),[\"2\",\"3\")}",
        ],
    ),
    (
        "datemultirange",
        &[
            "{[2024-01-01,2024-01-31],[2024-02-01,2024-02-29]}",
            "{[-infinity,-infinity],(-infinity,2024-01-01]}",
            "{[2024-01-01,infinity],[infinity,]}",
            "{[2024-01-01,soon)}",
        ],
    ),
    (
        "tstzmultirange",
        &[
            "{[2024-01-01 00:00Z,2024-01-01 01:00Z),[2024-01-01 02:00+01,2024-01-01 03:00Z]}",
            "{[\"2024-01-01 00:00Z\",\"2024-01-02 00:00Z\"]}",
            "{[2024-01-02Z]}",
        ],
    ),
    ("floatses", &["{[-0,0],[0,1]}", "{[0,1],[-0,1]}", "{[nan,nan],[1,inf)}", "{[1,0]}"]),
    ("int4multirange[]", &[r#"{"{[1,5],[6,8]}","{}",NULL}"#, r#"{"{[2,1]}"}"#]),
];

#[test]
fn ranges_are_stored_as_the_server_reads_them() {
    agree("", &RANGES);
}

#[test]
fn ranges_of_ones_own_types_are_stored_as_the_server_reads_them() {
    agree(RANGE_TYPES, &RANGES_OF_ONES_OWN);
}

#[test]
fn multiranges_are_stored_as_the_server_reads_them() {
    agree(RANGE_TYPES, &MULTIRANGES);
}

#[test]
fn a_domain_over_ranges_is_binary_and_its_check_is_the_servers() {
    agree(RANGE_TYPES, &[("percent", &["[0,100]", "(5,7]", "[0,200]", "[1,x]"])]);
}

#[test]
fn ranges_in_an_order_that_is_not_known_here_go_as_text() {
    let cases: [(&str, &[&str]); 3] = [
        ("words", &["[a,b]", "(\"\",\"x y\")", "empty"]),
        ("far", &["[10.0.0.1,10.0.0.2]"]),
        ("words[]", &["{\"[a,b]\"}"]),
    ];
    stored_alike(RANGE_TYPES, "text", &cases);
}

/// Equal bounds that do not look alike show in which order the server's unstable sort has left them.
#[test]
fn many_ranges_are_sorted_as_the_server_sorts_them() {
    let multirange = |count: usize, step: usize| {
        let ranges: Vec<_> = (0..count)
            .map(|at| {
                let (value, zeros) = ((at * step) % 11, "0".repeat(1 + at % 5));
                format!("[{value}.{zeros},{value}.5{zeros}]")
            })
            .collect();
        format!("{{{}}}", ranges.join(","))
    };
    let texts: Vec<String> =
        (5..60).flat_map(|count| [3, 7, 10].map(|step| multirange(count, step))).chain([multirange(300, 7)]).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    stored_alike("", "binary", &[("nummultirange", &texts)]);
}
