//! How the text of each option is read.

use std::time::Duration;

use pgbackfill::{Bound, MaxRejects, TimeFormat, WindowSize, Zone};

use super::{OptionalByte, OptionalDuration};

/// What turns a switch on or off in the environment: 1, true, yes, on, and their opposites.
pub(super) fn switch() -> clap::builder::BoolishValueParser {
    clap::builder::BoolishValueParser::new()
}

/// `30 days ago`, or a text that the time column's type reads later.
pub(super) fn bound(text: &str) -> Result<Bound, String> {
    match text.trim().strip_suffix("ago") {
        Some(ago) => duration(ago.trim()).map(Bound::Ago),
        None => Ok(Bound::At(text.to_owned())),
    }
}

/// `auto`, a calendar unit, a duration, or a plain number.
pub(super) fn window(text: &str) -> Result<WindowSize, String> {
    let text = text.trim();
    if text == "auto" {
        return Ok(WindowSize::Auto);
    }
    if let Ok(keys) = text.parse::<u64>() {
        return if keys > 0 { Ok(WindowSize::Keys(keys)) } else { Err("a window cannot be empty".to_owned()) };
    }
    // Months and years differ in length, and so are no durations, though humantime would take them for some.
    match months(text) {
        Some(0) => Err("a window cannot be empty".to_owned()),
        Some(months) => Ok(WindowSize::Months(months)),
        None => duration(text).map(WindowSize::Span),
    }
}

fn months(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u32 = text[..digits].parse().ok()?;
    let each = match text[digits..].trim_start() {
        "month" | "months" | "mon" | "mons" | "M" => 1,
        "quarter" | "quarters" => 3,
        "year" | "years" | "y" => 12,
        _ => return None,
    };
    count.checked_mul(each)
}

/// `90s`, `6h`, `1day 12h`: above zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 90s, 6h or 1d"))?;
    if duration.is_zero() { Err("it must be above zero".to_owned()) } else { Ok(duration) }
}

/// A duration, or `none`.
pub(super) fn timeout(text: &str) -> Result<OptionalDuration, String> {
    match text {
        "none" => Ok(OptionalDuration(None)),
        _ => duration(text).map(|limit| OptionalDuration(Some(limit))),
    }
}

/// A lease is renewed every third of it, over a network that may be slow.
pub(super) fn lease(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|lease| match lease >= Duration::from_secs(3) {
        true => Ok(lease),
        false => Err("it must be 3 s or longer".to_owned()),
    })
}

/// `64MB`, `256MiB`, `1048576`: above zero.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 12] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
        ("b", 1),
    ];
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(name, bytes)| lower.strip_suffix(name).map(|count| (count, *bytes)));
    let (count, each) = unit.unwrap_or((&lower, 1));
    let bytes = count.trim().parse::<u64>().ok().and_then(|count| count.checked_mul(each)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "write a size above zero as 64MiB, 1GB or a number of bytes".to_owned())
}

/// A count above zero.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a number above zero".to_owned())
}

/// `100`, or a share such as `0.5%`, in steps of a millionth.
pub(super) fn max_rejects(text: &str) -> Result<MaxRejects, String> {
    let wrong = || "write a number of rows, or a share of them such as 0.5%".to_owned();
    match text.trim().strip_suffix('%') {
        None => text.trim().parse().map(MaxRejects::Rows).map_err(|_| wrong()),
        Some(percent) => per_million(percent.trim_end()).map(MaxRejects::PerMillion).ok_or_else(wrong),
    }
}

/// A percentage of up to four decimals as millionths.
fn per_million(percent: &str) -> Option<u32> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
    let is_plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 4 || !is_plain(whole) || !is_plain(decimals) {
        return None;
    }
    let share: u32 = format!("{whole}{decimals:0<4}").parse().ok()?;
    (share <= 1_000_000).then_some(share)
}

/// One ASCII character, `\t` for a tab, `\x1f` for one that cannot be typed.
pub(super) fn byte(text: &str) -> Result<u8, String> {
    match unescaped(text).as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("it must be one ASCII character, or \\t for a tab".to_owned()),
    }
}

/// One to eight bytes, of which some may be spelled as in [`byte`].
pub(super) fn delimiter(text: &str) -> Result<String, String> {
    let delimiter = unescaped(text);
    match delimiter.len() {
        1..=8 => Ok(delimiter),
        _ => Err("it must be 1 to 8 bytes long; \\t is a tab".to_owned()),
    }
}

