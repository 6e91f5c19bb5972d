//! Where windows may begin and end.

use crate::error::{Error, ErrorKind, Result};
use crate::model::datetime::Stamp;
use crate::model::{KeyKind, KeySpan, TimeKey};
use crate::options::WindowSize;

/// A division of all keys into cells, each of which can be a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grid {
    /// Cells of equal width that count from an origin.
    Even {
        /// Where some cell starts.
        origin: i64,
        /// Keys in a cell, at least 1.
        width: i64,
    },
    /// Calendar months that count from January 2000.
    Months {
        /// What the keys are.
        kind: KeyKind,
        /// Months in a cell, at least 1.
        months: u32,
    },
    /// Cells that begin and end at these bounds, in ascending order. Keys outside all of them share a cell that ends where
    /// the source does.
    Bounds(Vec<i64>),
}

/// Cells count from a Monday, 2000-01-03, as `TimescaleDB`'s `time_bucket` does, so that weeks are weeks.
const ORIGIN_DAYS: i64 = 2;

/// Source bytes that a window of `--window auto` is meant to hold: enough to make its transactions cheap, few enough to
/// retry.
const AUTO_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

impl Grid {
    /// The grid for a width that was asked for. `Auto` takes `bounds`, the target's partition bounds, if there are any, else a
    /// round interval in which `bytes` spread over `span` come to about 64 MB a cell.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if the width does not suit the kind of keys.
    pub fn try_new(
        size: WindowSize,
        kind: KeyKind,
        bounds: Vec<i64>,
        span: Option<KeySpan>,
        bytes: u64,
    ) -> Result<Self> {
        match (size, kind.per_day()) {
            (WindowSize::Auto, _) if !bounds.is_empty() => Ok(Self::bounds(bounds, span)),
            (WindowSize::Auto, Some(per_day)) => Ok(Self::auto_time(kind, per_day, span, bytes)),
            (WindowSize::Auto, None) => Ok(Self::auto_numbers(span, bytes)),
            (WindowSize::Keys(keys), None) => Ok(Self::Even { origin: 0, width: width(i128::from(keys))? }),
            (WindowSize::Keys(_), Some(_)) => Err(misfit(kind, "a duration such as 6h, 1d or '1 month'")),
            (_, None) => Err(misfit(kind, "a plain number such as 100000")),
            (WindowSize::Months(0), _) => Err(misfit(kind, "at least one month")),
            (WindowSize::Months(months), _) => Ok(Self::Months { kind, months }),
            (WindowSize::Span(span), Some(per_day)) => {
                let keys = i128::try_from(span.as_micros()).unwrap_or(i128::MAX) * i128::from(per_day);
                let micros_per_day = i128::from(crate::model::datetime::MICROS_PER_DAY);
                if keys % micros_per_day != 0 {
                    return Err(misfit(kind, "whole days"));
                }
                Ok(Self::Even { origin: ORIGIN_DAYS * per_day, width: width(keys / micros_per_day)? })
            }
        }
    }

    /// The cell `[start, end)` that holds `key`.
    #[must_use]
    pub fn cell(&self, key: TimeKey) -> (TimeKey, TimeKey) {
        // The largest `bigint` has no key after it to end a cell, and shares that of the one before.
        let key = key.before_last();
        match self {
            Self::Even { origin, width } => {
                let from_origin = i128::from(key.0) - i128::from(*origin);
                let start = from_origin.div_euclid(i128::from(*width)) * i128::from(*width) + i128::from(*origin);
                (TimeKey(saturate(start)), TimeKey(saturate(start + i128::from(*width))))
            }
            Self::Months { kind, months } => month_cell(*kind, *months, key),
            Self::Bounds(bounds) => {
                let after = bounds.partition_point(|bound| *bound <= key.0);
                let start = after.checked_sub(1).map_or(i64::MIN, |i| bounds[i]);
                (TimeKey(start), TimeKey(bounds.get(after).copied().unwrap_or(i64::MAX)))
            }
        }
    }

