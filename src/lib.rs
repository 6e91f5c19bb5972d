//! Loads history into `PostgreSQL` and `TimescaleDB`, window by window, exactly once.
//!
//! A [`Backfill`] takes a source ([`Input`]: files, folders, globs, or a [`Source`] of one's own), a target
//! ([`ConnectSettings`]) and [`Options`]. In the order in which data flows:
//!
//! 1. [`source`] lists objects, and [`format`](mod@format) tells what is in them: their pieces, each with its rows and the
//!    span of its time column.
//! 2. [`schema`] pairs source columns with the target's, and [`plan`] draws windows: half-open ranges of time.
//! 3. Workers claim windows from the [`ledger`], oldest first; pieces are decoded to Arrow batches, clipped to the window,
//!    and made into blocks of COPY bytes by [`encode`].
//! 4. [`target`] sends them, and each batch commits together with its entry in the ledger. A window that was left half
//!    loaded is cleared of exactly the rows that were written for it, and loaded again.
//! 5. [`verify()`] reads the rows back and compares them, value by value, with what was sent.
//!
//! [`status`], [`undo`] and [`inspect`] are the rest of what the command line can do; it uses nothing else than this
//! crate's public names.

pub mod encode;
mod error;
mod failpoint;
pub mod format;
mod jobs;
pub mod ledger;
mod load;
pub mod model;
mod options;
pub mod plan;
mod pool;
pub mod report;
pub mod schema;
pub mod source;
pub mod target;
mod verify;

pub use error::{Error, ErrorKind, Place, Result, Retry, SqlClass, classify};
pub use jobs::{Forgotten, Rejects, forget, init, job_names, status};
pub use ledger::{JobStatus, RejectedObject, RejectedRow};
pub use load::{
    Advice, Backfill, BadRecord, Input, InspectedObject, InspectedTime, Inspection, MissingRows, PlannedColumn,
    Proposal, ProposedWindow, Stop, Undone, inspect, undo, undo_repeating,
};
pub use model::datetime::TimeFormat;
pub use model::{
    Conflicts, Event, Mended, Observer, Progress, Ragged, RawRecord, Reject, RejectCount, Repeated, RepeatedHeader,
    StrayQuotes, Summary, Zone,
};
pub use options::{
    Bound, Commit, CsvOptions, EmptyFields, Existing, Limits, MappingRules, MaxRejects, OnConflict, Options,
    TimeOptions, WindowSize, bounds,
};
pub use source::{Batches, Part, Source};
pub use target::ConnectSettings;
pub use verify::{Difference, Verification, verify, verify_repeating};

/// The examples of the README are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
