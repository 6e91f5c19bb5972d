//! How the text of each option is read.

use std::ops::RangeInclusive;
use std::time::Duration;

use pgbackfill::{Bound, MaxRejects, TimeFormat, WindowSize, Zone, bounds, report};

use super::{OptionalByte, OptionalDuration};

/// What turns a switch on or off in the environment: 1, true, yes, on, and their opposites.
pub(super) fn switch() -> clap::builder::BoolishValueParser {
    clap::builder::BoolishValueParser::new()
}

/// `30 days ago`, or a text that the time column's type reads later.
pub(super) fn bound(text: &str) -> Result<Bound, String> {
    match text.trim().strip_suffix("ago") {
        Some(ago) => duration(ago.trim(), &bounds::AGO).map(Bound::Ago),
        None => Ok(Bound::At(text.to_owned())),
    }
}

/// `auto`, a calendar unit, a duration, or a plain number.
pub(super) fn window(text: &str) -> Result<WindowSize, String> {
    let text = text.trim();
    if text == "auto" {
        return Ok(WindowSize::Auto);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(text, &bounds::WINDOW_KEYS).map(WindowSize::Keys);
    }
    // Months and years differ in length, and so are no durations, though humantime would take them for some.
    match months(text) {
        Some(count) => within(count, &bounds::WINDOW_MONTHS)
            .and_then(|count| u32::try_from(count).ok())
            .map(WindowSize::Months)
            .ok_or_else(|| format!("write 1 to {} months", report::count(*bounds::WINDOW_MONTHS.end()))),
        None => duration(text, &bounds::WINDOW_SPAN).map(WindowSize::Span),
    }
}

fn within<T: PartialOrd>(value: T, bounds: &RangeInclusive<T>) -> Option<T> {
    bounds.contains(&value).then_some(value)
}

/// A whole number within `bounds`.
pub(super) fn number(text: &str, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
    let wrong = || {
        let [least, most] = [*bounds.start(), *bounds.end()].map(report::count);
        format!("write a whole number from {least} to {most}")
    };
    text.trim().parse().ok().and_then(|number| within(number, bounds)).ok_or_else(wrong)
}

/// Reads a whole number within `bounds`.
pub(super) fn numbers(
    bounds: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text| number(text, &bounds)
}

/// The same, of things that are counted in memory.
pub(super) fn counts(
    bounds: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| number(text, &bounds).and_then(|count| usize::try_from(count).map_err(|_| "it is too large".to_owned()))
}

fn months(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..digits].parse().ok()?;
    let each = match text[digits..].trim_start() {
        "month" | "months" | "mon" | "mons" | "M" => 1,
        "quarter" | "quarters" => 3,
        "year" | "years" | "y" => 12,
        _ => return None,
    };
    Some(count.saturating_mul(each))
}

/// `90s`, `6h`, `1day 12h`, within `bounds`.
pub(super) fn duration(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|error| told(&format!("{error}; write it as 90s, 6h or 1d")))?;
    within(duration, bounds).ok_or_else(|| {
        let [least, most] = [*bounds.start(), *bounds.end()].map(humantime::format_duration);
        format!("it must be from {least} to {most}")
    })
}

/// A reason that repeats what was typed, as one line.
fn told(reason: &str) -> String {
    report::escaped(reason).into_owned()
}

/// Reads a duration within `bounds`.
pub(super) fn durations(
    bounds: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| duration(text, &bounds)
}

/// A duration, or `none`.
pub(super) fn timeout(text: &str) -> Result<OptionalDuration, String> {
    match text {
        "none" => Ok(OptionalDuration(None)),
        _ => duration(text, &bounds::STATEMENT_TIMEOUT).map(|limit| OptionalDuration(Some(limit))),
    }
}

/// Reads a size within `bounds`.
pub(super) fn sizes(
    bounds: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text| bytes(text, &bounds)
}

/// `64MB`, `256MiB`, `1048576`, within `bounds`.
fn bytes(text: &str, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
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
    let bytes = count.trim().parse::<u64>().ok().and_then(|count| count.checked_mul(each));
    bytes.and_then(|bytes| within(bytes, bounds)).ok_or_else(|| {
        let [least, most] = [*bounds.start(), *bounds.end()].map(size);
        format!("write a size from {least} to {most}, as 64MiB, 1GB or a number of bytes")
    })
}

/// A size in the largest binary unit that leaves no rest.
fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, bits)| bytes >> bits > 0 && bytes.is_multiple_of(1 << bits));
    unit.map_or_else(|| format!("{bytes} B"), |(unit, bits)| format!("{} {unit}", bytes >> bits))
}

/// `100`, or a share such as `0.5%`, in steps of a millionth.
pub(super) fn max_rejects(text: &str) -> Result<MaxRejects, String> {
    let wrong = || {
        let most = report::count(*bounds::REJECTS.end());
        format!("write a number of rows up to {most}, or a share of them such as 0.5%")
    };
    match text.trim().strip_suffix('%') {
        None => {
            let rows = text.trim().parse().ok().and_then(|rows| within(rows, &bounds::REJECTS));
            rows.map(MaxRejects::Rows).ok_or_else(wrong)
        }
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
    Zone::parse(text).map_err(|error| told(&error.to_string()))
}

/// `format`, or `column=format`. What stands before the first `=` is a column unless it has a directive itself.
pub(super) fn time_format(text: &str) -> Result<(Option<String>, TimeFormat), String> {
    let (column, format) = match text.split_once('=') {
        Some((column, format)) if !column.is_empty() && !column.contains('%') => (Some(column.to_owned()), format),
        _ => (None, text),
    };
    TimeFormat::parse(format).map(|format| (column, format)).map_err(|error| told(&error.to_string()))
}

#[cfg(test)]
mod tests;
