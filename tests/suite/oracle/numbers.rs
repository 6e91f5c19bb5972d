//! Booleans and numbers.

use super::texts::Recipe;
use super::{Case, agree};

const BOOLEANS: Recipe = Recipe {
    examples: &["t", "f", "true", "false", "yes", "no", "on", "off", "1", "0", "", "o", "of", "TRUE", "Fals"],
    patterns: &[
        "[ \t\n]{0,2}(t(r(u(e)?)?)?|f(a(l(s(e)?)?)?)?|y(e(s)?)?|no?|on|off?|1|0)[ \u{b}]{0,1}",
        "[a-zA-Z01]{0,5}",
    ],
    tokens: &["t", "f", "r", "u", "s", "l", "y", "n", "o"],
};

const INTEGERS: Recipe = Recipe {
    examples: &[
        "0",
        "-0",
        "+5",
        "32767",
        "32768",
        "-32768",
        "-32769",
        "2147483647",
        "2147483648",
        "-2147483648",
        "-2147483649",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "0x1F",
        "0o17",
        "0b11",
        "1_000",
        "1e3",
        "1.0",
        "",
        "00000000000000000000000000007",
        "18446744073709551616",
    ],
    patterns: &[
        r"[ \n]{0,2}[+-]?[0-9]{1,6}[ \x0b\f\r]{0,1}",
        "[+-]?0{0,30}[0-9]{1,20}",
        "[+-]?(3276[0-9]|21474836[0-9]{2}|92233720368547758[0-9]{2})",
        "-?(0x[0-9a-fA-F]{1,16}|0o[0-7]{1,22}|0b[01]{1,64}|[0-9]_[0-9_]{1,3})",
    ],
    tokens: &["0x", "_", "٣", "２", "\r", "00"],
};

const FLOATS: Recipe = Recipe {
    examples: &[
        "0",
        "-0",
        "1.5",
        "nan",
        "NaN",
        "-nan",
        "+nan",
        "inf",
        "-inf",
        "+Infinity",
        "-Infinity",
        "infinit",
        "nan(1)",
        "nan()",
        "1e400",
        "-1e400",
        "1e-400",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2e-324",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "3.4028235e38",
        "3.4028236e38",
        "3.40282356779733661637e38",
        "1e-45",
        "7e-46",
        "7.1e-46",
        "1.17549429e-38",
        "1e23",
        "9007199254740993",
        ".5",
        "5.",
        ".",
        "1e",
        "1e+",
        "0x1p3",
        "0x1.8",
        "0x",
        "0x.8p-1",
        "1_0",
        "1d5",
        "1f",
        "0e999999999999999999999",
        "0e-99999",
        "1e99999999999999999999",
    ],
    patterns: &[
        r"[ \n]{0,1}[+-]?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?[ \t]{0,1}",
        r"[+-]?\.[0-9]{1,25}([eE][+-]?[0-9]{1,4})?",
        "[+-]?[0-9](\\.[0-9]{1,18})?e-3[012][0-9]",
        "[+-]?[0-9](\\.[0-9]{1,18})?e-(3[6-9]|4[0-7])",
        "[+-]?[0-9](\\.[0-9]{1,18})?e3[6-9]",
        "[+-]?[0-9](\\.[0-9]{1,18})?e30[6-9]",
        "[+-]?([nN][aA][nN]|[iI]nf|infinity|INFINITY)",
    ],
    tokens: &["inf", "nan", "inity", "E", "p", "x", "0x", "00000000000000000000", "e-", "e+", "d", "f"],
};

const NUMERICS: Recipe = Recipe {
    examples: &[
        "0",
        "-0",
        "0.00",
        "-0.000",
        "1.10",
        "1e10",
        "1e-10",
        "NaN",
        "nan",
        "-NaN",
        "+NaN",
        "Infinity",
        "-inf",
        "+inf",
        ".5",
        "5.",
        ".",
        "1e",
        "1e+",
        "99999.995",
        "-99999.995",
        "0.005",
        "0.0049999999999999999999999999",
        "12345",
        "12350",
        "50",
        "49",
        "9999950",
        "1e131071",
        "1e131072",
        "1e-16383",
        "1e-16384",
        "0e-16384",
        "0e99999999",
        "1e2147483647",
        "1e1073741823",
        "1e1073741822",
        "0x1F",
        "1_000",
        "0.00001234",
        "1e5.0",
        "--1",
        "1 2",
        "0.000049999999999",
        "9999.5",
    ],
    patterns: &[
        r"[ \n]{0,1}[+-]?[0-9]{1,9}(\.[0-9]{0,9})?[ \t]{0,1}",
        r"[+-]?[0-9]{0,40}\.?[0-9]{0,40}([eE][+-]?[0-9]{1,2})?",
        r"[+-]?[09]{1,12}\.?[09]{1,12}[45]?[09]{0,3}",
        r"[+-]?[0-9]{1,3}e[+-]?[0-9]{1,3}",
        r"[+-]?[0-9.]{1,3}e[+-]?(163[78][0-9]|1310[67][0-9])",
        "[+-]?([nN][aA][nN]|[iI]nf|infinity)",
        r"[+-]?0{1,9}\.0{1,9}[0-9]{1,6}",
    ],
    tokens: &["inf", "nan", "E", "x", "0x", "0000", "9999", "e-", "e+", "_", "5", "50", "49"],
};

/// White space after the `e` of an exponent, which servers before 16 skip.
pub(super) fn has_spaced_exponent(text: &str) -> bool {
    let mut pairs = text.trim().chars().zip(text.trim().chars().skip(1));
    pairs.any(|(e, next)| matches!(e, 'e' | 'E') && next.is_ascii_whitespace() || next == '\u{b}')
}

/// Hexadecimal floats and not-a-numbers with a payload, which are the C library's own.
pub(super) fn is_of_the_c_library(text: &str) -> bool {
    text.contains("0x") || text.contains("0X") || text.contains('(')
}

#[test]
fn booleans_are_read_as_the_server_reads_them() {
    agree(&[Case::of("boolean", BOOLEANS)]);
}

#[test]
fn integers_are_read_as_the_server_reads_them() {
    agree(&[Case::of("smallint", INTEGERS), Case::of("integer", INTEGERS), Case::of("bigint", INTEGERS)]);
}

#[test]
fn floats_are_read_as_the_server_reads_them() {
    let types = ["real", "double precision"];
    agree(&types.map(|ty| Case { stricter: is_of_the_c_library, ..Case::of(ty, FLOATS) }));
}

#[test]
fn numerics_are_read_as_the_server_reads_them() {
    agree(&[Case { stricter: has_spaced_exponent, ..Case::of("numeric", NUMERICS) }]);
}

#[test]
fn numerics_of_any_precision_and_scale_are_rounded_as_the_server_rounds_them() {
    agree(
        &[
            "numeric(1,0)",
            "numeric(5)",
            "numeric(7,2)",
            "numeric(9,4)",
            "numeric(10,9)",
            "numeric(40,20)",
            "numeric(1000,500)",
            "numeric(3,5)",
            "numeric(4,4)",
            "numeric(5,-2)",
            "numeric(2,-7)",
        ]
        .map(|ty| Case { stricter: has_spaced_exponent, ..Case::of(ty, NUMERICS) }),
    );
}
