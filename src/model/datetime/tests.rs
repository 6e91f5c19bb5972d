//! Tests of reading and writing: tables of texts with the values that `PostgreSQL` 15 stored for them, and round trips.

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn assert_all<T: PartialEq + Debug + Copy>(table: &[(&str, T)], read: impl Fn(&[u8]) -> Result<T, Fault>) {
    for (text, stored) in table {
        assert_eq!(read(text.as_bytes()), Ok(*stored), "{text:?}");
    }
}

fn assert_none<T: Debug>(texts: &[&str], read: impl Fn(&[u8]) -> Result<T, Fault>) {
    for text in texts {
        assert!(read(text.as_bytes()).is_err(), "{text:?} was read as {:?}", read(text.as_bytes()));
    }
}

fn interval_fields(text: &[u8]) -> Result<(i32, i32, i64), Fault> {
    parse_interval(text).map(|interval| (interval.months, interval.days, interval.micros))
}

#[test]
fn dates_are_stored_as_the_server_stores_them() {
    assert_all(DATES, parse_date);
}

#[test]
fn times_are_stored_as_the_server_stores_them() {
    assert_all(TIMES, parse_time);
    assert_all(TIMES_WITH_ZONE, |text| parse_timetz(text, &Zone::UTC));
}

#[test]
fn timestamps_are_stored_as_the_server_stores_them() {
    assert_all(TIMESTAMPS, parse_timestamp);
}

/// The values are those of a session in Europe/Berlin.
#[test]
fn timestamps_with_zone_are_stored_as_the_server_stores_them() {
    assert_all(TIMESTAMPS_WITH_ZONE, |text| parse_timestamptz(text, &berlin()));
}

#[test]
fn intervals_are_stored_as_the_server_stores_them() {
    assert_all(INTERVALS, interval_fields);
}

#[test]
fn a_date_that_does_not_exist_or_is_no_iso_form_is_refused() {
    assert_none(
        &[
            "",
            " ",
            "2024",
            "2024-01",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-01-32",
            "0000-01-01",
            "0000-01-01 BC",
            "24-01-31",
            "01/31/2024",
            "31.01.2024",
            "2024-031",
            "2024-W05",
            "2024-01-31-",
            "2024-01/31",
            "2024 01 31",
            "Jan 31 24",
            "31 Jan 024",
            "Jan 2024",
            "Januar 31 2024",
            "now",
            "today",
            "J2451187",
            "2024-01-31 12:00:00",
            "2024-01-31x",
            "4714-11-23 BC",
            "5874898-01-01",
            "99999999999999999999-01-01",
            "NaN",
            "null",
            "2024-01-31BC",
            "２024-01-31",
        ],
        parse_date,
    );
}

#[test]
fn a_timestamp_of_another_form_is_refused() {
    let texts = [
        "",
        "infinit",
        "now",
        "2024-01-31 ",
        "2024-01-31 12:60",
        "2024-01-31 24:00:01",
        "2024-01-31 25:00",
        "2024-01-31 12:34:61",
        "2024-01-31 23:59:60.5",
        "2024-01-31 12:34.5",
        "2024-01-31 1234",
        "20240131T123456-05:30",
        "20240131T123456.",
        "Jan 31 2024:12:34:56",
        "Jan 31 12:34:56 CET 2024",
        "Jan 31 123456 2024",
        "4/Jan/2026Z",
        "2024-Jan-02Z",
        "2024-Jan-02GMT",
        "2024-01-31T",
        "2024-01-31 12",
        "2024-01-31T12Z",
        "2024-01-31 12:34:56 CET",
        "2024-01-31 12:34:56+16",
        "2024-01-31 12:34:56+",
        "2024-01-31 12:34:56+05 05",
        "2024-01-31 12:34:56 Europe/Berlin",
        "2024-01-31 13:00 PM",
        "2024-01-31 11:00 PM-05",
        "2024-01-31, 12:34",
        "2024-01-31_12:34:56",
        "12:34:56",
        "294277-01-01 00:00:00",
        "4714-11-23 23:59:59 BC",
        "1706702400",
        "2024-01-31 12:34:56,5",
        "2024-01-31 12:34:56 UTC+5",
        "2024-01-31 12:34:56Z12",
        "2024-01-31 12:34:56Z12:12",
        "2024-01-31T12:34:56[Europe/Berlin]",
    ];
    assert_none(&texts[4..], parse_timestamp);
    assert_none(&texts[4..], |text| parse_timestamptz(text, &Zone::UTC));
    assert_none(&texts[..3], parse_timestamp);
}

