//! How delimited text that is not as it should be is served, and how often that was needed: it is never done in silence.

use serde::{Deserialize, Serialize};

/// What becomes of records that have more or fewer fields than there are columns. By default they are refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ragged {
    /// Fields that are missing at the end of a record are null.
    pub pad: bool,
    /// Fields past the last column are left out.
    pub trim: bool,
}

/// What quotes are that stand elsewhere than around a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum StrayQuotes {
    /// A quote anywhere begins or ends what is quoted, as COPY has it.
    #[default]
    Toggle,
    /// Plain text: a quote counts at the start of a field, and before the delimiter or line end that ends it.
    Keep,
}

/// What becomes of records that are the header once more, byte for byte, as in files that were joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RepeatedHeader {
    /// They are data like any other.
    #[default]
    Data,
    /// They are skipped, and counted.
    Skip,
}

/// How often the options that mend delimited text had something to mend, over the whole source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Mended {
    /// Records with too few fields, filled up with nulls.
    pub padded: u64,
    /// Records with too many fields, whose last ones were left out.
    pub cut: u64,
    /// Fields that had spaces or tabs around them.
    pub trimmed: u64,
    /// Fields with quotes that were kept as plain text.
    pub stray_quotes: u64,
    /// Records that were the header once more, and were skipped.
    pub repeated_headers: u64,
    /// Lines at the ends of objects that were left out.
    pub footer_lines: u64,
}

impl Mended {
    /// Whether nothing was.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::AddAssign for Mended {
    fn add_assign(&mut self, other: Self) {
        self.padded += other.padded;
        self.cut += other.cut;
        self.trimmed += other.trimmed;
        self.stray_quotes += other.stray_quotes;
        self.repeated_headers += other.repeated_headers;
        self.footer_lines += other.footer_lines;
    }
}
