//! Dates, times and intervals.

use super::forms::{is_clock, is_moment, is_span};
use super::texts::Recipe;
use super::{Case, agree};

const MOMENTS: Recipe = Recipe {
    examples: &[
        "2024-01-02",
        "2024-01-02 03:04:05",
        "2024-01-02T03:04:05Z",
        "2024-01-02 03:04:05.123456+05:30",
        "2024-01-02 24:00:00",
        "2024-01-02 24:00:01",
        "2024-01-02 23:59:60",
        "2024-01-02 23:59:60.5",
        "2024-12-31 23:59:59.9999999",
        "2024-02-30",
        "2023-02-29",
        "0044-03-15 BC",
        "0001-01-01 BC",
        "0000-01-01",
        "10000-01-01",
        "294276-12-31 23:59:59.999999",
        "294276-12-31 23:59:59.9999995",
        "294277-01-01",
        "5874897-12-31",
        "5874898-01-01",
        "4714-11-24 BC",
        "4714-11-23 BC",
        "4713-01-01 BC",
        "infinity",
        "-infinity",
        "Infinity",
        "+infinity",
        "inf",
        "epoch",
        "now",
        "today",
        "2024-01-02 03:04 PM",
        "2024-01-02 12:00 AM",
        "2024-01-02 13:00 PM",
        "20240102",
        "20240102T030405",
        "20240102 030405.678",
        "20240102T030405Z",
        "2024-01-02 03:04:05 UTC",
        "2024-01-02 03:04:05 Europe/Berlin",
        "2024-01-02 03:04:05 EST",
        "2024-01-02 03:04:05+0530",
        "2024-01-02 03:04:05+05",
        "2024-01-02 03:04:05-5",
        "2024-01-02 03:04:05+05:30:15",
        "2024-01-02 03:04:05+15:59",
        "2024-01-02 03:04:05+16",
        "2024-01-02 03:04:05.1234565",
        "2024-01-02 03:04:05.1234575",
        "2024-01-02 03:04:05.5 ad",
        "2024/01/02",
        "2024/1/2 3:4:5",
        "2024-1-2",
        "99-01-02",
        "099-01-02",
        "2024-01-02Z",
        "2024-01-02+05",
        "2 Jan 2024",
        "Jan 2, 2024",
        "January 2 2024 03:04:05 PM",
        "Tue Jan 02 03:04:05 2024",
        "Tue, 02 Jan 2024 03:04:05 +0000",
        "2024-Jan-02",
        "02-Jan-2024",
        "J2451187",
        "2024.033",
        "01/02/2024",
        "2024-01-02 03:04:05,123",
        "2024-01-02 3:4",
        "2024-01-02 03",
        "2024-01-02T03:04:05.",
        "2024-01-02 03:04:05 .5",
        "2024-01-02  03:04:05  +00",
        "2024-03-31 02:30:00",
        "2024-10-27 02:30:00",
        "",
        "2024-01-02T",
        "2024-01-02 BC",
        "2024-01-02 03:04:05 BC",
        "2024-01-02 03:04:05+01 BC",
        "2024-01-02 03:04:05 BC +01",
        "2024-366",
        "2024-W01",
        "1999-01-08 04:05:06 -8:00",
        "allballs",
        "2024-01-02 allballs",
    ],
    patterns: &[
        r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[ T]([01][0-9]|2[0-4]):[0-5][0-9](:[0-6][0-9](\.[0-9]{0,9})?)?(Z|[+-][01][0-9](:?[0-5][0-9](:[0-5][0-9])?)?| ?UTC)?",
        r"(19|20)[0-9]{2}-[0-1]?[0-9]-[0-3]?[0-9]( [0-2]?[0-9]:[0-6]?[0-9](:[0-6]?[0-9](\.[0-9]{1,8})?)?)?( (BC|AD|AM|PM))?",
        r"[0-9]{1,7}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])( [01][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,7})?)?)?( BC)?",
        r"[0-9]{8}[T ]?([01][0-9]|2[0-3])?[0-5][0-9][0-5][0-9](\.[0-9]{1,7})?(Z|[+-][0-9]{2})?",
        r"[ \t]{0,2}(20|19)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}[ \n]{0,2}",
        r"(29427[67]|471[34]|5874898|100000)-[01][0-9]-[0-3][0-9] (23:59:59\.99999[0-9]{1,2}|00:00:00)( BC)?",
        r"2024-01-0[1-9]T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?[+-][0-9]{1,4}(:[0-9]{1,2})?",
        r"([0-3]?[0-9][- /](Jan|feb|MAR|June|Sept|Dec)[- /](19|20)[0-9]{2}|(Tue,? )?(Jan|feb|March|Nov) [0-3]?[0-9],? (19|20)[0-9]{2})([ ,:][0-2][0-9]:[0-5][0-9](:[0-5][0-9])?)?( (PM|[+-][0-9]{4}))?",
        r"(Mon |Sun, )?(Jan|Feb|Oct)  ?[0-3]?[0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9] ((UTC|[+-][0-9]{4}) )?(19|20)[0-9]{2}( [+-][0-9]{4})?",
        r"(19|20)[0-9]{2}-(03|04|10|11)-(0[1-9]|2[0-9]|3[01]) 0[0-3]:[0-5][0-9]:[0-5][0-9]",
        r"(1[89][0-9]{2}|20[0-3][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]) [0-2][0-9]:[0-5][0-9]:[0-5][0-9]",
    ],
    tokens: &[
        "T", "Z", "z", "t", "-01", "+05:30", " BC", " AD", " PM", "am", "/", "00", "24", "60", ":00", "infinity",
        "2024", "epoch", " UTC", "Jan", "GMT",
    ],
};

