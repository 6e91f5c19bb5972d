//! A window: a half-open range of the time column, or a run of pieces for a table without one.

use super::{KeyKind, TimeKey};

/// The unit of claim, retry, verification and reporting. Never empty, never inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Rows whose time key is in `[start, end)`; where `end` is the largest `bigint`, it is inside too.
    Time {
        /// The first key inside.
        start: TimeKey,
        /// The first key after it.
        end: TimeKey,
    },
    /// Pieces `[first, end)` of the source, in the order of its profile: for tables without a time column.
    Pieces {
        /// Position of the first piece.
        first: u64,
        /// Position after the last piece.
        end: u64,
    },
}

impl Window {
    /// The half-open range `[start, end)` of time keys; `None` where it would be empty.
    #[must_use]
    pub fn time(start: TimeKey, end: TimeKey) -> Option<Self> {
        (start < end).then_some(Self::Time { start, end })
    }

    /// The run `[first, end)` of pieces; `None` where it would be empty.
    #[must_use]
    pub fn pieces(first: u64, end: u64) -> Option<Self> {
        (first < end).then_some(Self::Pieces { first, end })
    }

    /// The two bounds as the ledger stores them.
    #[must_use]
    pub fn bounds(&self) -> (i64, i64) {
        match *self {
            Self::Time { start, end } => (start.0, end.0),
            Self::Pieces { first, end } => {
                let fit = |n| i64::try_from(n).expect("a plan has fewer pieces than i64 counts");
                (fit(first), fit(end))
            }
        }
    }

    /// From the ledger's two bounds; `kind` is `None` for a table without a time column.
    #[must_use]
    pub fn from_bounds(kind: Option<KeyKind>, start: i64, end: i64) -> Option<Self> {
        match kind {
            Some(_) => Self::time(TimeKey(start), TimeKey(end)),
            None => Self::pieces(u64::try_from(start).ok()?, u64::try_from(end).ok()?),
        }
    }

    /// The window as people read it: `[2024-01-01, 2024-02-01)`.
    #[must_use]
    pub fn display(&self, kind: Option<KeyKind>) -> String {
        match (*self, kind) {
            (Self::Time { start, end: end @ TimeKey(i64::MAX) }, Some(kind @ KeyKind::Integer)) => {
                format!("[{}, {}]", kind.short(start), kind.short(end))
            }
            (Self::Time { start, end }, Some(kind)) => format!("[{}, {})", kind.short(start), kind.short(end)),
            (Self::Time { start, end }, None) => format!("[{}, {})", start.0, end.0),
            (Self::Pieces { first, end }, _) if end == first + 1 => format!("piece {first}"),
            (Self::Pieces { first, end }, _) => format!("pieces [{first}, {end})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_never_empty_or_inverted() {
        assert!(Window::time(TimeKey(1), TimeKey(1)).is_none());
        assert!(Window::time(TimeKey(2), TimeKey(1)).is_none());
        assert!(Window::pieces(3, 3).is_none());
        assert!(Window::time(TimeKey(1), TimeKey(2)).is_some());
    }
}