    /// How many cells `span` meets; of months, about how many.
    #[must_use]
    pub fn cells(&self, span: KeySpan) -> u64 {
        let keys = i128::from(span.max.0) - i128::from(span.min.0);
        let cells = match self {
            Self::Even { .. } | Self::Bounds(_) if self.cell(span.min) == self.cell(span.max) => 1,
            Self::Even { origin, width } => {
                let number = |key: TimeKey| (i128::from(key.0) - i128::from(*origin)).div_euclid(i128::from(*width));
                number(span.max) - number(span.min) + 1
            }
            // 400 years have 146,097 days and 4,800 months.
            Self::Months { kind, months } => {
                keys * 4_800 / (i128::from(kind.per_day().unwrap_or(1)) * 146_097 * i128::from(*months).max(1)) + 1
            }
            Self::Bounds(bounds) => {
                let before = |key: TimeKey| bounds.partition_point(|bound| *bound <= key.0);
                i128::try_from(before(span.max) - before(span.min)).unwrap_or(i128::MAX) + 1
            }
        };
        u64::try_from(cells).unwrap_or(u64::MAX)
    }

    /// The bounds, and those of the source where it reaches beyond.
    fn bounds(mut bounds: Vec<i64>, span: Option<KeySpan>) -> Self {
        if let Some(span) = span {
            bounds.push(span.min.0.min(bounds[0]));
            bounds.push(span.max.0.saturating_add(1).max(bounds[bounds.len() - 2]));
            bounds.sort_unstable();
            bounds.dedup();
        }
        Self::Bounds(bounds)
    }

    fn auto_time(kind: KeyKind, per_day: i64, span: Option<KeySpan>, bytes: u64) -> Self {
        const HOURS: [i64; 8] = [1, 3, 6, 12, 24, 48, 96, 168];
        let whole = |hours: i64| per_day.checked_mul(hours).map(|keys| keys / 24).filter(|keys| *keys > 0);
        let wanted = wanted_width(span, bytes);
        #[expect(clippy::cast_precision_loss, reason = "a choice among round widths")]
        let fits = |width: &i64| *width as f64 >= wanted * 0.75;
        let by_hours = HOURS.into_iter().filter_map(whole).find(fits);
        if let Some(width) = by_hours {
            return Self::Even { origin: ORIGIN_DAYS * per_day, width };
        }
        let month = per_day.saturating_mul(30);
        let months = [1_u32, 3, 12].into_iter().find(|n| fits(&month.saturating_mul(i64::from(*n))));
        Self::Months { kind, months: months.unwrap_or(120) }
    }

    fn auto_numbers(span: Option<KeySpan>, bytes: u64) -> Self {
        let wanted = wanted_width(span, bytes);
        let mut width = 1_i64;
        #[expect(clippy::cast_precision_loss, reason = "a choice among powers of ten")]
        while (width as f64) < wanted && width < i64::MAX / 10 {
            width *= 10;
        }
        Self::Even { origin: 0, width }
    }
}

/// Keys in which an even spread of the source has about [`AUTO_BYTES`].
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn wanted_width(span: Option<KeySpan>, bytes: u64) -> f64 {
    let keys = span.map_or(1.0, |span| span.max.0 as f64 - span.min.0 as f64 + 1.0);
    keys * AUTO_BYTES / (bytes.max(1) as f64)
}

fn month_cell(kind: KeyKind, months: u32, key: TimeKey) -> (TimeKey, TimeKey) {
    let stamp = match kind {
        KeyKind::Date => Stamp::from_days(key.0),
        _ => Stamp::from_micros(key.0),
    };
    let start = stamp.floor_month(months);
    let end = start.add_months(i32::try_from(months).unwrap_or(i32::MAX));
    let key = |stamp: Stamp, beyond: i64| match kind {
        KeyKind::Date => TimeKey(stamp.to_days()),
        _ => TimeKey(stamp.to_micros().unwrap_or(beyond)),
    };
    (key(start, i64::MIN), key(end, i64::MAX))
}

fn width(keys: i128) -> Result<i64> {
    match i64::try_from(keys) {
        Ok(keys) if keys > 0 => Ok(keys),
        _ => Err(Error::new(
            ErrorKind::Settings,
            "the width of windows must be above zero, and less than the whole of time",
        )),
    }
}

fn saturate(key: i128) -> i64 {
    i64::try_from(key).unwrap_or(if key < 0 { i64::MIN } else { i64::MAX })
}

fn misfit(kind: KeyKind, wanted: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("for a time column of kind {kind}, --window takes {wanted}"))
}
