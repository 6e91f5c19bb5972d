//! Rejects: source rows that were not loaded, entered in the transaction of their batch, or of their job.

use super::job::unsigned;
use super::{Claim, JobRecord};
use crate::error::Result;
use crate::model::{RawRecord, Reject, RejectCount, Window};
use crate::target::{Durability, Session};

/// Rows of one `insert … select unnest`, and of one fetch; records among them may be long, hence the bytes.
const ROWS_PER_STATEMENT: usize = 1_000;
const BYTES_PER_STATEMENT: usize = 8 << 20;

/// The batch that a window's rejects belong to.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: i64,
    attempt: i32,
    batch: i32,
}

/// A reject as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedRow {
    /// The window whose row it would have been, as people read it; `None` for one that belongs to no window.
    pub window: Option<String>,
    /// The row.
    pub reject: Reject,
}

/// An object with rejects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedObject {
    /// Its URI.
    pub uri: String,
    /// How many of its rows were rejected.
    pub rows: u64,
    /// What stands before its records, header and all, as far as that is known.
    pub header: Option<Vec<u8>>,
}

impl Claim {
    /// Enters rejects of the window's batch number `batch`, in the transaction that enters the batch.
    pub(crate) async fn reject(&self, session: &Session, batch: i32, rejects: &[Reject]) -> Result<()> {
        let place = Place { number: self.number, attempt: self.attempt, batch };
        enter(session, self.job, Some(place), rejects).await
    }
}

/// Holds the job's row until the end of the transaction: whoever has rejects to enter counts them one after the other.
pub(crate) async fn lock(session: &Session, job: i64) -> Result<()> {
    session.query("select from pgbackfill.jobs where id = $1 for update", &[&job]).await.map(|_| ())
}

/// How many rows of the job are rejected, as far as the caller's transaction sees.
pub(crate) async fn total(session: &Session, job: i64) -> Result<u64> {
    Ok(unsigned(session.query_one(include_str!("reject/total.sql"), &[&job]).await?.get(0)))
}

/// Enters what stands before the records of objects that have rejects, for whoever mends them.
pub(crate) async fn enter_headers(session: &Session, job: i64, headers: &[(String, Vec<u8>)]) -> Result<()> {
    for (uri, header) in headers {
        let sql = "update pgbackfill.objects set header = $3 where job_id = $1 and uri = $2 and header is null";
        session.execute(sql, &[&job, uri, header]).await?;
    }
    Ok(())
}

/// Puts `rejects`, which belong to no window, in the place of those that the job has.
pub(super) async fn replace_windowless(session: &Session, job: i64, rejects: &[Reject]) -> Result<()> {
    session.execute("delete from pgbackfill.rejects where job_id = $1 and number is null", &[&job]).await?;
    enter(session, job, None, rejects).await
}

/// Forgets the rejects of windows that are loaded again.
pub(super) async fn forget_of(session: &Session, job: i64, windows: Vec<i64>) -> Result<()> {
    let sql = "delete from pgbackfill.rejects where job_id = $1 and number = any ($2)";
    session.execute(sql, &[&job, &windows]).await.map(|_| ())
}

async fn enter(session: &Session, job: i64, place: Option<Place>, rejects: &[Reject]) -> Result<()> {
    let mut rest = rejects;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rows_of_a_statement(rest));
        enter_some(session, job, place, some).await?;
        rest = others;
    }
    Ok(())
}

/// How many of `rejects`, which are not none, one statement takes.
fn rows_of_a_statement(rejects: &[Reject]) -> usize {
    let mut bytes = 0;
    let fits = |reject: &&Reject| {
        bytes += reject.memory_bytes();
        bytes <= BYTES_PER_STATEMENT
    };
    rejects.iter().take(ROWS_PER_STATEMENT).take_while(fits).count().max(1)
}

