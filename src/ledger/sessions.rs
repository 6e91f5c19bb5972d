//! Sessions that stand in a run's way: what a run that is over left on the server when its client died or froze.
//!
//! Such a session ends by itself when the server finds its client gone. Until then it may hold a window's row, or rows of
//! the table. It is told by the name that its run gave it, so none but a run's own is ever ended.

use std::fmt;

use tokio_postgres::Row;

use super::{JobRecord, Run};
use crate::error::Result;
use crate::target::Session;

/// A session in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftBehind {
    pub(crate) pid: i32,
    application: String,
    /// When its transaction began, where the role may see it.
    since: Option<String>,
}

impl Run {
    /// Sessions that runs of the job which are over still have.
    pub(crate) async fn left_behind(&self, session: &Session, job: &JobRecord) -> Result<Vec<LeftBehind>> {
        let rows = session.query(include_str!("sessions/left_behind.sql"), &[&job.id, &self.id]).await?;
        Ok(rows.iter().map(LeftBehind::read).collect())
    }

    /// Sessions that hold the row of a window which nobody has claimed, whosever they are.
    pub(crate) async fn row_holders(&self, session: &Session, job: &JobRecord) -> Result<Vec<LeftBehind>> {
        let rows = session.query(include_str!("sessions/row_holders.sql"), &[&job.id]).await?;
        Ok(rows.iter().map(LeftBehind::read).collect())
    }
}

impl LeftBehind {
    fn read(row: &Row) -> Self {
        let application: Option<String> = row.get("application");
        Self { pid: row.get("pid"), application: application.unwrap_or_default(), since: row.get("since") }
    }

    /// Ends the session, if it is still the one that was found.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Permission`] if the role may not.
    pub(crate) async fn end(&self, session: &Session) -> Result<()> {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and application_name = $2";
        session.query(sql, &[&self.pid, &self.application]).await.map(|_| ())
    }
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server process {}", self.pid)?;
        match (self.application.as_str(), &self.since) {
            ("", None) => Ok(()),
            ("", Some(since)) => write!(f, " (since {since})"),
            (application, None) => write!(f, " ({application})"),
            (application, Some(since)) => write!(f, " ({application}, since {since})"),
        }
    }
}
