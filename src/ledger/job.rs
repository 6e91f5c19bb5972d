//! Jobs: what was asked for, kept so that a re-run can resume it and be refused where it asks for something else.

mod replan;

pub(crate) use replan::{Reopened, Replan, Step};
use serde_json::Value;

use super::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, Mended, Object, Reject, SourceRows, Window};
use crate::schema::TableName;
use crate::target::Session;

/// A job as the ledger holds it.
#[derive(Debug, Clone)]
pub(crate) struct JobRecord {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// The table, as people read it.
    pub(crate) table: String,
    /// The table, as SQL spells it.
    pub(crate) target: String,
    pub(crate) time_column: Option<String>,
    pub(crate) key_kind: Option<KeyKind>,
    pub(crate) scope: Option<String>,
    /// `batch` or `window`, for what one transaction holds; `whole` for a window in a relation without `xmin`.
    pub(crate) commit_mode: String,
    pub(crate) hashed: Vec<String>,
    pub(crate) unhashed: Vec<String>,
    pub(crate) settings: Value,
    /// First key of the range, and first key after it, as they were resolved at the first run.
    pub(crate) range: (Option<i64>, Option<i64>),
    pub(crate) rows: SourceRows,
    /// What was mended in the source.
    pub(crate) mended: Mended,
    /// Where windows may begin and end, as it was drawn at the first run; null without a time column.
    pub(crate) grid: Value,
    /// The table as it was when the job began.
    pub(crate) shape: Value,
}

/// A window to be entered for a new job.
#[derive(Debug, Clone)]
pub(crate) struct NewWindow {
    pub(crate) window: Window,
    /// Fingerprint of the objects that may hold its rows.
    pub(crate) source: [u8; 16],
}

/// A job to be entered.
#[derive(Debug)]
pub(crate) struct NewJob<'a> {
    pub(crate) record: JobRecord,
    pub(crate) objects: &'a [Object],
    pub(crate) windows: &'a [NewWindow],
    /// Rows that belong to no window because they cannot be read.
    pub(crate) rejects: &'a Windowless,
}