#[test]
fn a_time_of_another_form_is_refused() {
    let texts =
        ["", "12", "12:", "123", "1234.5", "24:00:00.1", "12:34:56:78", "12:34:56 BC", "2024-01-31 12:34:56", "-01:00"];
    assert_none(&texts, parse_time);
    assert_none(&["04:05:06 Europe/Berlin", "04:05:06 CET"], |text| parse_timetz(text, &Zone::UTC));
    assert_none(&["04:05:06"], |text| parse_timetz(text, &berlin()));
}

#[test]
fn an_interval_that_is_read_by_setting_or_version_is_refused() {
    assert_none(
        &[
            "",
            "1.5 years",
            "P1.5Y",
            "0.5 decades",
            "day",
            "1 fortnight",
            "1 day 1 day",
            "1 s 04:05:06",
            "04:05:06 1 day",
            "1.5 s 2 ms",
            "ago",
            "1:2.5",
            "1:60",
            "P",
            "P1S",
            "PT1D",
            " P1D",
            "P1D ",
            "p1d",
            "P20240101",
            "PT040506",
            "1-12",
            "1 2",
            "3 5 days",
            "-1-2 days",
            "infinity",
            "178956970 years 8 mons",
            "2147483648 days",
            "2562047788:00:54.775808",
            "P1e3D",
            "1e3 days",
            "+P1D",
        ],
        parse_interval,
    );
}

#[test]
fn the_interval_that_later_servers_take_for_infinity_is_refused() {
    let almost = "2147483647 mons 2147483647 days 2562047788:00:54.775806";
    assert!(parse_interval(almost.as_bytes()).is_ok());
    assert_none(&["2147483647 mons 2147483647 days 2562047788:00:54.775807"], parse_interval);
}

#[test]
fn a_text_longer_than_the_servers_buffers_is_refused() {
    let text = format!("2024-01-31 12:34:56.{}", "0".repeat(200));
    assert_none(&[text.as_str()], parse_timestamp);
    assert!(parse_timestamp(&text.as_bytes()[..100]).is_ok());
}

#[test]
fn texts_drop_what_says_nothing() {
    let short = |text: &str| Stamp::from_micros(parse_timestamp(text.as_bytes()).unwrap()).short();
    assert_eq!(short("2024-01-01 00:00:00"), "2024-01-01");
    assert_eq!(short("2024-01-01 06:00:00"), "2024-01-01 06:00");
    assert_eq!(short("2024-01-01 06:00:01.5"), "2024-01-01 06:00:01.5");
    assert_eq!(short("2024-01-01 00:00:00.000001"), "2024-01-01 00:00:00.000001");
    assert_eq!(short("0044-03-15 12:00:00 BC"), "0044-03-15 12:00 BC");
}

#[test]
fn texts_have_the_servers_own_form() {
    assert_eq!(format_date(8_796), "2024-01-31");
    assert_eq!(format_date(DATE_MIN), "4714-11-24 BC");
    assert_eq!(format_date(i32::MAX.into()), "infinity");
    assert_eq!(format_date(i32::MIN.into()), "-infinity");
    assert_eq!(format_timestamp(0), "2000-01-01 00:00:00");
    assert_eq!(format_timestamp(-1), "1999-12-31 23:59:59.999999");
    assert_eq!(format_timestamp(i64::MAX), "infinity");
    assert_eq!(format_timestamptz(i64::MIN), "-infinity");
    assert_eq!(format_timestamptz(500_000), "2000-01-01 00:00:00.5+00");
    assert_eq!(format_timestamptz(TIMESTAMP_MIN), "4714-11-24 00:00:00+00 BC");
}