async fn enter_some(session: &Session, job: i64, place: Option<Place>, rejects: &[Reject]) -> Result<()> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let objects: Vec<&str> = rejects.iter().map(|reject| &*reject.object).collect();
    let records: Vec<i64> = rejects.iter().map(|reject| number(reject.record)).collect();
    let bytes: Vec<Option<i64>> = rejects.iter().map(|reject| reject.byte.map(number)).collect();
    let columns: Vec<Option<String>> = rejects.iter().map(|reject| reject.column.clone()).collect();
    // A reason may show a value, whatever that holds.
    let reasons: Vec<String> = rejects.iter().map(|reject| session.storable(&reject.reason)).collect();
    let codes: Vec<Option<String>> = rejects.iter().map(|reject| reject.sqlstate.clone()).collect();
    let raw: Vec<&[u8]> = rejects.iter().map(|reject| &*reject.raw.bytes).collect();
    let cut: Vec<bool> = rejects.iter().map(|reject| reject.raw.is_cut).collect();
    let (window, attempt, batch) =
        (place.map(|place| place.number), place.map(|place| place.attempt), place.map(|place| place.batch));
    session
        .execute(
            include_str!("reject/enter.sql"),
            &[&job, &window, &attempt, &batch, &objects, &records, &bytes, &columns, &reasons, &codes, &raw, &cut],
        )
        .await
        .map(|_| ())
}

impl JobRecord {
    /// The objects whose rows were rejected, with how many each.
    pub(crate) async fn rejected_objects(&self, session: &Session) -> Result<Vec<RejectedObject>> {
        let rows = session.query(include_str!("reject/objects.sql"), &[&self.id]).await?;
        let object = |row: &tokio_postgres::Row| RejectedObject {
            uri: row.get("object"),
            rows: unsigned(row.get("rows")),
            header: row.get("header"),
        };
        Ok(rows.iter().map(object).collect())
    }

    /// Rejects by reason and column, most first; those of `object` where one is named.
    pub(crate) async fn reject_counts(&self, session: &Session, object: Option<&str>) -> Result<Vec<RejectCount>> {
        let rows = session.query(include_str!("reject/counts.sql"), &[&self.id, &object]).await?;
        let count = |row: &tokio_postgres::Row| RejectCount {
            reason: row.get("reason"),
            column: row.get("column_name"),
            rows: unsigned(row.get("rows")),
        };
        Ok(rows.iter().map(count).collect())
    }

    /// Hands each reject to `take`, in the order of objects and records.
    pub(crate) async fn each_reject(
        &self,
        session: &Session,
        object: Option<&str>,
        take: &mut (dyn FnMut(RejectedRow) -> Result<()> + Send),
    ) -> Result<()> {
        let list = async {
            session.execute(include_str!("reject/list.sql"), &[&self.id, &object]).await?;
            loop {
                let rows = session.query(&format!("fetch {ROWS_PER_FETCH} from pgbackfill_rejects"), &[]).await?;
                if rows.is_empty() {
                    return Ok(());
                }
                for row in &rows {
                    take(self.read_reject(row))?;
                }
            }
        };
        session.transact(Durability::Synchronous, list).await
    }

    fn read_reject(&self, row: &tokio_postgres::Row) -> RejectedRow {
        let bounds = row.get::<_, Option<i64>>("lower").zip(row.get::<_, Option<i64>>("upper"));
        let window = bounds.and_then(|(lower, upper)| Window::from_bounds(self.key_kind, lower, upper));
        let raw = RawRecord { bytes: row.get::<_, Vec<u8>>("raw").into(), is_cut: row.get("raw_cut") };
        let reject = Reject {
            object: row.get::<_, &str>("object").into(),
            record: unsigned(row.get("record")),
            byte: row.get::<_, Option<i64>>("byte").map(unsigned),
            column: row.get("column_name"),
            reason: row.get("reason"),
            sqlstate: row.get("sqlstate"),
            raw,
        };
        RejectedRow { window: window.map(|window| window.display(self.key_kind)), reject }
    }
}

/// Rejects of one fetch: of the longest that are kept, unless more is asked for, they take 6 MiB.
const ROWS_PER_FETCH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_takes_many_short_rejects_and_at_least_one_however_long() {
        let reject = |bytes: usize| Reject {
            object: "a".into(),
            record: 1,
            byte: None,
            column: None,
            reason: String::new(),
            sqlstate: None,
            raw: RawRecord::of(&vec![0; bytes], usize::MAX),
        };
        assert_eq!(rows_of_a_statement(&vec![reject(1); 2 * ROWS_PER_STATEMENT]), ROWS_PER_STATEMENT);
        assert_eq!(rows_of_a_statement(&vec![reject(3 << 20); 5]), 2);
        assert_eq!(rows_of_a_statement(&[reject(2 * BYTES_PER_STATEMENT), reject(1)]), 1);
    }
}
