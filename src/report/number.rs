//! Numbers as people read them.

/// Units of bytes, by thousands.
const BYTE_UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 window`, `1,234 windows`.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `999 B`, `12.3 MB`, `352 MB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    let mut value = approximate(number);
    let mut unit = 0;
    // From 999.5 on the rounded value would show four digits.
    while value >= 999.5 && unit + 1 < BYTE_UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{value:.decimals$} {}", BYTE_UNITS[unit])
}

/// `0.4s`, `42s`, `1m 23s`, `2h 05m`, `3d 04h`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{:.1}s", seconds.max(0.0));
    }
    let whole = rounded(seconds);
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h {:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d {:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// A count as a float, for rates and shares.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown with far fewer digits than a float has")]
pub(super) fn approximate(number: u64) -> f64 {
    number as f64
}

/// The nearest whole number; zero for what has none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and takes NaN for zero"
)]
pub(super) fn rounded(number: f64) -> u64 {
    number.round() as u64
}

/// `number` each second over `seconds`; zero where no time has passed.
pub(super) fn rate(number: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { approximate(number) / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
    }

    #[test]
    fn bytes_show_three_digits_and_roll_over_before_they_show_four() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(12_345_678), "12.3 MB");
        assert_eq!(bytes(352_000_000), "352 MB");
        assert_eq!(bytes(99_960_000), "100 MB");
        assert_eq!(bytes(999_600_000), "1.0 GB");
        assert_eq!(bytes(u64::MAX), "18447 PB");
    }

    #[test]
    fn durations_show_two_units_at_most() {
        assert_eq!(duration(0.42), "0.4s");
        assert_eq!(duration(9.96), "10s");
        assert_eq!(duration(59.6), "1m 00s");
        assert_eq!(duration(83.0), "1m 23s");
        assert_eq!(duration(7_500.0), "2h 05m");
        assert_eq!(duration(273_600.0), "3d 04h");
        assert_eq!(duration(-1.0), "0.0s");
    }

    #[test]
    fn a_rate_over_no_time_is_none() {
        assert!(rate(5, 0.0).abs() < f64::EPSILON);
        assert!((rate(5, 2.0) - 2.5).abs() < f64::EPSILON);
    }
}