#[test]
fn rounding_goes_away_from_2000_on_a_tie_and_never_past_the_range() {
    let table = [
        (1_500_000, 0, Some(2_000_000)),
        (-1_500_000, 0, Some(-2_000_000)),
        (1_499_999, 0, Some(1_000_000)),
        (-1_499_999, 0, Some(-1_000_000)),
        (1_234_565, 5, Some(1_234_570)),
        (1_234_567, 6, Some(1_234_567)),
        (i64::MAX, 0, Some(i64::MAX)),
        (i64::MIN, 3, Some(i64::MIN)),
        (TIMESTAMP_END - 1, 0, None),
        (TIMESTAMP_MIN, 0, Some(TIMESTAMP_MIN)),
    ];
    for (micros, digits, rounded) in table {
        assert_eq!(round_timestamp(micros, digits), rounded, "{micros} to {digits}");
    }
}

/// The plain form has a reader of its own; white space in front leads past it.
fn past_the_plain_reader(text: &str) -> String {
    format!(" {text}")
}

proptest! {
    #[test]
    fn dates_go_to_text_and_back(days in DATE_MIN..DATE_END) {
        prop_assert_eq!(parse_date(format_date(days).as_bytes()).map(i64::from), Ok(days));
    }

    #[test]
    fn timestamps_go_to_text_and_back(micros in TIMESTAMP_MIN..TIMESTAMP_END) {
        prop_assert_eq!(parse_timestamp(format_timestamp(micros).as_bytes()), Ok(micros));
        prop_assert_eq!(parse_timestamptz(format_timestamptz(micros).as_bytes(), &berlin()), Ok(micros));
    }

    #[test]
    fn short_texts_go_back_to_their_timestamp(seconds in -3_000_000_000_i64..9_000_000_000, micros in 0..2_i64) {
        let micros = seconds * MICROS_PER_SECOND + micros;
        prop_assert_eq!(parse_timestamp(Stamp::from_micros(micros).short().as_bytes()), Ok(micros));
    }

    #[test]
    fn the_plain_reader_agrees_with_the_general_one(
        text in "(000[01]|19[0-9]{2}|20[0-2][0-9])-(0[0-9]|1[0-3])-([0-2][0-9]|3[0-2])[ Tt]([01][0-9]|2[0-5]):[0-6][0-9]:[0-6][0-9]\
                 (\\.[0-9]{0,8})?([Z+-][Z0-9:+-]{0,6}|[+-]1?[0-9]|[+-][01][0-9]:?[0-6][0-9])?",
    ) {
        let general = past_the_plain_reader(&text);
        prop_assert_eq!(parse_timestamp(text.as_bytes()), parse_timestamp(general.as_bytes()));
        let read = |text: &str| parse_timestamptz(text.as_bytes(), &berlin());
        prop_assert_eq!(read(&text), read(&general));
        let date = &text[..10];
        prop_assert_eq!(parse_date(date.as_bytes()), parse_date(past_the_plain_reader(date).as_bytes()));
    }

    #[test]
    fn times_go_to_text_and_back(micros in 0..=MICROS_PER_DAY, west in -57_599_i32..57_600) {
        let clock = clock_text(micros);
        prop_assert_eq!(parse_time(clock.as_bytes()), Ok(micros));
        let (sign, east) = (if west > 0 { "-" } else { "+" }, west.abs());
        let offset = format!("{sign}{:02}:{:02}:{:02}", east / 3600, east / 60 % 60, east % 60);
        prop_assert_eq!(parse_timetz(format!("{clock} {offset}").as_bytes(), &berlin()), Ok((micros, west)));
    }

    #[test]
    fn intervals_go_to_text_and_back(months: i32, days: i32, micros in -i64::MAX..i64::MAX) {
        let sign = if micros < 0 { "-" } else { "" };
        let text = format!("{} years {} mons {days} days {sign}{}", months / 12, months % 12, clock_text(micros.abs()));
        prop_assert_eq!(interval_fields(text.as_bytes()), Ok((months, days, micros)));
    }

    #[test]
    fn no_bytes_at_all_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[0-9TZPYMDHS:. +-]{0,30}") {
        for text in [bytes.as_slice(), text.as_bytes()] {
            let _ = parse_date(text);
            let _ = parse_timetz(text, &berlin());
            let _ = parse_timestamp(text);
            let _ = parse_timestamptz(text, &berlin());
            let _ = parse_interval(text);
        }
    }
}

