//! Resolved settings of a backfill: plain values, whatever they were spelled as.

pub mod bounds;

use std::path::PathBuf;
use std::time::Duration;

use crate::model::datetime::TimeFormat;
use crate::model::{Ragged, RepeatedHeader, StrayQuotes, Zone};

/// What is to be loaded into which table, and how.
///
/// Made by [`Options::new`] with the defaults that the command line has too; change the fields that differ.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own that a user switches on")]
pub struct Options {
    /// The table, as SQL spells it: `metrics`, `public.metrics`, `"My Table"`.
    pub table: String,
    /// The column whose value decides a row's window; `None` loads in windows of the source itself.
    pub time_column: Option<String>,
    /// Name of the job; `None` derives one from table, source and range.
    pub job: Option<String>,
    /// Start of the range; `None` starts at the oldest row.
    pub from: Option<Bound>,
    /// Completion point; `None` ends after the newest row.
    pub until: Option<Bound>,
    /// How wide windows are.
    pub window: WindowSize,
    /// What to do with windows that already hold rows; `None` is [`Existing::Error`], and [`Existing::Keep`] where rows that
    /// conflict are skipped or updated.
    pub existing: Option<Existing>,
    /// What becomes of a source row whose unique key is in the table already.
    pub on_conflict: OnConflict,
    /// Columns of the unique key that decides; empty where the table leaves no doubt.
    pub conflict_key: Vec<String>,
    /// A predicate in SQL that narrows every check, delete and verification of the job's rows.
    pub scope: Option<String>,
    /// What one transaction holds.
    pub commit: Commit,
    /// Whether to work on the job beside other runs of it, and beside other jobs over the same range.
    pub join: bool,
    /// Whether to take the job from a run that is believed to be alive, and to end sessions that stand in the way.
    pub takeover: bool,
    /// Whether a job that is in the ledger is undone first, and loaded again from the beginning.
    pub redo: bool,
    /// Whether to go on with a source that has changed: what is concerned is planned and loaded anew.
    pub accept_changed_source: bool,
    /// Whether files of a table format (Delta, Iceberg, Hudi, …) are read as plain files, which refuses them otherwise: they
    /// also hold deleted and superseded rows.
    pub as_files: bool,
    /// Whether a job for which no row is found is a success.
    pub allow_empty: bool,
    /// Whether windows are loaded again whose rows are no longer all in the table, rather than refused.
    pub reload_missing: bool,
    /// How many rows of the job may be rejected before it fails.
    pub max_rejects: MaxRejects,
    /// Which source column feeds which target column.
    pub mapping: MappingRules,
    /// How delimited text is read.
    pub csv: CsvOptions,
    /// The zone of timestamps without an offset. Never the machine's; its rules are those of the server.
    pub zone: Zone,
    /// How times are read beside that.
    pub times: TimeOptions,
    /// Limits of what a run may use.
    pub limits: Limits,
}

/// How times are read where not as the server reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimeOptions {
    /// Formats of texts of dates and timestamps, and of integers that count time: of a target column, or (`None`) of
    /// those that have no other.
    pub formats: Vec<(Option<String>, TimeFormat)>,
    /// Whether what times of Parquet and counts since 1970 have beyond microseconds may be cut off, toward the past.
    pub allow_lossy: bool,
}

/// A bound of the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// A text that the time column's type reads.
    At(String),
    /// So long before the job's first run. A resume keeps the bound that this gave then.
    Ago(Duration),
}

/// How wide windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowSize {
    /// The target's partitions where it has them, else a round interval of about 64 MB of source.
    Auto,
    /// A fixed duration.
    Span(Duration),
    /// Calendar months, at least one.
    Months(u32),
    /// A number of keys, for integer columns, at least one.
    Keys(u64),
}

/// What to do with windows that hold rows which the job did not write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Existing {
    /// Stop with an error.
    #[default]
    Error,
    /// Delete them, within the scope.
    Replace,
    /// Leave them, and load beside them.
    Keep,
    /// Leave them, and do not load the window.
    Skip,
}

/// What becomes of a source row whose unique key is in the table already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// The load stops: rows go by a plain COPY.
    #[default]
    Fail,
    /// It is left out, and counted.
    Skip,
    /// The row that is there takes its values. A window is one transaction then, and such a job cannot be undone.
    Update,
}

