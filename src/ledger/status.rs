//! What the ledger knows of jobs, for people and for verification.

use serde::Serialize;

use super::job::unsigned;
use super::{JobRecord, exists};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Conflicts, Progress, RowHash, Window};
use crate::target::Session;

/// How far a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowState {
    /// Nobody has claimed it, or it was given back.
    Pending,
    /// A run has claimed it.
    Loading,
    /// It is loaded.
    Loaded,
    /// It held rows, and was left as it was on request.
    Skipped,
    /// It could not be loaded.
    Failed,
}

/// A window as the ledger holds it.
#[derive(Debug, Clone)]
pub struct WindowStatus {
    /// Its place in the job's order, from 0.
    pub number: i64,
    /// Its range.
    pub window: Window,
    /// How far it is.
    pub state: WindowState,
    /// How often it was claimed.
    pub attempt: u32,
    /// Rows that the attempt has committed.
    pub rows: u64,
    /// COPY bytes sent for them.
    pub bytes: u64,
    /// Source rows that met a row of their key.
    pub conflicts: Conflicts,
    /// Rows that it rejected.
    pub rejected: u64,
    /// Sum of the hashes of its rows, once a batch is committed; `None` where triggers changed rows once they were stored.
    pub hash: Option<RowHash>,
    /// Why it failed.
    pub error: Option<String>,
    /// Fingerprint of the objects that may hold its rows.
    pub(crate) source: Vec<u8>,
}

/// A job at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub job: String,
    /// Its table.
    pub table: String,
    /// When it was begun.
    pub created: String,
    /// Its windows and rows.
    pub progress: Progress,
    /// Rows that its windows are to hold in the end.
    pub rows_expected: u64,
    /// The time before which every window is loaded, with no hole.
    pub frontier: Option<String>,
    /// Live runs, as `host:pid`.
    pub runs: Vec<String>,
    /// Rows per second over the loaded windows of the last minute.
    pub rows_per_second: f64,
    /// Windows that failed, with the reason.
    pub failures: Vec<(String, String)>,
}

/// Names of all jobs, oldest first.
pub(crate) async fn job_names(session: &Session) -> Result<Vec<String>> {
    if !exists(session).await? {
        return Ok(Vec::new());
    }
    let rows = session.query("select name from pgbackfill.jobs order by id", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The job called `name`, or the only one there is.
///
/// # Errors
///
/// [`ErrorKind::Settings`] if there is none, or no name was given and there are several.
pub(crate) async fn find(session: &Session, name: Option<&str>) -> Result<JobRecord> {
    let names = job_names(session).await?;
    let known = || if names.is_empty() { "there is none".to_owned() } else { names.join(", ") };
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => {
            return Err(Error::new(ErrorKind::Settings, "which job is meant is not clear")
                .with_hint(format!("name one of the jobs in this database: {}", known())));
        }
    };
    let job = if names.iter().any(|known| known == name) { JobRecord::find(session, name).await? } else { None };
    job.ok_or_else(|| {
        Error::new(ErrorKind::Settings, format!("there is no job {name}"))
            .with_hint(format!("jobs in this database: {}", known()))
    })
}

/// The windows of a job, in order.
pub(crate) async fn windows(session: &Session, job: &JobRecord) -> Result<Vec<WindowStatus>> {
    let rows = session.query(include_str!("status/windows.sql"), &[&job.id]).await?;
    rows.iter().map(|row| read(job, row)).collect()
}

fn read(job: &JobRecord, row: &tokio_postgres::Row) -> Result<WindowStatus> {
    let broken = |what: &str| Error::new(ErrorKind::Internal, format!("the ledger of job {} holds {what}", job.name));
    let hash: Option<Vec<u8>> = row.get("row_hash");
    let hash = hash.map(|bytes| <[u8; 16]>::try_from(bytes).map_err(|_| broken("a row hash that is not 16 bytes")));
    Ok(WindowStatus {
        number: row.get("number"),
        window: Window::from_bounds(job.key_kind, row.get("lower"), row.get("upper"))
            .ok_or_else(|| broken("an empty window"))?,
        state: state(row.get("state")).ok_or_else(|| broken("an unknown state"))?,
        attempt: u32::try_from(row.get::<_, i32>("attempt")).unwrap_or(0),
        rows: unsigned(row.get("rows")),
        bytes: unsigned(row.get("bytes")),
        conflicts: conflicts(row),
        rejected: unsigned(row.get("rejected")),
        hash: hash.transpose()?.map(RowHash::from_bytes),
        error: row.get("error"),
        source: row.get("source"),
    })
}

fn state(name: &str) -> Option<WindowState> {
    Some(match name {
        "pending" => WindowState::Pending,
        "loading" => WindowState::Loading,
        "loaded" => WindowState::Loaded,
        "skipped" => WindowState::Skipped,
        "failed" => WindowState::Failed,
        _ => return None,
    })
}

/// What was put into a window, as its batches were recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Ids of the transactions that wrote its rows.
    pub(crate) xids: Vec<u64>,
    /// How many rows those wrote.
    pub(crate) rows: u64,
    /// How many of them had been there before, with other values.
    pub(crate) updated: u64,
}

