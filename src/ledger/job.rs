//! Jobs: what was asked for, kept so that a re-run can resume it and be refused where it asks for something else.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, Object, SourceRows, Window};
use crate::target::{Durability, Session};

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

    /// The objects that the job was planned from, as URI, size and version.
    pub(crate) async fn objects(&self, session: &Session) -> Result<Vec<(String, u64, String)>> {
        let sql = "select uri, bytes, version from pgbackfill.objects where job_id = $1 order by uri collate \"C\"";
        let rows = session.query(sql, &[&self.id]).await?;
        Ok(rows.iter().map(|row| (row.get(0), unsigned(row.get(1)), row.get(2))).collect())
    }

    /// Windows that an earlier run gave up are open again for this one, which may have changed some settings.
    pub(crate) async fn resume(&self, session: &Session, settings: &Value) -> Result<()> {
        let sql = "update pgbackfill.jobs set settings = $2::text::jsonb where id = $1";
        session.execute(sql, &[&self.id, &settings.to_string()]).await?;
        let sql = "update pgbackfill.windows set state = 'pending' where job_id = $1 and state = 'failed'";
        session.execute(sql, &[&self.id]).await?;
        Ok(())
    }

    /// Forgets the job.
    pub(crate) async fn delete(&self, session: &Session) -> Result<()> {
        session.execute("delete from pgbackfill.jobs where id = $1", &[&self.id]).await?;
        Ok(())
    }
}

impl NewJob<'_> {
    /// Enters the job, its objects and its windows in one transaction.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if another run entered a job of that name meanwhile.
    pub(crate) async fn enter(self, session: &Session) -> Result<JobRecord> {
        session.transact(Durability::Synchronous, self.enter_within(session)).await
    }

    async fn enter_within(mut self, session: &Session) -> Result<JobRecord> {
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
                ],
            )
            .await?
            .ok_or_else(|| entered_meanwhile(&record.name))?;
        self.record.id = row.get(0);
        self.enter_objects(session).await?;
        self.enter_windows(session).await?;
        Ok(self.record)
    }

    async fn enter_objects(&self, session: &Session) -> Result<()> {
        for objects in self.objects.chunks(ROWS_PER_INSERT) {
            let uris: Vec<&str> = objects.iter().map(|object| object.uri.as_str()).collect();
            let bytes: Vec<i64> =
                objects.iter().map(|object| i64::try_from(object.bytes).unwrap_or(i64::MAX)).collect();
            let versions: Vec<&str> = objects.iter().map(|object| object.version.as_str()).collect();
            let sql = "insert into pgbackfill.objects (job_id, uri, bytes, version)
                       select $1, * from unnest($2::text[], $3::bigint[], $4::text[])";
            session.execute(sql, &[&self.record.id, &uris, &bytes, &versions]).await?;
        }
        Ok(())
    }

    async fn enter_windows(&self, session: &Session) -> Result<()> {
        for (chunk, windows) in self.windows.chunks(ROWS_PER_INSERT).enumerate() {
            let first = i64::try_from(chunk * ROWS_PER_INSERT).expect("a plan has fewer windows than i64 counts");
            let (lower, upper): (Vec<i64>, Vec<i64>) = windows.iter().map(|new| new.window.bounds()).unzip();
            let sources: Vec<&[u8]> = windows.iter().map(|new| new.source.as_slice()).collect();
            let sql = "insert into pgbackfill.windows (job_id, number, lower, upper, source)
                       select $1, $2 + n - 1, lower, upper, source
                         from unnest($3::bigint[], $4::bigint[], $5::bytea[])
                              with ordinality w (lower, upper, source, n)";
            session.execute(sql, &[&self.record.id, &first, &lower, &upper, &sources]).await?;
        }
        Ok(())
    }
}

fn entered_meanwhile(name: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("another run has just begun job {name}"))
        .with_hint("`pgbackfill status` shows it; to resume it after it ended, run the same command again")
}

fn read(row: &tokio_postgres::Row) -> Result<JobRecord> {
    let name: String = row.get("name");
    let settings = serde_json::from_str(row.get("settings")).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the settings of job {name} in the ledger")).with_source(error)
    })?;
    Ok(JobRecord {
        id: row.get("id"),
        table: row.get("table_name"),
        target: row.get("target"),
        time_column: row.get("time_column"),
        key_kind: row.get::<_, Option<&str>>("key_kind").and_then(kind_named),
        scope: row.get("scope"),
        commit_mode: row.get("commit_mode"),
        hashed: row.get("hashed"),
        unhashed: row.get("unhashed"),
        settings,
        range: (row.get("range_from"), row.get("range_until")),
        rows: SourceRows {
            all: unsigned(row.get("source_rows")),
            before: unsigned(row.get("rows_before")),
            after: unsigned(row.get("rows_after")),
            unkeyed: unsigned(row.get("rows_unkeyed")),
        },
        name,
    })
}

/// Opens a window anew whose rows are deleted in the same transaction.
pub(crate) async fn forget(session: &Session, job: &JobRecord, number: i64) -> Result<()> {
    session.execute("delete from pgbackfill.batches where job_id = $1 and number = $2", &[&job.id, &number]).await?;
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