const CLOCKS: Recipe = Recipe {
    examples: &[
        "00:00",
        "03:04:05",
        "24:00:00",
        "24:00:00.1",
        "23:59:60",
        "23:59:59.9999999",
        "03:04",
        "3:4:5",
        "030405",
        "0304",
        "03:04:05.1234565",
        "03:04:05 PM",
        "12:00 AM",
        "13:00 PM",
        "03:04:05Z",
        "03:04:05+05:30",
        "03:04:05 UTC",
        "03:04:05-08",
        "allballs",
        "03:04:05 EST",
        "2024-01-02 03:04:05",
        "03:04:05.",
        "3 PM",
        "03:04:05 Europe/Berlin",
        "now",
        "T03:04:05",
        "T030405",
        "t03:04",
        "3",
        "",
        "25:00",
        "03:60",
        "00:00:60.5",
        "23:59:60.1",
        "040506-08",
        "04:05:06.789+15:59:59",
        "04:05:06+16",
    ],
    patterns: &[
        r"([01]?[0-9]|2[0-4]):[0-5]?[0-9](:[0-6]?[0-9](\.[0-9]{0,9})?)?( ?(Z|UTC|AM|PM|[+-][0-9]{1,2}(:[0-9]{2}(:[0-9]{2})?)?))?",
        r"[0-2][0-9][0-5][0-9][0-5][0-9](\.[0-9]{1,8})?([+-][01][0-9])?",
        r"(23:59:59|24:00:00)\.[059]{1,9}",
    ],
    tokens: &["T", "Z", "PM", "am", ":", ":00", "+05", "-0830", "60", "24", " UTC", "2024-01-02 "],
};