/// Ids of the transactions that wrote the rows of a window.
pub(crate) async fn transactions(session: &Session, job: i64, number: i64) -> Result<Vec<u64>> {
    Ok(written(session, job, number).await?.xids)
}

/// What was put into a window.
pub(crate) async fn written(session: &Session, job: i64, number: i64) -> Result<Written> {
    let row = session.query_one(include_str!("status/transactions.sql"), &[&job, &number]).await?;
    let reason = if row.get("too_old") {
        Some(
            "the rows of this window are too old to be told apart: more than two thousand million transactions have run since",
        )
    } else if row.get("elsewhere") {
        Some(
            "the rows of this window were loaded in another cluster: table and ledger were restored or upgraded into this one, \
             where the same transaction ids are those of others",
        )
    } else {
        None
    };
    if let Some(reason) = reason {
        let job: String = row.get("job");
        return Err(Error::new(ErrorKind::Limit, reason).with_hint(format!(
            "`pgbackfill forget {job} --leave-rows` removes the job and leaves its rows. To load them again, delete them by \
             hand after that"
        )));
    }
    let xids: Vec<String> = row.get("xids");
    let read = |xid: &String| {
        xid.parse()
            .map_err(|error| Error::new(ErrorKind::Internal, "a transaction id in the ledger").with_source(error))
    };
    let xids = xids.iter().map(read).collect::<Result<Vec<u64>>>()?;
    Ok(Written { xids, rows: unsigned(row.get("rows")), updated: unsigned(row.get("rows_updated")) })
}

/// What a job has loaded by now.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) rows: u64,
    /// First key of its windows with rows, and first key after them.
    pub(crate) bounds: Option<(i64, i64)>,
    /// Whether the job was begun in this cluster.
    pub(crate) is_here: bool,
}

/// Rows and bounds of the windows that are loaded.
pub(crate) async fn loaded(session: &Session, job: &JobRecord) -> Result<Loaded> {
    let row = session.query_one(include_str!("status/loaded.sql"), &[&job.id]).await?;
    let bounds = row.get::<_, Option<i64>>("lower").zip(row.get("upper"));
    Ok(Loaded { rows: unsigned(row.get("rows")), bounds, is_here: row.get("is_here") })
}

/// Counts of a job's windows and rows.
pub(crate) async fn progress(session: &Session, job: &JobRecord) -> Result<Progress> {
    session.query_one(include_str!("status/progress.sql"), &[&job.id]).await.map(|row| counts(&row))
}

fn counts(row: &tokio_postgres::Row) -> Progress {
    let count = |name: &str| unsigned(row.get(name));
    Progress {
        windows: count("windows"),
        loaded: count("loaded"),
        skipped: count("skipped"),
        failed: count("failed"),
        rows: count("rows"),
        conflicts: conflicts(row),
        rejected: count("rejected"),
    }
}

/// Source rows of a window, or of many, that met a row of their key.
pub(super) fn conflicts(row: &tokio_postgres::Row) -> Conflicts {
    Conflicts { skipped: unsigned(row.get("rows_skipped")), updated: unsigned(row.get("rows_updated")) }
}

impl JobStatus {
    /// A job at a glance.
    pub(crate) async fn of(session: &Session, job: &JobRecord) -> Result<Self> {
        let row = session.query_one(include_str!("status/glance.sql"), &[&job.id]).await?;
        let frontier = row.get::<_, Option<i64>>("frontier").and_then(|lower| {
            let kind = job.key_kind?;
            Some(kind.short(crate::model::TimeKey(lower)))
        });
        let progress = counts(&row);
        // To look for failures where there are none, the server would pass every open window.
        let failures = if progress.failed == 0 { Vec::new() } else { job.failures(session).await? };
        Ok(Self {
            job: job.name.clone(),
            table: job.table.clone(),
            created: row.get("created"),
            progress,
            rows_expected: job.rows.inside(),
            frontier,
            runs: super::live(session, job).await?.iter().map(super::LiveRun::place).collect(),
            rows_per_second: row.get("rows_per_second"),
            failures,
        })
    }
}
