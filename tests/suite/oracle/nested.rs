//! Arrays and domains.

use super::forms::is_moment;
use super::numbers::has_spaced_exponent;
use super::texts::Recipe;
use super::times::has_clock;
use super::{Case, agree};

/// What may stand around the elements of an array.
const OUTSIDE: [char; 6] = ['{', '}', ' ', '"', '\t', '\n'];

/// An array type. Literals with braces of unequal depth are refused, because servers before 17 lose elements of them; so are
/// nested braces without an element, which only servers from 17 on store.
const fn array(ty: &'static str, recipe: Recipe) -> Case {
    Case { stricter: |text| is_uneven(text) || is_nested_and_empty(text), ..Case::of(ty, recipe) }
}

/// Whether a literal is made of braces alone, and of more than one pair: `{{},{}}`.
fn is_nested_and_empty(text: &str) -> bool {
    let is_structural = |letter: char| "{},".contains(letter) || letter.is_ascii_whitespace() || letter == '\u{b}';
    text.chars().all(is_structural) && text.matches('{').count() > 1
}

/// Whether a literal has braces beside elements: `{{{1}},{2}}`.
fn is_uneven(text: &str) -> bool {
    let mut depths: Vec<usize> = Vec::new();
    let (mut depth, mut element, mut quoted, mut escaped) = (0_usize, false, false, false);
    for letter in text.chars() {
        let structural = !quoted && !escaped && matches!(letter, '{' | '}' | ',');
        if structural && element {
            depths.push(depth);
        }
        element = !structural && (element || !matches!(letter, ' ' | '\t'..='\r'));
        match letter {
            '{' if structural => depth += 1,
            '}' if structural => depth = depth.saturating_sub(1),
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    depths.iter().any(|depth| *depth != depths[0])
}

const ARRAYS: Recipe = Recipe {
    examples: &[
        "{}",
        " { } ",
        "{1,2}",
        "{1,NULL,3}",
        "{null}",
        "{\"null\"}",
        "{{1,2},{3,4}}",
        "{{1},{2,3}}",
        "{{},{}}",
        "{{1},2}",
        "{1,{2}}",
        "[0:1]={1,2}",
        "[1:2][1:1]={{1},{2}}",
        " [0:1] = {1,2}",
        "[3]={1,2,3}",
        "[2:1]={}",
        "[1:0]={}",
        "{1,}",
        "{,1}",
        "{\"a\"b}",
        "{a\"b\"}",
        "{{{{{{1}}}}}}",
        "{{{{{{{1}}}}}}}",
        "{\"a,b\",\"c\\\"d\",e f}",
        "{a\\,b}",
        "{\\n}",
        "{\\null}",
        "{a b , c }",
        "{ \"x\" , y }",
        "",
        "1",
        "[-2:-1]={1,2}",
        "[2147483646:2147483647]={1,2}",
        "[-2147483648:-2147483647]={1,2}",
        "[1:2]={{1},{2}}",
        "{1}x",
        "{1} ",
        "[1:2]{1,2}",
        "[+1:2]={1,2}",
        "[01:02]={1,2}",
        "[1:]={1}",
        "[:1]={1}",
        "[]={1}",
        "[1 :2]={1,2}",
        "[1: 2]={1,2}",
        "[0]={}",
        "[99999999999]={1}",
        "{\u{b}1\u{b}}",
        "{\"\"}",
        "{''}",
        "{\\\"}",
    ],
    patterns: &[
        r"\{[0-9]{1,2}(,([0-9]{1,2}|NULL|null)){0,4}\}",
        r"\{\{[0-9],[0-9]\}(,\{[0-9],(NULL|[0-9])\}){0,2}\}",
        r"\[-?[0-3](:[0-3])?\](\[[0-2]:[0-2]\])? ?= ?\{[0-9](,[0-9]){0,2}\}",
        r#"\{ ?("([a-z, {}]|\\["\\,a])*"|[a-z]{1,3}|NULL)( ?, ?("[a-z{},]*"|[a-z ]{1,4}|\\[a-z"])){0,3} ?\}"#,
        r#"(\{\{("a b"|x)(,y){0,1}\},\{"",z\}\}|\{\{\{1\}\},\{\{2\}\}\})"#,
    ],
    tokens: &["{", "}", "{{", "}}", "[", "]", "=", "NULL", "\\\"", "\\\\", "a", ",,", "[1:1]="],
};

const TIMES: Recipe = Recipe {
    examples: &[
        "{2024-01-02}",
        "{\"2024-01-02 03:04:05\",NULL}",
        "{infinity,-infinity}",
        "{{2024-02-29},{2023-02-28}}",
        "{2023-02-29}",
        "{\"2024-01-02 03:04:05.6789+05:30\"}",
    ],
    patterns: &[
        r#"\{"?20[0-9]{2}-[01][0-9]-[0-3][0-9]"?(,(NULL|"1999-12-31 23:59:59(\.[0-9]{1,7})?")){0,2}\}"#,
        r"\[0:0\]=\{20[0-9]{2}-[01][0-9]-[0-3][0-9]\}",
    ],
    tokens: &["{", "}", "[", "]", "=", "NULL", "2024-01-01"],
};

const PRICES: Recipe = Recipe {
    examples: &["0", "0.01", "0.005", "-0.01", "0.004", "-0.004", "99999.99", "99999.995", "NaN", "100", "1e3"],
    patterns: &[r"-?[0-9]{1,6}(\.[0-9]{1,4})?", "-?0\\.00[0-9]{1,2}"],
    tokens: &["0", "5", "00"],
};

#[test]
fn arrays_are_read_as_the_server_reads_them() {
    let types = ["integer[]", "text[]", "numeric(5,2)[]", "boolean[]", "varchar(2)[]", "float8[]", "char(2)[]"];
    agree(&types.map(|ty| array(ty, ARRAYS)));
}

#[test]
fn arrays_of_times_are_read_as_the_server_reads_them() {
    fn is_other_form(text: &str) -> bool {
        // Braces inside of quotes are the element's own.
        let quoted = text.split('"').skip(1).step_by(2);
        is_uneven(text)
            || quoted.flat_map(str::chars).any(|letter| matches!(letter, '{' | '}'))
            || !text.trim_matches(OUTSIDE).split(',').all(|element| is_moment(element.trim_matches(OUTSIDE)))
    }
    fn holds_clock(text: &str) -> bool {
        text.split(',').any(|element| has_clock(element.trim_matches(OUTSIDE)))
    }
    agree(&[
        Case { stricter: |text| is_other_form(text) || holds_clock(text), ..Case::of("date[]", TIMES) },
        Case { stricter: is_other_form, ..Case::of("timestamptz(3)[]", TIMES) },
    ]);
}

#[test]
fn domains_are_stored_as_their_base_type() {
    let setup = "create domain price as numeric(7,2); create domain dear as price; create domain tags as varchar(2)[]; create domain sums as price[]";
    agree(&[
        Case { setup, stricter: has_spaced_exponent, ..Case::of("price", PRICES) },
        Case { setup, stricter: has_spaced_exponent, ..Case::of("dear", PRICES) },
        Case { setup, ..array("tags", ARRAYS) },
        Case { setup, ..array("sums", ARRAYS) },
        Case { setup, ..array("dear[]", ARRAYS) },
    ]);
}