/// `text` with `\t`, `\\` and `\x00` to `\x7f` replaced by what they stand for. Any other backslash is one.
fn unescaped(text: &str) -> String {
    if text == "tab" {
        return "\t".to_owned();
    }
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.strip_prefix("\\x").and_then(|digits| digits.get(..2));
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        let (character, length) = match (code, rest.as_bytes().get(1)) {
            (Some(code), _) => (char::from(code), 4),
            (None, Some(b't')) => ('\t', 2),
            (None, Some(b'\\')) => ('\\', 2),
            (None, _) => ('\\', 1),
        };
        plain.push(character);
        rest = &rest[length..];
    }
    plain + rest
}

/// One ASCII character, or `none`.
pub(super) fn byte_or_none(text: &str) -> Result<OptionalByte, String> {
    match text {
        "none" | "" => Ok(OptionalByte(None)),
        _ => byte(text).map(|byte| OptionalByte(Some(byte))),
    }
}

/// `source=target`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((source, target)) if !source.is_empty() && !target.is_empty() => {
            Ok((source.to_owned(), target.to_owned()))
        }
        _ => Err("write it as source=target".to_owned()),
    }
}

pub(super) fn zone(text: &str) -> Result<Zone, String> {
    Zone::parse(text).map_err(|error| error.to_string())
}

/// `format`, or `column=format`. What stands before the first `=` is a column unless it has a directive itself.
pub(super) fn time_format(text: &str) -> Result<(Option<String>, TimeFormat), String> {
    let (column, format) = match text.split_once('=') {
        Some((column, format)) if !column.is_empty() && !column.contains('%') => (Some(column.to_owned()), format),
        _ => (None, text),
    };
    TimeFormat::parse(format).map(|format| (column, format)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_calendar_units_and_hours_are_durations() {
        assert_eq!(window("1 month"), Ok(WindowSize::Months(1)));
        assert_eq!(window("2years"), Ok(WindowSize::Months(24)));
        assert_eq!(window("1 quarter"), Ok(WindowSize::Months(3)));
        assert_eq!(window("6h"), Ok(WindowSize::Span(Duration::from_secs(21_600))));
        assert_eq!(window("7d"), Ok(WindowSize::Span(Duration::from_secs(604_800))));
        assert_eq!(window("100000"), Ok(WindowSize::Keys(100_000)));
        assert_eq!(window("auto"), Ok(WindowSize::Auto));
        assert!(window("0").is_err() && window("0 months").is_err() && window("sometimes").is_err());
    }

    #[test]
    fn sizes_take_binary_and_decimal_units() {
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("1 GB"), Ok(1_000_000_000));
        assert_eq!(bytes("4096"), Ok(4096));
        assert!(bytes("0").is_err() && bytes("lots").is_err() && bytes("99999999TiB").is_err());
    }

    #[test]
    fn a_bound_may_be_relative() {
        assert_eq!(bound("30 days ago"), Ok(Bound::Ago(Duration::from_secs(30 * 86_400))));
        assert_eq!(bound("2024-01-01"), Ok(Bound::At("2024-01-01".to_owned())));
        assert!(bound("some time ago").is_err());
    }

    #[test]
    fn rejects_are_limited_by_number_or_by_share() {
        assert_eq!(max_rejects("100"), Ok(MaxRejects::Rows(100)));
        assert_eq!(max_rejects("0.5%"), Ok(MaxRejects::PerMillion(5_000)));
        assert_eq!(max_rejects("100 %"), Ok(MaxRejects::PerMillion(1_000_000)));
        for wrong in ["", "%", "-1", "101%", "0.00001%", "1e3", ".5%", "+1%"] {
            assert!(max_rejects(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_separator_is_one_character() {
        assert_eq!(byte(r"\t"), Ok(b'\t'));
        assert_eq!(byte(";"), Ok(b';'));
        assert_eq!(byte_or_none("none"), Ok(OptionalByte(None)));
        assert!(byte("||").is_err() && byte("ü").is_err());
    }

    #[test]
    fn a_delimiter_may_be_long_and_may_be_spelled() {
        for (text, meant) in [
            ("||", "||"),
            (r"\t", "\t"),
            ("tab", "\t"),
            (r"\x1f\x1E", "\x1f\x1e"),
            ("§", "§"),
            ("\\", "\\"),
            (r"\\t", r"\t"),
        ] {
            assert_eq!(delimiter(text).as_deref(), Ok(meant));
        }
        assert!(delimiter("").is_err() && delimiter("123456789").is_err());
        assert_eq!(delimiter(r"\xZZ|").as_deref(), Ok(r"\xZZ|"), "a backslash that means nothing else is one");
    }
}