/// What one transaction holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Commit {
    /// A batch of rows, where rows can be told apart by their `xmin`; else a window.
    #[default]
    Batch,
    /// A whole window.
    Window,
}

/// How many rows of a job may be rejected: those that cannot be read, and those whose values cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaxRejects {
    /// So many.
    Rows(u64),
    /// So many millionths of the rows that the job is to load: 1 % is 10,000 of them.
    PerMillion(u32),
}

impl MaxRejects {
    /// None at all: the first row that cannot be loaded ends the run.
    pub const NONE: Self = Self::Rows(0);

    /// Whether any may be.
    #[must_use]
    pub fn allows_any(self) -> bool {
        !matches!(self, Self::Rows(0) | Self::PerMillion(0))
    }

    /// How many those are of `rows` rows.
    #[must_use]
    pub fn of(self, rows: u64) -> u64 {
        match self {
            Self::Rows(limit) => limit,
            Self::PerMillion(share) => {
                let limit = u128::from(rows) * u128::from(share) / 1_000_000;
                u64::try_from(limit).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Default for MaxRejects {
    fn default() -> Self {
        Self::NONE
    }
}

impl std::fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(limit) => write!(f, "{limit}"),
            Self::PerMillion(share) => {
                let (whole, rest) = (share / 10_000, share % 10_000);
                let digits = if rest == 0 { String::new() } else { format!(".{rest:04}") };
                write!(f, "{whole}{}%", digits.trim_end_matches('0'))
            }
        }
    }
}

/// Which source column feeds which target column, beyond equal names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappingRules {
    /// Pairs of source name and target name.
    pub renames: Vec<(String, String)>,
    /// Source columns that are not loaded, and target columns that are left to null.
    pub ignored: Vec<String>,
}

/// How delimited text is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The name of the encoding that the text is in, such as `utf-8`, `windows-1252` or `utf-16`. Never guessed.
    pub encoding: String,
    /// What stands between fields: 1 to 8 bytes of text, without quote or line end.
    pub delimiter: String,
    /// The byte around fields that hold delimiters or line ends; `None` where no field is quoted.
    pub quote: Option<u8>,
    /// The byte that makes the next quote a plain one inside a quoted field; `None` is the quote itself.
    pub escape: Option<u8>,
    /// Lines that start with this byte are skipped.
    pub comment: Option<u8>,
    /// Unquoted texts that stand for null, beside the empty one.
    pub null_marks: Vec<String>,
    /// What a field without text is.
    pub empty_fields: EmptyFields,
    /// Names of the columns, where the first record does not name them.
    pub columns: Option<Vec<String>>,
    /// Lines to skip before the header.
    pub skip_lines: u64,
    /// Lines at the end of each object that are left out.
    pub footer_lines: u64,
    /// What becomes of records that have more or fewer fields than the object has columns.
    pub ragged: Ragged,
    /// Whether spaces and tabs around fields, outside quotes, are no part of them.
    pub trim: bool,
    /// What quotes are that stand elsewhere than around a field.
    pub stray_quotes: StrayQuotes,
    /// What becomes of records that are the header once more.
    pub repeated_header: RepeatedHeader,
    /// The longest record in bytes; a longer one is an error.
    pub record_bytes_max: u64,
}

/// What a field of delimited text without any text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EmptyFields {
    /// Null where it is not quoted, and an empty text where it is, as COPY has it.
    #[default]
    NullUnlessQuoted,
    /// Null, quoted or not.
    Null,
    /// An empty text, quoted or not, as COPY has it where another text stands for null.
    Text,
}

/// Limits of what a run may use. Each holds for any size of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections that load at once; `None` decides from cores and the server's free slots.
    pub workers: Option<usize>,
    /// Threads that decode and encode; `None` is one per core.
    pub threads: Option<usize>,
    /// Rows in a batch.
    pub batch_rows: u64,
    /// COPY bytes in a batch.
    pub batch_bytes: u64,
    /// Bytes that source pieces and blocks may take in memory, all workers together.
    pub memory_bytes: u64,
    /// Bytes that a spool of unsorted sources may take on disk.
    pub spool_bytes: u64,
    /// Where a spool goes; `None` is the system's temporary folder.
    pub spool_folder: Option<PathBuf>,
    /// Windows in a plan.
    pub windows: usize,
    /// Pieces of a source: all of them are kept in memory.
    pub pieces: usize,
    /// Objects of a source: all of them are kept in memory.
    pub objects: usize,
    /// Bytes that are kept of a rejected row.
    pub reject_bytes: u64,
    /// How long a window that fails is tried again, from its first failure, before the run gives up.
    pub retry_for: Duration,
    /// How long a run that stopped renewing its lease is believed to be alive.
    pub lease: Duration,
    /// How long the server may take to answer one statement, or to take one block of a COPY; `None` waits for ever.
    pub statement_timeout: Option<Duration>,
}

