//! Verification: the target's rows, counted and hashed window by window, against what the ledger recorded.
//!
//! The server returns rows in the very bytes that were hashed when they were sent, so one pass over a window compares every
//! value of it. Rows of others in the same window do not matter: ours are told apart by the transactions that wrote them.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, WindowState, WindowStatus};
use crate::model::{Event, Observer, Repeated, RowHash, Window};
use crate::schema::{TableName, quote_identifier, scope_predicate, written_by};
use crate::target::{ConnectSettings, SearchPath, Session, rewritten, tuples, xid_array};

/// What verification found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// Name of the job.
    pub job: String,
    /// Windows compared.
    pub windows: u64,
    /// Rows read back.
    pub rows: u64,
    /// Windows that are not loaded yet, and so were not compared.
    pub not_loaded: u64,
    /// Windows that were left as they were on request, and so were not compared.
    pub skipped: u64,
    /// Rows of the source that the job rejected: they are not there, and `pgbackfill rejects` prints them.
    pub rows_rejected: u64,
    /// Rows of the source that were left out of loaded windows, for rows of their keys were there (`--on-conflict skip`).
    pub rows_skipped: u64,
    /// Windows that differ.
    pub differences: Vec<Difference>,
    /// Columns whose values were not compared, for their stored form cannot be foretold.
    pub unhashed: Vec<String>,
    /// Windows of which rows were only counted, for triggers had changed some once they were stored.
    pub rewritten: u64,
    /// Whether row-level security decides which rows this role sees: those that it hides count as missing.
    pub row_security: bool,
    /// Whether ALTER TABLE has rewritten rows of the first window that lacks some: they carry its transaction id since, and
    /// cannot be told from rows of others.
    pub table_rewritten: bool,
}

/// A window whose rows are not those that were loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The window, as people read it.
    pub window: String,
    /// Rows that the ledger recorded.
    pub rows_loaded: u64,
    /// Rows that are there.
    pub rows_found: u64,
}

impl Verification {
    /// Whether every loaded window holds what was loaded.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Rows of one window: their number and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    rows: u64,
    hash: RowHash,
}

/// Compares what a job loaded with what is there now. `job` may be left out where there is just one.
///
/// # Errors
///
/// If the job is unknown, or the target cannot be read. A difference is no error: it is in the result.
pub async fn verify(target: &ConnectSettings, job: Option<&str>, observer: &dyn Observer) -> Result<Verification> {
    verify_repeating(target, job, Repeated::default(), observer).await
}

/// [`verify`] for a job of which the caller repeats something.
///
/// # Errors
///
/// As [`verify`]; [`ErrorKind::Settings`] if what is repeated is not the job's.
pub async fn verify_repeating(
    target: &ConnectSettings,
    job: Option<&str>,
    repeated: Repeated<'_>,
    observer: &dyn Observer,
) -> Result<Verification> {
    let session = Session::open(target).await?;
    let job = ledger::find(&session, job).await?;
    session.require_trusted(&job.name, &job.target, repeated.table, false).await?;
    let scope = repeated_scope(&session, &job, repeated.scope).await?;
    let windows = ledger::windows(&session, &job).await?;
    let (loaded, others): (Vec<_>, Vec<_>) =
        windows.into_iter().partition(|status| status.state == WindowState::Loaded);
    let skipped = others.iter().filter(|status| status.state == WindowState::Skipped).count();
    let mut verification = Verification {
        job: job.name.clone(),
        windows: 0,
        rows: 0,
        not_loaded: (others.len() - skipped) as u64, // usize has at most 64 bits
        skipped: skipped as u64,                     // likewise
        rows_rejected: ledger::total_rejects(&session, job.id).await?,
        rows_skipped: loaded.iter().map(|status| status.conflicts.skipped).sum(),
        differences: Vec::new(),
        unhashed: job.unhashed.clone(),
        rewritten: loaded.iter().filter(|status| status.hash.is_none()).count() as u64, // likewise
        row_security: session.is_filtered(&job.target).await?,
        table_rewritten: false,
    };
    if job.finds_rows_by_time() {
        for status in &loaded {
            let found = read_window(&session, &job, scope, status).await?;
            verification.compare(&job, status, found, observer);
        }
    } else {
        let found = read_all(&session, &job, &loaded).await?;
        for status in &loaded {
            verification.compare(&job, status, found.get(&status.number).copied().unwrap_or_default(), observer);
        }
    }
    verification.table_rewritten = is_rewritten(&session, &job, &loaded, &verification).await?;
    Ok(verification)
}

/// Whether ALTER TABLE has rewritten rows of the first window that lacks some.
async fn is_rewritten(
    session: &Session,
    job: &JobRecord,
    loaded: &[WindowStatus],
    found: &Verification,
) -> Result<bool> {
    // Policies are code of the table's owner, which this statement is not to run.
    if found.row_security || !job.has_own_rows() {
        return Ok(false);
    }
    let Some(first) = found.differences.iter().find(|it| it.rows_found < it.rows_loaded) else { return Ok(false) };
    let Some(status) = loaded.iter().find(|status| status.window.display(job.key_kind) == first.window) else {
        return Ok(false);
    };
    let Some(newest) = ledger::transactions(session, job.id, status.number).await?.into_iter().max() else {
        return Ok(false);
    };
    let rows = match (status.window, &job.time_column, job.key_kind) {
        (Window::Time { start, end }, Some(time), Some(kind)) => crate::schema::time_predicate(time, kind, start, end),
        _ => "true".to_owned(),
    };
    Ok(session.query_one(&rewritten(&job.target, &rows, newest), &[&job.target]).await?.get(0))
}

