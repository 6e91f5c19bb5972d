//! Whether a job's rows were counted in its table since it last loaded any, and what such a count finds.

use super::JobRecord;
use crate::error::Result;
use crate::model::Window;
use crate::target::Session;

impl JobRecord {
    /// Whether the rows were counted, and added up, since the job last loaded any.
    pub(crate) async fn is_counted(&self, session: &Session) -> Result<bool> {
        let sql = "select counted from pgbackfill.jobs where id = $1";
        Ok(session.query_opt(sql, &[&self.id]).await?.is_none_or(|row| row.get(0)))
    }

    /// Waits for a count that another run has begun, until the end of the caller's transaction.
    pub(crate) async fn lock_count(&self, session: &Session) -> Result<()> {
        let sql = "select pg_advisory_xact_lock(hashtextextended('pgbackfill count ' || $1::bigint, 0))";
        session.query(sql, &[&self.id]).await.map(|_| ())
    }

    /// Notes that the rows add up, unless windows were opened meanwhile.
    pub(crate) async fn mark_counted(&self, session: &Session) -> Result<()> {
        // Once the row is locked, a statement of its own sees what whoever opened windows has committed.
        session.query("select from pgbackfill.jobs where id = $1 for update", &[&self.id]).await?;
        let sql = "update pgbackfill.jobs set counted = true
                    where id = $1
                      and not exists (select from pgbackfill.windows
                                       where job_id = $1 and state in ('pending', 'loading', 'failed'))";
        session.execute(sql, &[&self.id]).await.map(|_| ())
    }

    /// Whether the transaction ids of some batch are too old to tell its rows from others, or are those of another cluster.
    pub(crate) async fn ids_are_lost(&self, session: &Session) -> Result<bool> {
        Ok(session.query_one(include_str!("count/lost.sql"), &[&self.id]).await?.get(0))
    }

    /// First key of the oldest window, and first key after the newest.
    pub(crate) async fn reach(&self, session: &Session) -> Result<Option<(i64, i64)>> {
        let sql = "select min(lower), max(upper) from pgbackfill.windows where job_id = $1";
        let row = session.query_one(sql, &[&self.id]).await?;
        Ok(self.key_kind.and(row.get::<_, Option<i64>>(0)).zip(row.get(1)))
    }

    /// Opens those of the windows again that are loaded, and forgets that the rows were counted; how many that were.
    pub(crate) async fn reopen(&self, session: &Session, numbers: Vec<i64>) -> Result<u64> {
        session.query("select from pgbackfill.jobs where id = $1 for update", &[&self.id]).await?;
        session.execute("update pgbackfill.jobs set counted = false where id = $1", &[&self.id]).await?;
        let sql = "update pgbackfill.windows
                      set state = 'pending', admitted = false, loaded_at = null, run_id = null
                    where job_id = $1 and number = any ($2) and state = 'loaded'";
        session.execute(sql, &[&self.id, &numbers]).await
    }

    /// Windows that follow one another, as people read them.
    pub(crate) async fn span_of(&self, session: &Session, numbers: Vec<i64>) -> Result<Option<String>> {
        let sql = "select min(lower), max(upper) from pgbackfill.windows where job_id = $1 and number = any ($2)";
        let row = session.query_one(sql, &[&self.id, &numbers]).await?;
        let bounds = row.get::<_, Option<i64>>(0).zip(row.get::<_, Option<i64>>(1));
        let window = bounds.and_then(|(lower, upper)| Window::from_bounds(self.key_kind, lower, upper));
        Ok(window.map(|window| window.display(self.key_kind)))
    }
}