impl Options {
    /// The defaults, for `table`.
    #[must_use]
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            time_column: None,
            job: None,
            from: None,
            until: None,
            window: WindowSize::Auto,
            existing: None,
            on_conflict: OnConflict::default(),
            conflict_key: Vec::new(),
            scope: None,
            commit: Commit::default(),
            join: false,
            takeover: false,
            accept_changed_source: false,
            redo: false,
            as_files: false,
            allow_empty: false,
            reload_missing: false,
            max_rejects: MaxRejects::NONE,
            mapping: MappingRules::default(),
            csv: CsvOptions::default(),
            zone: Zone::UTC,
            times: TimeOptions::default(),
            limits: Limits::default(),
        }
    }

    /// What to do with windows that hold rows of others, as it is asked for or follows from the rest.
    #[must_use]
    pub fn existing(&self) -> Existing {
        let follows = if self.on_conflict == OnConflict::Fail { Existing::Error } else { Existing::Keep };
        self.existing.unwrap_or(follows)
    }

    /// Names the time column.
    #[must_use]
    pub fn with_time_column(mut self, column: impl Into<String>) -> Self {
        self.time_column = Some(column.into());
        self
    }

    /// Sets the width of windows.
    #[must_use]
    pub fn with_window(mut self, window: WindowSize) -> Self {
        self.window = window;
        self
    }

    /// Names the job.
    #[must_use]
    pub fn with_job(mut self, name: impl Into<String>) -> Self {
        self.job = Some(name.into());
        self
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(text) => f.write_str(text),
            Self::Ago(duration) => write!(f, "{} s ago", duration.as_secs_f64()),
        }
    }
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            encoding: "utf-8".to_owned(),
            delimiter: ",".to_owned(),
            quote: Some(b'"'),
            escape: None,
            comment: None,
            null_marks: Vec::new(),
            empty_fields: EmptyFields::default(),
            columns: None,
            skip_lines: 0,
            footer_lines: 0,
            ragged: Ragged::default(),
            trim: false,
            stray_quotes: StrayQuotes::default(),
            repeated_header: RepeatedHeader::default(),
            record_bytes_max: 64 << 20,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: None,
            threads: None,
            // A batch is what is lost by a retry and what one commit is paid for; these keep both small.
            batch_rows: 250_000,
            batch_bytes: 64 << 20,
            memory_bytes: 256 << 20,
            spool_bytes: 64 << 30,
            spool_folder: None,
            windows: 1_000_000,
            // About 120 bytes each; at 4 MiB of CSV to a piece these are 16 TiB.
            pieces: 4_000_000,
            // Some 200 MB in memory.
            objects: 1_000_000,
            // Nearly every row in full, and a runaway quote not for long.
            reject_bytes: 64 << 10,
            retry_for: Duration::from_secs(300),
            lease: Duration::from_secs(60),
            // Longer than any healthy statement of a window, the delete of a half-loaded one included.
            statement_timeout: Some(Duration::from_secs(30 * 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_rows_is_exact_and_rounds_down() {
        assert_eq!(MaxRejects::PerMillion(10_000).of(199), 1);
        assert_eq!(MaxRejects::PerMillion(1_000_000).of(u64::MAX), u64::MAX);
        assert_eq!(MaxRejects::Rows(7).of(3), 7);
        assert!(!MaxRejects::NONE.allows_any() && !MaxRejects::PerMillion(0).allows_any());
    }

    #[test]
    fn a_limit_of_rejects_is_printed_as_it_is_typed() {
        let printed = [0, 5, 10_000, 12_500, 1_000_000].map(|share| MaxRejects::PerMillion(share).to_string());
        assert_eq!(printed, ["0%", "0.0005%", "1%", "1.25%", "100%"]);
        assert_eq!(MaxRejects::Rows(100).to_string(), "100");
    }
}