/// Rejects that belong to no window.
#[derive(Debug, Clone, Default)]
pub(crate) struct Windowless {
    pub(crate) rejects: Vec<Reject>,
    /// What stands before the records of their objects, by URI.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// Rows of one `insert … select unnest`: enough to make the round trip cheap, few enough to keep parameters small.
const ROWS_PER_INSERT: usize = 10_000;

impl JobRecord {
    /// Looks a job up by its name.
    pub(crate) async fn find(session: &Session, name: &str) -> Result<Option<Self>> {
        let row = session.query_opt(include_str!("job/find.sql"), &[&name]).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// Whether rows of the job can be told from others by their `xmin`.
    pub(crate) fn has_own_rows(&self) -> bool {
        self.commit_mode != "whole"
    }

    /// Whether triggers may have moved rows out of their windows: a time column that is not hashed is one that they may rewrite.
    pub(crate) fn may_have_moved_rows(&self) -> bool {
        self.time_column.as_ref().is_some_and(|time| !self.hashed.contains(time))
    }

    /// Whether rows of a window are found by their time. Where a trigger may have moved them out of their window, only the
    /// transaction that wrote a row tells its window.
    pub(crate) fn finds_rows_by_time(&self) -> bool {
        self.time_column.is_some() && !(self.may_have_moved_rows() && self.has_own_rows())
    }

    /// The objects that the job was planned from, as URI, size and version.
    pub(crate) async fn objects(&self, session: &Session) -> Result<Vec<(String, u64, String)>> {
        let sql = "select uri, bytes, version from pgbackfill.objects where job_id = $1 order by uri collate \"C\"";
        let rows = session.query(sql, &[&self.id]).await?;
        Ok(rows.iter().map(|row| (row.get(0), unsigned(row.get(1)), row.get(2))).collect())
    }

    /// Whether an attempt that is over left rows in a window which is not loaded.
    pub(crate) async fn is_half_loaded(&self, session: &Session) -> Result<bool> {
        let sql =
            "select exists (select from pgbackfill.windows where job_id = $1 and state <> 'loaded' and batches > 0)";
        Ok(session.query_one(sql, &[&self.id]).await?.get(0))
    }

    /// Windows that an earlier run gave up are open again for this one, which may have changed some settings.
    pub(crate) async fn resume(&self, session: &Session, settings: &Value) -> Result<()> {
        let sql = "update pgbackfill.jobs set settings = $2::text::jsonb, counted = false where id = $1";
        session.execute(sql, &[&self.id, &settings.to_string()]).await?;
        let sql = "update pgbackfill.windows set state = 'pending' where job_id = $1 and state = 'failed'";
        session.execute(sql, &[&self.id]).await?;
        Ok(())
    }
}

impl NewJob<'_> {
    /// Enters the job, its objects and its windows, within the caller's transaction. `None` where another run has entered a
    /// job of that name meanwhile.
    pub(crate) async fn enter(mut self, session: &Session) -> Result<Option<JobRecord>> {
        let (record, count) =
            (&self.record, |n: u64| i64::try_from(n).expect("a source has fewer rows than i64 counts"));
        let kind = record.key_kind.map(kind_name);
        let row = session
            .query_opt(
                include_str!("job/enter.sql"),
                &[
                    &record.name,
                    &record.table,
                    &record.target,
                    &record.time_column,
                    &kind,
                    &record.scope,
                    &record.commit_mode,
                    &record.hashed,
                    &record.unhashed,
                    &record.settings.to_string(),
                    &record.range.0,
                    &record.range.1,
                    &count(record.rows.all),
                    &count(record.rows.before),
                    &count(record.rows.after),
                    &count(record.rows.unkeyed),
                    &record.grid.to_string(),
                    &record.shape.to_string(),
                    &mended(record.mended),
                    &count(record.rows.rejected),
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.record.id = row.get(0);
        enter_objects(session, self.record.id, self.objects).await?;
        enter_windows(session, self.record.id, (0..).zip(self.windows)).await?;
        self.rejects.enter(session, self.record.id).await?;
        Ok(Some(self.record))
    }
}

impl Windowless {
    /// Puts them in the place of those that the job has, within the caller's transaction.
    pub(super) async fn enter(&self, session: &Session, job: i64) -> Result<()> {
        super::reject::replace_windowless(session, job, &self.rejects).await?;
        super::reject::enter_headers(session, job, &self.headers).await
    }
}

async fn enter_objects(session: &Session, job: i64, objects: &[Object]) -> Result<()> {
    for objects in objects.chunks(ROWS_PER_INSERT) {
        let uris: Vec<&str> = objects.iter().map(|object| object.uri.as_str()).collect();
        let bytes: Vec<i64> = objects.iter().map(|object| i64::try_from(object.bytes).unwrap_or(i64::MAX)).collect();
        let versions: Vec<&str> = objects.iter().map(|object| object.version.as_str()).collect();
        let sql = "insert into pgbackfill.objects (job_id, uri, bytes, version)
                   select $1, * from unnest($2::text[], $3::bigint[], $4::text[])
                   on conflict (job_id, uri) do update set bytes = excluded.bytes";
        session.execute(sql, &[&job, &uris, &bytes, &versions]).await?;
    }
    Ok(())
}

/// Enters windows under their numbers.
async fn enter_windows(
    session: &Session,
    job: i64,
    windows: impl Iterator<Item = (i64, &NewWindow)> + Send,
) -> Result<()> {
    let windows: Vec<(i64, &NewWindow)> = windows.collect();
    for windows in windows.chunks(ROWS_PER_INSERT) {
        let numbers: Vec<i64> = windows.iter().map(|(number, _)| *number).collect();
        let (lower, upper): (Vec<i64>, Vec<i64>) = windows.iter().map(|(_, new)| new.window.bounds()).unzip();
        let sources: Vec<&[u8]> = windows.iter().map(|(_, new)| new.source.as_slice()).collect();
        let sql = "insert into pgbackfill.windows (job_id, number, lower, upper, source)
                   select $1, * from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])";
        session.execute(sql, &[&job, &numbers, &lower, &upper, &sources]).await?;
    }
    Ok(())
}

fn read(row: &tokio_postgres::Row) -> Result<JobRecord> {
    let name: String = row.get("name");
    let json = |column: &str| {
        let text: Option<&str> = row.get(column);
        serde_json::from_str(text.unwrap_or("null")).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("the {column} of job {name} in the ledger")).with_source(error)
        })
    };
    // It becomes part of statements. Quoted again here, it is a name whatever the ledger holds.
    let target = TableName::from_sql(row.get("target"));
    Ok(JobRecord {
        id: row.get("id"),
        table: row.get("table_name"),
        target: target
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("the table of job {name} in the ledger")))?
            .sql(),
        time_column: row.get("time_column"),
        key_kind: row.get::<_, Option<&str>>("key_kind").and_then(kind_named),
        scope: row.get("scope"),
        commit_mode: row.get("commit_mode"),
        hashed: row.get("hashed"),
        unhashed: row.get("unhashed"),
        settings: json("settings")?,
        grid: json("grid")?,
        shape: json("shape")?,
        mended: serde_json::from_value(json("mended")?).unwrap_or_default(),
        range: (row.get("range_from"), row.get("range_until")),
        rows: SourceRows {
            all: unsigned(row.get("source_rows")),
            before: unsigned(row.get("rows_before")),
            after: unsigned(row.get("rows_after")),
            unkeyed: unsigned(row.get("rows_unkeyed")),
            rejected: unsigned(row.get("rows_rejected")),
        },
        name,
    })
}

