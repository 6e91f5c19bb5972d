//! The crate's one error type: what failed, where it stood, and what to do next.
//!
//! An [`Error`] keeps the place of a failure in fields (object, record, byte, column, window, SQLSTATE), so that a
//! library user can act on them and the command line can print them in one form. Messages are lower-case phrases
//! that never repeat their source.

mod retry;
mod shown;

use std::borrow::Cow;
use std::fmt;

pub use retry::{Retry, SqlClass, classify};
pub(crate) use shown::listed;
pub use shown::{escaped, is_hidden, shortened};

/// The longest message of an error, in bytes: a table's 1,600 columns could all be named in one.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// The longest hint, which may list names of the source and of the target.
const HINT_BYTES_MAX: usize = 32 << 10;

/// The longest name of a column that a place shows: a header may name one with a megabyte.
const NAME_BYTES_MAX: usize = 256;

/// A text that an error keeps, bounded.
fn kept(text: String, bytes_max: usize) -> String {
    match shortened(&text, bytes_max) {
        Cow::Owned(short) => short,
        Cow::Borrowed(_) => text,
    }
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with its place, its cause and a hint.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    place: Place,
    hint: Option<String>,
    refusal: Option<Refusal>,
    of_no_row: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What the server said of a row that it refused, apart from where that stood in the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    /// The row's number in its COPY, from 1, where the server tells it.
    pub(crate) row: Option<u64>,
}

/// What sort of failure an [`Error`] is; it decides the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is wrong, missing or in conflict with another.
    Settings,
    /// Source columns and target columns do not fit together.
    Schema,
    /// An object cannot be found, read or understood as a whole.
    Source,
    /// A value in the source cannot be stored.
    Data,
    /// The source, the table or what was loaded into it is not what the job has recorded.
    Changed,
    /// The window already holds rows that this job did not write.
    Occupied,
    /// The role lacks a privilege.
    Permission,
    /// The server refused or failed; `sqlstate` says why.
    Target,
    /// The connection to the server could not be made or was lost.
    Connection,
    /// Another run holds this job.
    Busy,
    /// This run lost its claim on a window to another run.
    Fenced,
    /// The ledger does not have the job, the run or its claim any more: it was deleted, or the server fell back to an
    /// earlier state.
    Gone,
    /// The run stopped before everything was loaded; the job can be resumed.
    Incomplete,
    /// The user asked to stop.
    Interrupted,
    /// The target differs from what the ledger recorded.
    Difference,
    /// A limit of this program was reached.
    Limit,
    /// A defect in this program.
    Internal,
}

/// Where a failure stood; every field that is known is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// URI of the object.
    pub object: Option<String>,
    /// Record number in the object, from 1; a CSV header is not counted.
    pub record: Option<u64>,
    /// Byte offset in the object of the start of the record, or of the failing byte.
    pub byte: Option<u64>,
    /// Name of the column in the target.
    pub column: Option<String>,
    /// The window, as `[start, end)`.
    pub window: Option<String>,
    /// The server's five-character code.
    pub sqlstate: Option<String>,
}

