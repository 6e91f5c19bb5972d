//! How texts of options are read, and what is refused.

use clap::{CommandFactory as _, Parser as _};

use super::super::Cli;
use super::*;

/// Each option that takes a number: the least and the most that it takes, and what is just outside of them.
const NUMBERS: [(&str, &[&str], &[&str]); 21] = [
    ("workers", &["1", "1024"], &["0", "1025"]),
    ("threads", &["1", "1024"], &["0", "1025", "100000"]),
    ("batch-rows", &["1", "1000000000"], &["0", "1000000001"]),
    ("batch-bytes", &["1", "1TiB", "1099511627776"], &["0", "1099511627777", "2TiB"]),
    ("memory", &["1MiB", "1TiB"], &["0", "1023KiB", "1048575", "1025GiB"]),
    ("spool-bytes", &["1", "1024TiB"], &["0", "1025TiB"]),
    ("reject-bytes", &["1", "64MiB"], &["0", "67108865"]),
    ("record-bytes", &["1", "1GiB"], &["0", "1073741825", "2GiB"]),
    ("skip-lines", &["0", "1000000"], &["1000001"]),
    ("footer-lines", &["0", "1000000"], &["1000001"]),
    ("objects-max", &["1", "10000000"], &["0", "10000001"]),
    ("pieces-max", &["1", "40000000"], &["0", "40000001"]),
    ("windows-max", &["1", "10000000"], &["0", "10000001"]),
    ("max-rejects", &["0", "1000000000", "0%", "100%"], &["1000000001", "100.0001%", "101%"]),
    ("retry-for", &["1ms", "30d"], &["0s", "999us", "30d 1ns"]),
    ("lease", &["3s", "1d"], &["0s", "2999ms", "1d 1ns"]),
    ("statement-timeout", &["none", "1ms", "30d"], &["0s", "1us", "31d"]),
    (
        "window",
        &["auto", "1", "9223372036854775807", "1us", "3652425d", "120000 months", "10000y"],
        &["0", "9223372036854775808", "1ns", "3652425d 1ns", "0 months", "120001 months", "10001y"],
    ),
    ("from", &["1ns ago", "3652425d ago"], &["0s ago", "3652426d ago"]),
    ("until", &["1ns ago", "3652425d ago"], &["0s ago", "3652426d ago"]),
    ("demo rows", &["600000", "100000000"], &["0", "599999", "100000001"]),
];

/// What no number is, or is past every type.
const NO_NUMBERS: [&str; 7] = ["", "-1", "+-1", "1e99", "18446744073709551616", "99999999999999999999999TiB", "0x10"];

fn parses(option: &str, value: &str) -> Result<(), String> {
    let words: Vec<String> = match option.strip_prefix("demo ") {
        Some(option) => vec!["demo".to_owned(), format!("--{option}={value}")],
        None => ["load", "x.csv", "--table=t", "--time-column=ts"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("--{option}={value}")])
            .collect(),
    };
    let words = std::iter::once("pgbackfill".to_owned()).chain(words);
    Cli::try_parse_from(words).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_number_has_a_least_and_a_most() {
    for (option, inside, outside) in NUMBERS {
        for value in inside {
            assert_eq!(parses(option, value), Ok(()));
        }
        let is_bound = option == "from" || option == "until";
        let past = ["18446744073709551615", "999999999d", "999999999999999999999999999d", "99999999999 years ago"];
        let never = NO_NUMBERS.iter().chain(&past).filter(|_| !is_bound);
        for value in outside.iter().chain(never).chain(is_bound.then_some(&past[3])) {
            let told = parses(option, value).expect_err(&format!("--{option}={value}"));
            assert!(told.len() < 500, "{told}");
        }
    }
}

#[test]
fn no_number_is_without_a_least_and_a_most() {
    let mut command = Cli::command();
    command.build();
    let load = command.find_subcommand("load").expect("there is a load");
    let numbers = ["N", "SIZE", "WIDTH", "TIME", "N|P%"];
    let is_number = |argument: &&clap::Arg| {
        argument.get_value_names().is_some_and(|names| names.iter().any(|name| numbers.contains(&name.as_str())))
    };
    for argument in load.get_arguments().filter(is_number) {
        let long = argument.get_long().expect("numbers are options");
        assert!(NUMBERS.iter().any(|(option, ..)| *option == long), "--{long}");
    }
}

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
    let read = |text| bytes(text, &(1..=1 << 40));
    assert_eq!(read("64MiB"), Ok(64 << 20));
    assert_eq!(read("1 GB"), Ok(1_000_000_000));
    assert_eq!(read("4096"), Ok(4096));
    assert!(read("0").is_err() && read("lots").is_err() && read("99999999TiB").is_err());
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
