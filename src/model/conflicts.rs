//! Source rows that met a row of the same key, where the load was told what is to become of them.

use std::ops::AddAssign;

use serde::Serialize;

/// Source rows that met a row with the same unique key in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Conflicts {
    /// Left out: the row that was there stays. They are not among the rows loaded.
    #[serde(rename = "rows_skipped")]
    pub skipped: u64,
    /// The row that was there took their values. They are among the rows loaded.
    #[serde(rename = "rows_updated")]
    pub updated: u64,
}

impl AddAssign for Conflicts {
    fn add_assign(&mut self, other: Self) {
        self.skipped += other.skipped;
        self.updated += other.updated;
    }
}
