//! What a user can type: the commands, their options, and how each text is read.
//!
//! What was typed ([`Cli`]) and what was resolved ([`pgbackfill::Options`]) are two types; `resolve` goes from the one to
//! the other.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, which is not Markdown")]

mod read;
mod resolve;

use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use pgbackfill::{Bound, Commit, Existing, MaxRejects, OnConflict, TimeFormat, WindowSize, Zone, bounds};

/// Rows that the demo makes: several batches a day, and no more than a disk holds.
const DEMO_ROWS: std::ops::RangeInclusive<u64> = 600_000..=100_000_000;

/// Load history into PostgreSQL and TimescaleDB, window by window, exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "pgbackfill",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The database: a URL or a keyword string as libpq takes them [default: DATABASE_URL, else PG* variables]
    #[arg(long, global = true, value_name = "URL", env = "PGBACKFILL_TARGET", hide_env_values = true)]
    pub(crate) target: Option<String>,
    /// A TOML file of options; command line and environment beat it
    #[arg(long, global = true, value_name = "FILE", env = "PGBACKFILL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Print results and events as JSON on stdout, one object a line
    #[arg(long, global = true, env = "PGBACKFILL_JSON", value_parser = read::switch())]
    pub(crate) json: bool,
    /// Print nothing but errors and results
    #[arg(long, short, global = true, env = "PGBACKFILL_QUIET", value_parser = read::switch(), conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log what happens to stderr; twice for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, env = "PGBACKFILL_VERBOSE")]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a source into a table; run it again to resume
    Load(Box<LoadArgs>),
    /// Print what load would do, and touch nothing
    Plan(Box<PlanArgs>),
    /// Describe a source: columns, rows, range and order of its time
    Inspect(Box<InspectArgs>),
    /// Show jobs: windows by state, frontier, rate
    Status(StatusArgs),
    /// Compare what a job loaded with what is in the table, window by window
    Verify(VerifyArgs),
    /// Delete exactly what a job loaded, and forget the job
    Undo(UndoArgs),
    /// Remove a job from the ledger and leave its rows in the table
    Forget(ForgetArgs),
    /// Print the rows that a job has set aside, as a file to mend and load again
    Rejects(RejectsArgs),
    /// Create the ledger's tables, or print the statements that do
    Init(InitArgs),
    /// See it work: a private PostgreSQL, a load, a kill, a recovery, a verify
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) job: JobOptions,
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    #[command(flatten)]
    pub(crate) others: OthersOptions,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// Print every window, however many there are
    #[arg(long, env = "PGBACKFILL_ALL_WINDOWS", value_parser = read::switch())]
    pub(crate) all_windows: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// A column whose range and order are to be found
    #[arg(long, short = 'c', value_name = "COLUMN", env = "PGBACKFILL_TIME_COLUMN")]
    pub(crate) time_column: Option<String>,
    /// Long names of the options that were given, wherever: what a user says is not guessed.
    #[arg(skip)]
    pub(crate) given: Vec<String>,
}

impl Cli {
    /// From what was parsed.
    ///
    /// # Errors
    ///
    /// As clap has it.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Self::from_arg_matches(matches)?;
        if let (Command::Inspect(args), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
            let is_given = |id: &&str| matches.value_source(id).is_some_and(|from| from != ValueSource::DefaultValue);
            let names = matches.ids().map(clap::Id::as_str).filter(is_given);
            args.given = names.map(|id| id.replace('_', "-")).collect();
        }
        Ok(cli)
    }
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The job; all jobs if left out
    #[arg(env = "PGBACKFILL_JOB")]
    pub(crate) job: Option<String>,
    /// Print again every few seconds until the job is complete
    #[arg(long, short, env = "PGBACKFILL_WATCH", value_parser = read::switch())]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The job; may be left out where the database has just one
    #[arg(env = "PGBACKFILL_JOB")]
    pub(crate) job: Option<String>,
    /// The job's --table again, where its views or policies are code of a role that this one does not trust
    #[arg(long)]
    pub(crate) table: Option<String>,
    /// The job's --scope again, for a view or another table whose rows carry no transaction id
    #[arg(long, value_name = "PREDICATE")]
    pub(crate) scope: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RejectsArgs {
    /// The job; may be left out where the database has just one
    #[arg(env = "PGBACKFILL_JOB")]
    pub(crate) job: Option<String>,
    /// Print the rows of this object alone
    #[arg(long, value_name = "URI", env = "PGBACKFILL_OBJECT")]
    pub(crate) object: Option<String>,
    /// Print where each row stood and why it was set aside, as CSV
    #[arg(long, env = "PGBACKFILL_DETAILS", value_parser = read::switch())]
    pub(crate) details: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The job
    pub(crate) job: String,
    /// The job's --table again, where its triggers, rules or policies are code of a role that this one does not trust
    #[arg(long)]
    pub(crate) table: Option<String>,
    /// Delete the rows that are left where others have changed or deleted some, and remove the job
    #[arg(long)]
    pub(crate) missing_ok: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The job
    pub(crate) job: String,
    /// Confirm that its rows stay in the table: they can no longer be undone, verified or told from other rows
    #[arg(long)]
    pub(crate) leave_rows: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Print the statements instead of running them
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Rows to make
    #[arg(long, value_name = "N", default_value_t = 1_002_000, env = "PGBACKFILL_DEMO_ROWS", value_parser = read::numbers(DEMO_ROWS))]
    pub(crate) rows: u64,
}