fn clock_text(micros: i64) -> String {
    let (seconds, micros) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
    format!("{:02}:{:02}:{:02}.{micros:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

const DATES: &[(&str, i32)] = &[
    ("2024-01-31", 8_796),
    ("20240131", 8_796),
    ("2024/1/5", 8_770),
    ("2024-01-31 ", 8_796),
    ("\t2024-02-29\n", 8_825),
    ("1999-12-31", -1),
    ("0001-01-01", -730_119),
    ("0001-12-31 BC", -730_120),
    ("0044-03-15 BC", -746_117),
    ("0005-02-29 BC", -731_887),
    ("4714-11-24 BC", -2_451_545),
    ("12024-01-31", 3_661_221),
    ("5874897-12-31", 2_145_031_948),
    ("infinity", i32::MAX),
    ("-Infinity", i32::MIN),
    ("epoch", -10_957),
    ("2024-01-31 00:00:00", 8_796),
    ("2024-01-31T00:00:00+05", 8_796),
    ("2024-01-31 AD", 8_796),
    ("2024.01.31", 8_796),
    ("2024-01-31Z", 8_796),
    ("2024-01-31+05:30", 8_796),
    ("31 Jan 2024", 8_796),
    ("31-JAN-2024", 8_796),
    ("2024-jan-31", 8_796),
    ("January 31, 2024", 8_796),
    ("Wed, 31 Jan 2024", 8_796),
    ("15 Mar 0044 BC", -746_117),
    ("0099-01-01", -694_325),
    ("002024-01-31", 8_796),
];

const TIMES: &[(&str, i64)] = &[
    ("00:00", 0),
    ("04:05", 14_700_000_000),
    ("4:5:6", 14_706_000_000),
    ("04:05:06.789", 14_706_789_000),
    ("23:59:59.999999", 86_399_999_999),
    ("24:00:00", 86_400_000_000),
    ("23:59:60", 86_400_000_000),
    ("12:30:60.5", 45_060_500_000),
    ("00:00:00.0000005", 0),
    ("00:00:00.0000015", 2),
    ("00:00:00.0000025", 2),
    ("00:00:00.9999999", 1_000_000),
    ("23:59:59.9999999", 86_400_000_000),
    ("04:05:06 AM", 14_706_000_000),
    ("12:05 am", 300_000_000),
    ("12:05 PM", 43_500_000_000),
    ("4:05pm", 57_900_000_000),
    ("040506", 14_706_000_000),
    ("040506.25", 14_706_250_000),
    ("04:05:06+05", 14_706_000_000),
    ("04:05:06Z", 14_706_000_000),
    ("04:05:06.", 14_706_000_000),
    ("0405", 14_700_000_000),
    ("T0405Z", 14_700_000_000),
    ("040506-08", 14_706_000_000),
];

const TIMES_WITH_ZONE: &[(&str, (i64, i32))] = &[
    ("04:05:06+05", (14_706_000_000, -18_000)),
    ("04:05:06-05:30", (14_706_000_000, 19_800)),
    ("04:05:06.25Z", (14_706_250_000, 0)),
    ("04:05:06 UTC", (14_706_000_000, 0)),
    ("04:05:06+05:30:15", (14_706_000_000, -19_815)),
    ("04:05:06", (14_706_000_000, 0)),
    ("24:00:00-15:59:59", (86_400_000_000, 57_599)),
    ("0:00+0530", (0, -19_800)),
];

const TIMESTAMPS: &[(&str, i64)] = &[
    ("2024-01-31 12:34:56", 760_019_696_000_000),
    ("2024-01-31T12:34:56.789", 760_019_696_789_000),
    ("2024-01-31T12:34:56.789012Z", 760_019_696_789_012),
    ("2024-01-31 12:34:56+05", 760_019_696_000_000),
    ("2024-01-31 12:34", 760_019_640_000_000),
    ("2024-01-31", 759_974_400_000_000),
    ("20240131T123456", 760_019_696_000_000),
    ("20240131 12:34:56", 760_019_696_000_000),
    ("2024-1-5   1:2:3", 757_731_723_000_000),
    ("2024-01-31 24:00:00", 760_060_800_000_000),
    ("2024-12-31 23:59:60", 789_004_800_000_000),
    ("1999-12-31 23:59:59.999999", -1),
    ("1969-07-20 20:17:40", -960_867_740_000_000),
    ("2024-01-31 12:34:56.1234565", 760_019_696_123_456),
    ("2024-01-31 12:34:56.1234575", 760_019_696_123_458),
    ("2024-01-31 12:34:56.123456499999", 760_019_696_123_456),
    ("2024-01-31 12:34:56.9999995", 760_019_697_000_000),
    ("2024-01-31 12:34:56.00000050000000000001", 760_019_696_000_001),
    ("2024-01-31 12:34 pm", 760_019_640_000_000),
    ("2024-01-31 12:34:56.", 760_019_696_000_000),
    ("20240131T1234", 760_019_640_000_000),
    ("Jan 31, 2024, 12:34 PM", 760_019_640_000_000),
    ("Wed Jan 31 12:34:56 2024", 760_019_696_000_000),
    ("31/Jan/2024:12:34:56 +0100", 760_019_696_000_000),
    ("2024-01-31 12:00:00 AM", 759_974_400_000_000),
    ("0044-03-15 12:00:00 BC", -64_464_465_600_000_000),
    ("0001-12-31 23:59:59 BC", -63_082_281_601_000_000),
    ("4714-11-24 00:00:00 BC", -211_813_488_000_000_000),
    ("294276-12-31 23:59:59.999999", 9_223_371_331_199_999_999),
    ("infinity", i64::MAX),
    ("-infinity", i64::MIN),
    ("epoch", -946_684_800_000_000),
    (" 2024-01-31 12:34:56 ", 760_019_696_000_000),
    ("10000-01-01 00:00:00", 252_455_616_000_000_000),
];

const TIMESTAMPS_WITH_ZONE: &[(&str, i64)] = &[
    ("2024-01-31 12:34:56+00", 760_019_696_000_000),
    ("2024-01-31T12:34:56Z", 760_019_696_000_000),
    ("20240131T123456-0530", 760_039_496_000_000),
    ("2024-01-31+05", 759_956_400_000_000),
    ("Wed, 31 Jan 2024 12:34:56 +0000", 760_019_696_000_000),
    ("Wed Jan 31 12:34:56 UTC 2024", 760_019_696_000_000),
    ("Wed Jan 31 12:34:56 2024 -0500", 760_037_696_000_000),
    ("2024-01-31T12:34:56.789z", 760_019_696_789_000),
    ("2024-01-31 12:34:56-05", 760_037_696_000_000),
    ("2024-01-31 12:34:56+0530", 759_999_896_000_000),
    ("2024-01-31 12:34:56 +530", 759_999_896_000_000),
    ("2024-01-31 12:34:56+05:30", 759_999_896_000_000),
    ("2024-01-31 12:34:56.5-05:30:15", 760_039_511_500_000),
    ("2024-01-31 12:34:56+15:59:59", 759_962_097_000_000),
    ("2024-01-31 12:34:56 UTC", 760_019_696_000_000),
    ("2024-01-31 12:34:56GMT", 760_019_696_000_000),
    ("20240131T123456+0530", 759_999_896_000_000),
    ("2024-01-31 12:34:56", 760_016_096_000_000),
    ("2024-07-31 12:34:56", 775_737_296_000_000),
    ("2024-07-31", 775_692_000_000_000),
    ("2024-03-31 02:30:00", 765_163_800_000_000),
    ("2024-03-31 02:00:00", 765_162_000_000_000),
    ("2024-03-31 01:59:59.999999", 765_161_999_999_999),
    ("2024-03-31 03:00:00", 765_162_000_000_000),
    ("2024-10-27 02:30:00", 783_307_800_000_000),
    ("2024-10-27 01:59:59", 783_302_399_000_000),
    ("2024-10-27 03:00:00", 783_309_600_000_000),
    ("1850-01-01 00:00:00", -4_733_513_608_000_000),
    ("1945-05-24 02:30:00", -1_723_246_200_000_000),
    ("2150-07-01 00:00:00", 4_749_228_000_000_000),
    ("12024-07-01 12:00:00", 316_342_663_200_000_000),
    ("294276-07-01 12:00:00", 9_223_355_469_600_000_000),
    ("0044-03-15 12:00:00 BC", -64_464_468_808_000_000),
    ("4714-11-23 23:00:00-05 BC", -211_813_473_600_000_000),
    ("294277-01-01 00:00:00+01", 9_223_371_327_600_000_000),
    ("0044-03-15 12:00:00+00 BC", -64_464_465_600_000_000),
    ("infinity", i64::MAX),
    ("-infinity", i64::MIN),
    ("epoch", -946_684_800_000_000),
];

const INTERVALS: &[(&str, (i32, i32, i64))] = &[
    ("1 year 2 mons 3 days 04:05:06.789", (14, 3, 14_706_789_000)),
    ("1 year", (12, 0, 0)),
    ("-1 year -2 mons +3 days -04:05:06", (-14, 3, -14_706_000_000)),
    ("04:05:06", (0, 0, 14_706_000_000)),
    ("-00:00:01", (0, 0, -1_000_000)),
    ("1:2", (0, 0, 3_720_000_000)),
    ("00:00:60", (0, 0, 60_000_000)),
    ("100000:00:00.5", (0, 0, 360_000_000_500_000)),
    ("1 day ago", (0, -1, 0)),
    ("1 year 2 mons -3 days 04:05:06.789 ago", (-14, 3, -14_706_789_000)),
    ("@ 1 day", (0, 1, 0)),
    ("3 weeks 2 days", (0, 23, 0)),
    ("1.5 weeks", (0, 10, 43_200_000_000)),
    ("1.5 months", (1, 15, 0)),
    ("-1.5 days", (0, -1, -43_200_000_000)),
    ("0.1 months", (0, 3, 0)),
    ("1.5 hours", (0, 0, 5_400_000_000)),
    ("2.5 min", (0, 0, 150_000_000)),
    ("1.234567 secs", (0, 0, 1_234_567)),
    ("1.0000005 secs", (0, 0, 1_000_000)),
    ("1.5 ms", (0, 0, 1_500)),
    ("1.5 us", (0, 0, 1)),
    ("2.5 us", (0, 0, 2)),
    ("5 decades 1 century 1 millennium", (13_800, 0, 0)),
    ("1day", (0, 1, 0)),
    ("5", (0, 0, 5_000_000)),
    ("-1.5", (0, 0, -1_500_000)),
    ("1 day 2", (0, 1, 2_000_000)),
    ("1-2", (14, 0, 0)),
    ("-1-2 +3 -4:05:06", (-14, 3, -14_706_000_000)),
    ("1 2:03", (0, 1, 7_380_000_000)),
    ("1 Day", (0, 1, 0)),
    ("2 h 3 m 4 s", (0, 0, 7_384_000_000)),
    ("1 s 2 ms 3 us", (0, 0, 1_002_003)),
    ("178956970 years 7 mons", (2_147_483_647, 0, 0)),
    ("-178956970 years -8 mons", (-2_147_483_648, 0, 0)),
    ("2147483647 days", (0, 2_147_483_647, 0)),
    ("2562047788:00:54.775807", (0, 0, i64::MAX)),
    ("P1Y2M3DT4H5M6S", (14, 3, 14_706_000_000)),
    ("P1Y2M3DT4H5M6.789S", (14, 3, 14_706_789_000)),
    ("P3W", (0, 21, 0)),
    ("PT36H", (0, 0, 129_600_000_000)),
    ("P-1Y2M", (-10, 0, 0)),
    ("PT-0.5S", (0, 0, -500_000)),
    ("P1.5M", (1, 15, 0)),
    ("P0.5D", (0, 0, 43_200_000_000)),
    ("PT0S", (0, 0, 0)),
    ("PT", (0, 0, 0)),
    ("P1DT", (0, 1, 0)),
    ("P1D2W", (0, 15, 0)),
    ("P1Y1Y", (24, 0, 0)),
    ("P1", (12, 0, 0)),
    ("P0001-02-03", (14, 3, 0)),
    ("P0001-02-03T04:05:06.5", (14, 3, 14_706_500_000)),
    ("PT1.0000005S", (0, 0, 1_000_001)),
];
