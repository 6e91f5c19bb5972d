//! Formats: what they read, exactly, and what they refuse.

use super::super::{parse_timestamp, read_timestamptz};
use super::*;
use crate::model::Zone;

fn read(format: &str, text: &str) -> Result<String, String> {
    let format = TimeFormat::parse(format).map_err(|error| error.to_string())?;
    let micros = read_timestamptz(&format, text.as_bytes(), &Zone::UTC, false).map_err(|fault| fault.to_string())?;
    Ok(super::super::format_timestamp(micros))
}

#[test]
fn a_format_reads_its_texts_exactly() {
    for (format, text, moment) in [
        ("%d/%m/%Y %H:%M:%S", "31/01/2024 12:34:56", "2024-01-31 12:34:56"),
        ("%d/%m/%Y", "1/2/2024", "2024-02-01 00:00:00"),
        ("%d.%m.%y %H:%M", "31.01.69 24:00", "1969-02-01 00:00:00"),
        ("%d.%m.%y", "31.01.68", "2068-01-31 00:00:00"),
        ("%Y%m%d%H%M%S%f", "20240131123456123456", "2024-01-31 12:34:56.123456"),
        ("%Y%m%d%H", "2024013112", "2024-01-31 12:00:00"),
        ("%m/%d/%Y %I:%M:%S %p", "01/31/2024 12:34:56 am", "2024-01-31 00:34:56"),
        ("%D %l:%M%P", "01/31/24  3:04pm", "2024-01-31 15:04:00"),
        ("%F %T%.f", "2024-01-31 12:34:56", "2024-01-31 12:34:56"),
        ("%F %T%.f", "2024-01-31   12:34:56.1234565", "2024-01-31 12:34:56.123456"),
        ("%FT%T.%f%z", "2024-01-31T12:34:56.5+0130", "2024-01-31 11:04:56.5"),
        ("%FT%T%:z", "2024-01-31T12:34:56-01:30", "2024-01-31 14:04:56"),
        ("%FT%T%z", "2024-01-31T12:34:56Z", "2024-01-31 12:34:56"),
        ("%a %b %e %H:%M:%S %Z %Y", "Wed Jan 31 12:34:60 UTC 2024", "2024-01-31 12:35:00"),
        ("%A, %d %B %Y", "wednesday, 31 JANUARY 2024", "2024-01-31 00:00:00"),
        ("%Y.%j", "2024.366", "2024-12-31 00:00:00"),
        ("100%% %Y-%m-%d", "100% 2024-01-31", "2024-01-31 00:00:00"),
        ("%Y年%m月%d日", "2024年1月31日", "2024-01-31 00:00:00"),
        ("%Y-%m-%d", " 12024-01-31 ", "12024-01-31 00:00:00"),
        ("epoch-s", "1706704496", "2024-01-31 12:34:56"),
        ("epoch-s", "-0.5", "1969-12-31 23:59:59.5"),
        ("epoch-s", "1706704496.1234560", "2024-01-31 12:34:56.123456"),
        ("epoch-ms", "1706704496123", "2024-01-31 12:34:56.123"),
        ("epoch-us", "-1", "1969-12-31 23:59:59.999999"),
        ("epoch-ns", "1706704496123456000", "2024-01-31 12:34:56.123456"),
    ] {
        assert_eq!(read(format, text).as_deref(), Ok(moment), "{format} {text}");
    }
}

#[test]
fn what_does_not_match_its_format_is_refused() {
    for (format, text) in [
        ("%d/%m/%Y", "31/13/2024"),
        ("%d/%m/%Y", "30/02/2024"),
        ("%d/%m/%Y", "31/01/24"),
        ("%d/%m/%Y", "31/01/0000"),
        ("%d/%m/%Y", "31/01/2024x"),
        ("%d/%m/%Y", "31-01-2024"),
        ("%d/%m/%Y", ""),
        ("%d/%m/%y", "31/01/2024"),
        ("%F %T", "2024-01-31"),
        ("%F %T", "2024-01-3112:34:56"),
        ("%F %T", "2024-01-31 12:34:61"),
        ("%F %T", "2024-01-31 24:00:01"),
        ("%F %T.%f", "2024-01-31 12:34:56."),
        ("%F %T", "2024-01-31 12:34:56.5"),
        ("%F %I:%M %p", "2024-01-31 13:00 PM"),
        ("%F %I:%M %p", "2024-01-31 00:00 AM"),
        ("%F %T%z", "2024-01-31 12:34:56"),
        ("%F %T%z", "2024-01-31 12:34:56+16"),
        ("%F %T %Z", "2024-01-31 12:34:56 CET"),
        ("%a %F", "Tue 2024-01-31"),
        ("%Y%j", "2023366"),
        ("%F", "294277-01-01"),
        ("epoch-s", "1e9"),
        ("epoch-s", "."),
        ("epoch-s", "1."),
        ("epoch-s", "1.0000001"),
        ("epoch-s", "99999999999999"),
        ("epoch-ms", "1.5"),
        ("epoch-ns", "1"),
        ("epoch-us", "99999999999999999999"),
        ("epoch-us", "infinity"),
    ] {
        assert!(read(format, text).is_err(), "{format} {text}");
    }
}

#[test]
fn a_format_that_leaves_something_to_guess_is_refused() {
    for format in [
        "",
        "%H:%M",
        "%Y-%m",
        "%m-%d",
        "%F %M",
        "%F %H:%S",
        "%F %I:%M",
        "%F %H:%M %p",
        "%F %Y",
        "%F %Q",
        "%F %",
        "epoch",
        "%F %H.%f",
    ] {
        assert!(TimeFormat::parse(format).is_err(), "{format}");
    }
    assert_eq!(TimeFormat::parse("%d/%m/%Y").unwrap().to_string(), "%d/%m/%Y");
    assert_eq!(TimeFormat::parse("epoch-ms").unwrap().to_string(), "epoch-ms");
}

#[test]
fn a_loss_that_is_allowed_goes_toward_the_past() {
    let lossy = |format: &str, text: &str| {
        let format = TimeFormat::parse(format).unwrap();
        read_timestamptz(&format, text.as_bytes(), &Zone::UTC, true).map(super::super::format_timestamp).unwrap()
    };
    assert_eq!(lossy("epoch-ns", "1999"), "1970-01-01 00:00:00.000001");
    assert_eq!(lossy("epoch-ns", "-1"), "1969-12-31 23:59:59.999999");
    assert_eq!(lossy("epoch-s", "0.0000019"), "1970-01-01 00:00:00.000001");
    assert_eq!(lossy("epoch-s", "-0.0000019"), "1969-12-31 23:59:59.999998");
    assert_eq!(
        parse_timestamp(b"1969-12-31 23:59:59.999998").map(super::super::format_timestamp).unwrap(),
        "1969-12-31 23:59:59.999998"
    );
}