/// What is loaded where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Job")]
pub(crate) struct JobOptions {
    /// The table, as SQL spells it: metrics, public.metrics, '"My Table"'
    #[arg(long, short, value_name = "TABLE", env = "PGBACKFILL_TABLE")]
    pub(crate) table: Option<String>,
    /// The column that decides a row's window
    #[arg(long, short = 'c', value_name = "COLUMN", env = "PGBACKFILL_TIME_COLUMN")]
    pub(crate) time_column: Option<String>,
    /// Load a table without a time column, in windows of the source itself
    #[arg(long, env = "PGBACKFILL_NO_TIME_COLUMN", value_parser = read::switch())]
    pub(crate) no_time_column: bool,
    /// Start of the range, included: 2024-01-01, '2024-01-01 06:00+01', '30 days ago', or a number
    #[arg(long, value_name = "TIME", env = "PGBACKFILL_FROM", value_parser = read::bound, allow_hyphen_values = true)]
    pub(crate) from: Option<Bound>,
    /// Completion point, not included
    #[arg(long, value_name = "TIME", env = "PGBACKFILL_UNTIL", value_parser = read::bound, allow_hyphen_values = true)]
    pub(crate) until: Option<Bound>,
    /// Width of windows: auto, 6h, 1d, '1 month', or a number for integer columns
    #[arg(long, value_name = "WIDTH", default_value = "auto", env = "PGBACKFILL_WINDOW", value_parser = read::window)]
    pub(crate) window: WindowSize,
    /// Name of the job, by which it is resumed, verified and undone [default: derived]
    #[arg(long, value_name = "NAME", env = "PGBACKFILL_JOB")]
    pub(crate) job: Option<String>,
    /// What to do with windows that hold rows which the job did not write [default: error; keep with --on-conflict]
    #[arg(long, value_enum, env = "PGBACKFILL_EXISTING")]
    pub(crate) existing: Option<ExistingArg>,
    /// What to do with a source row whose unique key is in the table
    #[arg(long, value_enum, default_value = "fail", env = "PGBACKFILL_ON_CONFLICT")]
    pub(crate) on_conflict: OnConflictArg,
    /// Columns of the unique key that decides it [default: the primary key, or the only one of loaded columns]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', env = "PGBACKFILL_CONFLICT_KEY")]
    pub(crate) conflict_key: Vec<String>,
    /// An SQL predicate that narrows every check and delete to the rows it selects
    #[arg(long, value_name = "PREDICATE", env = "PGBACKFILL_SCOPE")]
    pub(crate) scope: Option<String>,
    /// What one transaction holds
    #[arg(long, value_enum, default_value = "batch", env = "PGBACKFILL_COMMIT")]
    pub(crate) commit: CommitArg,
    /// How many rows that cannot be loaded are set aside before the job fails: a number, or a share such as 0.1%
    ///
    /// They are kept in the ledger, `pgbackfill rejects` prints them to be mended, and the exit code is 3. Give it to a resume
    /// too, which may change it.
    #[arg(long, value_name = "N|P%", default_value = "0", env = "PGBACKFILL_MAX_REJECTS", value_parser = read::max_rejects)]
    pub(crate) max_rejects: MaxRejects,
    /// A load that finds no row in the source, or none in the range, succeeds
    #[arg(long, env = "PGBACKFILL_ALLOW_EMPTY", value_parser = read::switch())]
    pub(crate) allow_empty: bool,
    /// Feed target column TARGET from source column SOURCE; repeatable
    #[arg(long, value_name = "SOURCE=TARGET", env = "PGBACKFILL_MAP", value_parser = read::pair)]
    pub(crate) map: Vec<(String, String)>,
    /// Leave out a source column, or leave a target column null; repeatable
    #[arg(long, value_name = "COLUMN", env = "PGBACKFILL_IGNORE")]
    pub(crate) ignore: Vec<String>,
}