/// What was mended, as the ledger keeps it.
fn mended(mended: Mended) -> String {
    serde_json::to_string(&mended).expect("counts are JSON")
}

/// Holds a window's row until the end of the transaction: a commit that is under way is waited for.
pub(crate) async fn lock_window(session: &Session, job: &JobRecord, number: i64) -> Result<()> {
    let sql = "select from pgbackfill.windows where job_id = $1 and number = $2 for update";
    session.query(sql, &[&job.id, &number]).await.map(|_| ())
}

/// Forgets a job whose windows `run` has all forgotten, in one transaction.
///
/// # Errors
///
/// [`ErrorKind::Fenced`] if the run was ended by another; [`ErrorKind::Busy`] if another has begun to load the job meanwhile:
/// it would be left with rows that nobody knows of.
pub(crate) async fn forget_job(session: &Session, job: &JobRecord, run: &Run) -> Result<()> {
    session.query("select from pgbackfill.jobs where id = $1 for update", &[&job.id]).await?;
    run.renew(session).await?;
    session.query("select from pgbackfill.windows where job_id = $1 order by number for update", &[&job.id]).await?;
    let sql =
        "select exists (select from pgbackfill.runs where job_id = $1 and id <> $2::text::uuid and ended_at is null)
                   or exists (select from pgbackfill.windows where job_id = $1 and state <> 'pending')
                   or exists (select from pgbackfill.batches where job_id = $1)";
    if session.query_one(sql, &[&job.id, &run.id]).await?.get::<_, bool>(0) {
        return Err(Error::new(ErrorKind::Busy, format!("job {} was loaded again while it was undone", job.name))
            .with_hint(format!("nothing is lost: when that run has ended, `pgbackfill undo {}` again", job.name)));
    }
    session.execute("delete from pgbackfill.jobs where id = $1", &[&job.id]).await.map(|_| ())
}

/// Opens a window anew whose rows are deleted in the same transaction.
pub(crate) async fn forget(session: &Session, job: &JobRecord, number: i64) -> Result<()> {
    session.execute("delete from pgbackfill.batches where job_id = $1 and number = $2", &[&job.id, &number]).await?;
    super::reject::forget_of(session, job.id, vec![number]).await?;
    session.execute(include_str!("job/forget.sql"), &[&job.id, &number]).await?;
    Ok(())
}

/// A count that the ledger holds as a signed number.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

const KINDS: [(KeyKind, &str); 4] = [
    (KeyKind::TimestampTz, "timestamptz"),
    (KeyKind::Timestamp, "timestamp"),
    (KeyKind::Date, "date"),
    (KeyKind::Integer, "integer"),
];

fn kind_name(kind: KeyKind) -> &'static str {
    KINDS.iter().find(|(each, _)| *each == kind).expect("the table names every kind").1
}

fn kind_named(name: &str) -> Option<KeyKind> {
    KINDS.iter().find(|(_, each)| *each == name).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_survives_the_ledger() {
        for (kind, _) in KINDS {
            assert_eq!(kind_named(kind_name(kind)), Some(kind));
        }
    }
}