impl Verification {
    fn compare(&mut self, job: &JobRecord, status: &WindowStatus, found: Found, observer: &dyn Observer) {
        self.windows += 1;
        self.rows += found.rows;
        let window = status.window.display(job.key_kind);
        let equal = found.rows == status.rows && status.hash.is_none_or(|hash| hash == found.hash);
        observer.observe(&Event::Verified { window: window.clone(), rows: found.rows, equal });
        if !equal {
            self.differences.push(Difference { window, rows_loaded: status.rows, rows_found: found.rows });
        }
    }
}

/// The scope as the caller repeats it, where rows are selected by it.
async fn repeated_scope<'a>(session: &Session, job: &JobRecord, scope: Option<&'a str>) -> Result<Option<&'a str>> {
    if scope.is_some() && scope != job.scope.as_deref() {
        let was = job.scope.as_ref().map_or_else(|| "none".to_owned(), |scope| format!("{scope:?}"));
        return Err(Error::new(ErrorKind::Settings, format!("job {} has another scope: {was}", job.name))
            .with_hint("repeat --scope as the job was loaded with it"));
    }
    let (Some(stored), false) = (&job.scope, job.has_own_rows()) else { return Ok(None) };
    let Some(scope) = scope else {
        return Err(Error::new(
            ErrorKind::Settings,
            format!("which rows of {} are the job's is decided by its scope, which must be repeated", job.table),
        )
        .with_hint(format!(
            "every role that loads may change what the ledger holds. If this is the predicate that the job was loaded with, \
             verify with it: --scope {}",
            shell_quoted(stored)
        )));
    };
    let table = TableName::from_sql(&job.target).expect("it was read from such a text");
    session.check_scope(&table, scope).await?;
    Ok(Some(scope))
}

/// A text as a word of a shell.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Reads the job's rows of one window, found by the time column.
async fn read_window(session: &Session, job: &JobRecord, scope: Option<&str>, status: &WindowStatus) -> Result<Found> {
    let (Some(time), Some(kind), Window::Time { start, end }) = (&job.time_column, job.key_kind, status.window) else {
        return Err(Error::new(ErrorKind::Internal, "a window of another kind than its job's"));
    };
    let time = crate::schema::time_predicate(time, kind, start, end);
    let (ours, path) = if job.has_own_rows() {
        let xids = ledger::transactions(session, job.id, status.number).await?;
        (written_by(&xid_array(&xids)), SearchPath::Own)
    } else {
        whole_window(job, scope)?
    };
    let columns = crate::schema::column_list(&job.hashed);
    let sql = format!("copy (select {columns} from {} where {time} and {ours}) to stdout (format binary)", job.target);
    let mut found = Found::default();
    read(session, &sql, path, |fields| {
        found.rows += 1;
        found.hash += RowHash::of_row(fields);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Where rows carry no transaction id, a window holds nobody else's rows, or they cannot be told apart.
fn whole_window(job: &JobRecord, scope: Option<&str>) -> Result<(String, SearchPath)> {
    if job.settings["existing"] == "keep" {
        return Err(Error::new(
            ErrorKind::Settings,
            format!("rows of {} cannot be told from those that were there before", job.table),
        )
        .with_hint("a view's rows carry no transaction id; compare with the source by hand"));
    }
    Ok(match scope {
        Some(scope) => (scope_predicate(scope), SearchPath::Pinned),
        None => ("true".to_owned(), SearchPath::Own),
    })
}

/// Reads the job's rows of all windows in one pass: the transaction that wrote a row tells its window.
async fn read_all(session: &Session, job: &JobRecord, loaded: &[WindowStatus]) -> Result<HashMap<i64, Found>> {
    let mut found: HashMap<i64, Found> = HashMap::new();
    if !job.has_own_rows() {
        return Err(Error::new(ErrorKind::Settings, format!("windows of {} cannot be told apart", job.table))
            .with_hint("its rows carry no transaction id, and the job has no time column"));
    }
    let mut windows: HashMap<u32, i64> = HashMap::new();
    let mut xids = Vec::new();
    for status in loaded {
        for xid in ledger::transactions(session, job.id, status.number).await? {
            let low = u32::try_from(xid & u64::from(u32::MAX)).expect("it was cut to 32 bits");
            windows.insert(low, status.number);
            xids.push(xid);
        }
    }
    if xids.is_empty() {
        return Ok(found);
    }
    let columns = std::iter::once("xmin".to_owned()).chain(job.hashed.iter().map(|name| quote_identifier(name)));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let (table, ours) = (&job.target, written_by(&xid_array(&xids)));
    let sql = format!("copy (select {columns} from {table} where {ours}) to stdout (format binary)");
    read(session, &sql, SearchPath::Own, |fields| {
        let (xid, fields) = tuples::split_xid(fields)?;
        let entry = found.entry(windows.get(&xid).copied().unwrap_or(-1)).or_default();
        entry.rows += 1;
        entry.hash += RowHash::of_row(fields);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Hands the fields of each row of a binary COPY to `take`.
async fn read(session: &Session, sql: &str, path: SearchPath, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut stream = Box::pin(session.copy_out(sql, path).await?);
    let mut reader = tuples::Reader::default();
    while let Some(message) = stream.try_next().await? {
        reader.read(&message, &mut take)?;
    }
    reader.finish()
}