/// What a run does about others: other runs, and whoever changed the source.
#[derive(Debug, Args)]
#[command(next_help_heading = "Others")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own that a user switches on")]
pub(crate) struct OthersOptions {
    /// Work on the job beside other runs of it, and beside other jobs over the same range
    #[arg(long, env = "PGBACKFILL_JOIN", value_parser = read::switch())]
    pub(crate) join: bool,
    /// Take the job from a run that is believed to be alive, and end sessions that stand in the way
    #[arg(long, env = "PGBACKFILL_TAKEOVER", value_parser = read::switch(), conflicts_with = "join")]
    pub(crate) takeover: bool,
    /// Delete what is left of the job's own rows, and load every window again
    #[arg(
        long,
        env = "PGBACKFILL_REDO",
        value_parser = read::switch(),
        conflicts_with_all = ["join", "accept_changed_source"]
    )]
    pub(crate) redo: bool,
    /// Go on with a source that has changed: what is concerned is deleted and loaded anew
    #[arg(long, env = "PGBACKFILL_ACCEPT_CHANGED_SOURCE", value_parser = read::switch())]
    pub(crate) accept_changed_source: bool,
    /// Load windows again whose rows are no longer all in the table; without it they are an error
    #[arg(long, env = "PGBACKFILL_RELOAD_MISSING", value_parser = read::switch())]
    pub(crate) reload_missing: bool,
}

/// How the source is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct SourceOptions {
    /// Files, folders and globs (** too), CSV or Parquet
    #[arg(value_name = "SOURCE", env = "PGBACKFILL_SOURCE")]
    pub(crate) source: Vec<String>,
    /// Load every file of a Delta, Iceberg, Hudi, Paimon or Hive table, of a Spark stream or of an unfinished job
    ///
    /// Such files also hold deleted, superseded and uncommitted rows, and are refused without this option.
    #[arg(long, env = "PGBACKFILL_AS_FILES", value_parser = read::switch())]
    pub(crate) as_files: bool,
    /// The first record of CSV is data; --columns names the columns
    #[arg(long, requires = "columns", env = "PGBACKFILL_NO_HEADER", value_parser = read::switch())]
    pub(crate) no_header: bool,
    /// Names of the columns of CSV without a header, in order
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', requires = "no_header", env = "PGBACKFILL_COLUMNS")]
    pub(crate) columns: Option<Vec<String>>,
    /// Lines to skip before the header
    #[arg(long, value_name = "N", default_value_t = 0, env = "PGBACKFILL_SKIP_LINES", value_parser = read::numbers(bounds::SKIP_LINES))]
    pub(crate) skip_lines: u64,
    /// The encoding of CSV: utf-8, utf-16, windows-1252, latin1, iso-8859-15, koi8-r, shift_jis and others
    #[arg(long, value_name = "NAME", default_value = "utf-8", env = "PGBACKFILL_ENCODING")]
    pub(crate) encoding: String,
    /// An unquoted text that stands for null, beside the empty one; repeatable
    #[arg(long, value_name = "TEXT", env = "PGBACKFILL_NULL")]
    pub(crate) null: Vec<String>,
    /// A quoted empty field is null too, not an empty text
    #[arg(long, env = "PGBACKFILL_EMPTY_AS_NULL", value_parser = read::switch())]
    pub(crate) empty_as_null: bool,
    /// An unquoted empty field is an empty text, not null
    #[arg(long, env = "PGBACKFILL_EMPTY_AS_TEXT", value_parser = read::switch(), conflicts_with = "empty_as_null")]
    pub(crate) empty_as_text: bool,
    /// What stands between fields: up to 8 bytes, \t for a tab, \x1f for a byte by its number
    #[arg(long, value_name = "TEXT", default_value = ",", env = "PGBACKFILL_DELIMITER", value_parser = read::delimiter)]
    pub(crate) delimiter: String,
    /// The character around fields; none if no field is quoted
    #[arg(long, value_name = "CHAR", default_value = "\"", env = "PGBACKFILL_QUOTE", value_parser = read::byte_or_none)]
    pub(crate) quote: OptionalByte,
    /// The character before a literal quote inside quotes [default: the quote itself]
    #[arg(long, value_name = "CHAR", env = "PGBACKFILL_ESCAPE", value_parser = read::byte)]
    pub(crate) escape: Option<u8>,
    /// Lines that start with this character are skipped
    #[arg(long, value_name = "CHAR", env = "PGBACKFILL_COMMENT", value_parser = read::byte)]
    pub(crate) comment: Option<u8>,
    /// The longest record of CSV; a longer one is an error
    #[arg(long, value_name = "SIZE", default_value = "64MiB", env = "PGBACKFILL_RECORD_BYTES", value_parser = read::sizes(bounds::RECORD_BYTES))]
    pub(crate) record_bytes: u64,
    #[command(flatten)]
    pub(crate) mending: MendingOptions,
    #[command(flatten)]
    pub(crate) times: TimeArgs,
}