const SPANS: Recipe = Recipe {
    examples: &[
        "1 day",
        "1 year 2 mons 3 days 04:05:06.789",
        "-1 day +02:03",
        "3 weeks ago",
        "P1Y2M3DT4H5M6S",
        "P1Y",
        "PT",
        "P",
        "1.5 days",
        "1.5 months",
        "0.5 weeks",
        "-0.5 days",
        "1 mon -1 day",
        "@ 1 minute",
        "@ 1 day ago",
        "1",
        "1:2",
        "1 day 1 day",
        "1y 2d 3h",
        "1 fortnight",
        "1-2",
        "1-2 3 4:05:06",
        "P0001-02-03T04:05:06",
        "P1.5D",
        "P-1Y",
        "1.23456789 secs",
        "100000000 years",
        "2147483647 days",
        "2147483648 days",
        "178956970 years 7 mons",
        "178956970 years 8 mons",
        "9223372036854775807 us",
        "9223372036854775808 us",
        "1 century",
        "1 millennium",
        "1 decade",
        "1.1 years",
        "-1 years 2 mons",
        "1 day ago ago",
        "ago",
        "",
        "infinity",
        "1 day 25:00:00",
        "1 day 24:60",
        "23:59:60",
        "1 day 00:00:00.9999999",
        "1000000:00:00",
        "2562047788:00:54.775807",
        "2562047788:00:54.775808",
        "0.1 us",
        "0.5 us",
        "1.5 us",
        "1e3 secs",
        "1 day-1 hour",
        "1 day - 1 hour",
        "5 days 3",
        "3 5 days",
        "1 m",
        "1 M",
        "1 mon",
        "1 min",
        "1 h",
        "1 s",
        "10 ms",
    ],
    patterns: &[
        r"-?[0-9]{1,4} (years?|mons?|days?|weeks?) ?-?[0-9]{1,3} (days|hours|mins?|secs?)",
        r"[+-]?[0-9]{1,4}(\.[0-9]{1,8})? ?(us|usecs?|ms|msecs?|s|secs?|m|mins?|h|hrs?|hours?|d|days?|w|weeks?|mons?|months?)",
        r"(-?[0-9]{1,3} days? )?[+-]?[0-9]{1,5}:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,8})?)?( ago)?",
        r"P(-?[0-9]{1,3}(\.[0-9]{1,2})?[YMWD]){0,3}(T(-?[0-9]{1,4}(\.[0-9]{1,7})?[HMS]){1,3})?",
        r"[+-]?0?\.[0-9]{1,9} (days|weeks|mons|hours|secs|mins|msecs|us)",
        r"[0-9]{8,19} (years|mons|days|hours|secs|us)",
    ],
    tokens: &[
        "day", " days", "1 ", " ago", "P", "T", "mon", "y", ":", ":00", "5", "@", "year", " 1 sec", "H", "M", "D",
        "00:01",
    ],
};

/// Whether a moment is one of the last that a server has, which, rounded up, is stored although it is none of them.
fn is_last(text: &str) -> bool {
    text.contains("294276-12-31") && text.contains("23:59:59")
}

/// Whether a moment has a time of day, which the server drops from a date and we refuse to lose.
pub(super) fn has_clock(text: &str) -> bool {
    text.contains(':') || text.trim().len() > 12
}

#[test]
fn dates_are_read_as_the_server_reads_them() {
    agree(&[Case { stricter: |text| !is_moment(text) || has_clock(text), ..Case::of("date", MOMENTS) }]);
}

#[test]
fn timestamps_are_read_as_the_server_reads_them() {
    let types = ["timestamp", "timestamp(0)", "timestamp(3)", "timestamp(6)"];
    agree(&types.map(|ty| Case { stricter: |text| !is_moment(text) || is_last(text), ..Case::of(ty, MOMENTS) }));
}

#[test]
fn instants_are_read_as_the_server_reads_them_in_any_zone() {
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Pacific/Apia",
        "Africa/Casablanca",
        "America/Havana",
        "Asia/Gaza",
    ];
    agree(&zones.map(|zone| Case {
        zone,
        stricter: |text| !is_moment(text) || is_last(text),
        ..Case::of("timestamptz", MOMENTS)
    }));
    agree(&["timestamptz(0)", "timestamptz(2)"].map(|ty| Case {
        zone: "Europe/Berlin",
        stricter: |text| !is_moment(text) || is_last(text),
        ..Case::of(ty, MOMENTS)
    }));
}

#[test]
fn times_of_day_are_read_as_the_server_reads_them() {
    let types = ["time", "time(0)", "time(4)", "timetz", "timetz(1)"];
    agree(&types.map(|ty| Case { stricter: |text| !is_clock(text), ..Case::of(ty, CLOCKS) }));
}

/// Whether an interval is so long that servers before 17 wrap it into a negative one where they round it.
fn is_longest(text: &str) -> bool {
    text.contains("2562047788:0") || text.contains("9223372036854")
}

#[test]
fn intervals_are_read_as_the_server_reads_them() {
    let types = ["interval", "interval(0)", "interval(3)"];
    agree(&types.map(|ty| Case { stricter: |text| !is_span(text) || is_longest(text), ..Case::of(ty, SPANS) }));
}
