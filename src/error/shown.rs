//! Text from outside (names, values, what the server says) as people see it: short, and with nothing hidden in it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` as one line in which everything is visible.
///
/// Control characters, line ends, bidirectional overrides, zero-width characters and tags could move the cursor, forge lines
/// or hide text on a terminal or in a log. They become escapes such as `\n` and `\u{202e}`. Backslashes stay as they are, so
/// a text that was escaped before does not change.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => visible.push_str("\\n"),
            '\r' => visible.push_str("\\r"),
            '\t' => visible.push_str("\\t"),
            hidden if is_hidden(hidden) => {
                write!(visible, "\\u{{{:x}}}", u32::from(hidden)).expect("a String takes any text");
            }
            shown => visible.push(shown),
        }
    }
    Cow::Owned(visible)
}

/// Whether a terminal acts upon `character`, or shows nothing for it, so that it can deceive a reader.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\0'..='\x7f'
        // These are letters and marks to Unicode, and nothing is seen of them.
        | '\u{e0000}'..='\u{e0fff}'
        | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => true,
        other => {
            // The standard library's table of what can be printed stands behind `escape_debug`, which leaves combining
            // marks as they are where they follow a letter.
            let mut text = [b'a'; 5];
            let bytes = other.encode_utf8(&mut text[1..]).len();
            let text = str::from_utf8(&text[..=bytes]).expect("a letter and a character are UTF-8");
            text.escape_debug().nth(1) == Some('\\')
        }
    }
}

/// `text`, or its beginning and how many bytes follow, where it is longer than `bytes_max`.
#[must_use]
pub fn shortened(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}… ({} more bytes)", &text[..end], text.len() - end))
}

/// Names that a list for people shows, and the longest of them in bytes.
const NAMES_SHOWN: usize = 100;
const NAME_BYTES_MAX: usize = 100;

/// Names as a list for people: each is one line, and no list is too long to be read.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown = |name| escaped(&shortened(name, NAME_BYTES_MAX)).into_owned();
    let first: Vec<String> = names.by_ref().take(NAMES_SHOWN).map(shown).collect();
    match names.count() {
        0 => first.join(", "),
        more => format!("{}, and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_hides_or_acts_is_escaped() {
        for hidden in [
            '\0',
            '\x07',
            '\x1b',
            '\x7f',
            '\u{80}',
            '\u{85}',
            '\u{9b}',
            '\u{9f}',
            '\u{a0}',
            '\u{ad}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{2800}',
            '\u{3164}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e000}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{10ffff}',
        ] {
            assert!(is_hidden(hidden), "{:x}", u32::from(hidden));
            assert_eq!(escaped(&format!("a{hidden}b")), format!("a\\u{{{:x}}}b", u32::from(hidden)));
        }
        assert_eq!(escaped("a\nb\r\tc"), r"a\nb\r\tc");
    }

    #[test]
    fn text_that_is_read_stays_as_it_is() {
        for shown in ["plain ~ text", "Zürich", "e\u{301}", "हिन्दी", "עברית", "日本語", "🦀", r"C:\new"]
        {
            assert!(matches!(escaped(shown), Cow::Borrowed(same) if same == shown), "{shown}");
        }
        let once = escaped("\u{1b}]0;x\u{7}").into_owned();
        assert_eq!(escaped(&once), once);
    }

    #[test]
    fn a_list_of_names_is_short_however_many_there_are() {
        assert_eq!(listed(["a", "b\nc"]), r"a, b\nc");
        let long = "x".repeat(1000);
        let list = listed(std::iter::repeat_n(long.as_str(), 9_000_000));
        assert!(list.len() < 14_000 && list.ends_with("and 8999900 more"), "{}", list.len());
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("aéé", 2), "a… (4 more bytes)");
    }
}