/// How times are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Times")]
pub(crate) struct TimeArgs {
    /// The zone of timestamps without an offset: UTC, +05:30, Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", env = "PGBACKFILL_TIMEZONE", value_parser = read::zone, allow_hyphen_values = true)]
    pub(crate) timezone: Zone,
    /// Texts of dates and timestamps: strptime directives, or a count since 1970 as epoch-s, epoch-ms, epoch-us or epoch-ns
    #[arg(long, value_name = "[COLUMN=]FORMAT", env = "PGBACKFILL_TIMESTAMP_FORMAT", value_parser = read::time_format)]
    pub(crate) timestamp_format: Vec<(Option<String>, TimeFormat)>,
    /// Cut off what times of Parquet and counts since 1970 have beyond microseconds
    #[arg(long, env = "PGBACKFILL_ALLOW_LOSSY", value_parser = read::switch())]
    pub(crate) allow_lossy: bool,
}

/// How CSV is served that is not as it should be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mending CSV")]
pub(crate) struct MendingOptions {
    /// Lines at the end that are left out
    #[arg(long, value_name = "N", default_value_t = 0, env = "PGBACKFILL_FOOTER_LINES", value_parser = read::numbers(bounds::FOOTER_LINES))]
    pub(crate) footer_lines: u64,
    /// Serve records with another number of fields: fill up with nulls, leave surplus fields out, or both
    #[arg(long, value_enum, value_delimiter = ',', env = "PGBACKFILL_RAGGED")]
    pub(crate) ragged: Vec<RaggedArg>,
    /// Spaces and tabs around fields, outside quotes, are no part of them
    #[arg(long, env = "PGBACKFILL_TRIM", value_parser = read::switch())]
    pub(crate) trim: bool,
    /// What quotes within fields are
    #[arg(long, value_enum, default_value = "toggle", env = "PGBACKFILL_STRAY_QUOTES")]
    pub(crate) stray_quotes: StrayQuotesArg,
    /// What records are that repeat the header
    #[arg(long, value_enum, default_value = "data", env = "PGBACKFILL_REPEATED_HEADER")]
    pub(crate) repeated_header: RepeatedHeaderArg,
}