impl Error {
    /// An error of `kind` that says `message`, of which at most 8 KiB are kept.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: kept(message.into(), MESSAGE_BYTES_MAX),
            place: Place::default(),
            hint: None,
            refusal: None,
            of_no_row: false,
            source: None,
        }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the next step for a person.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(kept(hint.into(), HINT_BYTES_MAX));
        self
    }

    /// Names the object.
    #[must_use]
    pub fn at_object(mut self, uri: impl Into<String>) -> Self {
        self.0.place.object = Some(uri.into());
        self
    }

    /// Names the record, from 1.
    #[must_use]
    pub fn at_record(mut self, record: u64) -> Self {
        self.0.place.record = Some(record);
        self
    }

    /// Names the byte offset in the object.
    #[must_use]
    pub fn at_byte(mut self, byte: u64) -> Self {
        self.0.place.byte = Some(byte);
        self
    }

    /// Names the target column.
    #[must_use]
    pub fn in_column(mut self, column: impl Into<String>) -> Self {
        self.0.place.column = Some(column.into());
        self
    }

    /// Names the window.
    #[must_use]
    pub fn in_window(mut self, window: impl Into<String>) -> Self {
        self.0.place.window = Some(window.into());
        self
    }

    /// Names the server's error code.
    #[must_use]
    pub fn with_sqlstate(mut self, code: impl Into<String>) -> Self {
        self.0.place.sqlstate = Some(code.into());
        self
    }

    /// Adds what the server said.
    #[must_use]
    pub(crate) fn with_refusal(mut self, refusal: Refusal) -> Self {
        self.0.refusal = Some(refusal);
        self
    }

    /// Notes that no row that was sent can be at fault, whatever the code says.
    #[must_use]
    pub(crate) fn of_no_row(mut self) -> Self {
        self.0.of_no_row = true;
        self
    }

    /// What the server said, if it was the server: here, or in the chain of causes.
    #[must_use]
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        let inner = || std::error::Error::source(self)?.downcast_ref::<Self>()?.refusal();
        self.0.refusal.as_ref().or_else(inner)
    }

    /// Why, without the place: the message, and those of the causes.
    #[must_use]
    pub(crate) fn reason(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        text
    }

    /// Wraps this error in another that says what was being done; kind, place and hint carry over, and the outer
    /// message does not repeat the place.
    #[must_use]
    pub fn context(self, message: impl Into<String>) -> Self {
        let mut outer = Self::new(self.0.kind, message);
        outer.0.hint.clone_from(&self.0.hint);
        outer.with_source(self)
    }

    /// Makes it a failure of another sort: what it means for a whole run, say.
    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Whether the run's claim is not its own any more: nothing that it would still write can be committed.
    #[must_use]
    pub(crate) fn is_of_lost_claim(&self) -> bool {
        matches!(self.kind(), ErrorKind::Fenced | ErrorKind::Gone)
    }

    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The next step for a person, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where the failure stood: the innermost place known in the chain of causes.
    #[must_use]
    pub fn place(&self) -> &Place {
        let inner = std::error::Error::source(self).and_then(|source| source.downcast_ref::<Self>());
        match inner {
            Some(inner) if self.0.place == Place::default() => inner.place(),
            _ => &self.0.place,
        }
    }

    /// Whether it may be the fault of one of the rows that were sent.
    #[must_use]
    pub(crate) fn is_of_row(&self) -> bool {
        let met_value = self.place().column.is_some() && self.refusal().is_some_and(|said| said.row.is_some());
        !self.0.of_no_row && retry::is_of_row(self.kind(), self.place().sqlstate.as_deref(), met_value)
    }

    /// Whether trying again can help, and how.
    #[must_use]
    pub fn retry(&self) -> Retry {
        retry::of(self.kind(), self.place().sqlstate.as_deref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        self.0.place.fmt(f)
    }
}

/// The place as the tail of a sentence: ` in column "host" (23502), a.csv record 1041, byte 88213`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(column) = &self.column {
            write!(f, " in column \"{}\"", shortened(column, NAME_BYTES_MAX))?;
        }
        if let Some(window) = &self.window {
            write!(f, " in window {window}")?;
        }
        if let Some(code) = &self.sqlstate {
            write!(f, " ({code})")?;
        }
        let mut separator = ", ";
        if let Some(object) = &self.object {
            write!(f, "{separator}{object}")?;
            separator = " ";
        }
        if let Some(record) = self.record {
            write!(f, "{separator}record {record}")?;
            separator = ", ";
        }
        if let Some(byte) = self.byte {
            write!(f, "{separator}byte {byte}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("place", &self.0.place)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_shows_is_bounded() {
        let long = "x".repeat(1 << 20);
        let error = Error::new(ErrorKind::Schema, &*long).with_hint(&*long).in_column(&*long);
        assert!(error.to_string().len() < 9 << 10, "{}", error.to_string().len());
        assert!(error.hint().is_some_and(|hint| hint.len() < 33 << 10));
        assert!(error.context(&*long).to_string().len() < 9 << 10);
    }

    #[test]
    fn an_error_names_its_place_and_keeps_it_through_context() {
        let error = Error::new(ErrorKind::Data, "null value")
            .in_column("host")
            .with_sqlstate("23502")
            .at_object("a.csv")
            .at_record(1041)
            .at_byte(88213);
        assert_eq!(error.to_string(), "null value in column \"host\" (23502), a.csv record 1041, byte 88213");
        let outer = error.with_hint("mend it").context("copy into public.metrics");
        assert_eq!(outer.to_string(), "copy into public.metrics");
        assert_eq!(outer.place().record, Some(1041));
        assert_eq!(outer.hint(), Some("mend it"));
    }
}