/// What a run may use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Connections that load at once [default: one per core, while half of the server's free slots stay free]
    #[arg(long, short, value_name = "N", env = "PGBACKFILL_WORKERS", value_parser = read::counts(bounds::WORKERS))]
    pub(crate) workers: Option<usize>,
    /// Threads that decode and encode [default: one per core]
    #[arg(long, value_name = "N", env = "PGBACKFILL_THREADS", value_parser = read::counts(bounds::THREADS))]
    pub(crate) threads: Option<usize>,
    /// Rows in a batch
    #[arg(long, value_name = "N", default_value_t = 250_000, env = "PGBACKFILL_BATCH_ROWS", value_parser = read::numbers(bounds::BATCH_ROWS))]
    pub(crate) batch_rows: u64,
    /// COPY bytes in a batch
    #[arg(long, value_name = "SIZE", default_value = "64MiB", env = "PGBACKFILL_BATCH_BYTES", value_parser = read::sizes(bounds::BATCH_BYTES))]
    pub(crate) batch_bytes: u64,
    /// Memory for pieces and blocks
    #[arg(long, value_name = "SIZE", default_value = "256MiB", env = "PGBACKFILL_MEMORY", value_parser = read::sizes(bounds::MEMORY_BYTES))]
    pub(crate) memory: u64,
    /// Disk for the spool of a source that is not in order of time
    #[arg(long, value_name = "SIZE", default_value = "64GiB", env = "PGBACKFILL_SPOOL_BYTES", value_parser = read::sizes(bounds::SPOOL_BYTES))]
    pub(crate) spool_bytes: u64,
    /// Folder of the spool [default: the system's temporary folder]
    #[arg(long, value_name = "FOLDER", env = "PGBACKFILL_SPOOL_FOLDER")]
    pub(crate) spool_folder: Option<PathBuf>,
    /// What is kept of a rejected row; a longer one is kept in part
    #[arg(long, value_name = "SIZE", default_value = "64KiB", env = "PGBACKFILL_REJECT_BYTES", value_parser = read::sizes(bounds::REJECT_BYTES))]
    pub(crate) reject_bytes: u64,
    /// The most objects that the source may have; all of them are kept in memory, at some 200 bytes each
    #[arg(long, value_name = "N", default_value_t = 1_000_000, env = "PGBACKFILL_OBJECTS_MAX", value_parser = read::counts(bounds::OBJECTS))]
    pub(crate) objects_max: usize,
    /// The most pieces (of 4 MiB of CSV, or row groups) that the source may have, at some 115 bytes of memory each
    #[arg(long, value_name = "N", default_value_t = 4_000_000, env = "PGBACKFILL_PIECES_MAX", value_parser = read::counts(bounds::PIECES))]
    pub(crate) pieces_max: usize,
    /// The most windows that the job may have
    #[arg(long, value_name = "N", default_value_t = 1_000_000, env = "PGBACKFILL_WINDOWS_MAX", value_parser = read::counts(bounds::WINDOWS))]
    pub(crate) windows_max: usize,
    /// How long a window that fails is tried again
    #[arg(long, value_name = "TIME", default_value = "5m", env = "PGBACKFILL_RETRY_FOR", value_parser = read::durations(bounds::RETRY_FOR))]
    pub(crate) retry_for: Duration,
    /// How long a run that gives no sign of life is believed to be alive
    #[arg(long, value_name = "TIME", default_value = "60s", env = "PGBACKFILL_LEASE", value_parser = read::durations(bounds::LEASE))]
    pub(crate) lease: Duration,
    /// How long the server may take to answer one statement; none waits for ever
    #[arg(long, value_name = "TIME", default_value = "30m", env = "PGBACKFILL_STATEMENT_TIMEOUT", value_parser = read::timeout)]
    pub(crate) statement_timeout: OptionalDuration,
}

/// A time limit, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OptionalDuration(pub(crate) Option<Duration>);

/// A quote character, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OptionalByte(pub(crate) Option<u8>);

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExistingArg {
    /// Stop with an error
    Error,
    /// Delete them first, within --scope
    Replace,
    /// Leave them, and load beside them
    Keep,
    /// Leave them, and do not load the window
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RaggedArg {
    /// Fields that are missing at the end are null
    Pad,
    /// Fields past the last column are left out
    Trim,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StrayQuotesArg {
    /// The beginning or end of what is quoted, as COPY has it
    Toggle,
    /// Plain text, but at the start of a field and before the delimiter or line end that ends it
    Keep,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RepeatedHeaderArg {
    /// Data like any other
    Data,
    /// Skipped, and counted
    Skip,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OnConflictArg {
    /// Stop with an error
    Fail,
    /// Leave the source row out
    Skip,
    /// Give the table's row the source's values
    Update,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CommitArg {
    /// A batch of rows
    Batch,
    /// A whole window
    Window,
}

impl From<ExistingArg> for Existing {
    fn from(arg: ExistingArg) -> Self {
        match arg {
            ExistingArg::Error => Self::Error,
            ExistingArg::Replace => Self::Replace,
            ExistingArg::Keep => Self::Keep,
            ExistingArg::Skip => Self::Skip,
        }
    }
}

impl From<OnConflictArg> for OnConflict {
    fn from(arg: OnConflictArg) -> Self {
        match arg {
            OnConflictArg::Fail => Self::Fail,
            OnConflictArg::Skip => Self::Skip,
            OnConflictArg::Update => Self::Update,
        }
    }
}

impl From<CommitArg> for Commit {
    fn from(arg: CommitArg) -> Self {
        match arg {
            CommitArg::Batch => Self::Batch,
            CommitArg::Window => Self::Window,
        }
    }
}
