//! Which search path a statement runs with: the pinned one, or the session's own.
//!
//! In the session's path any role that may create in one of its schemas can offer a function or an operator that suits the
//! arguments of a statement better than the one that is meant, and its code then runs as whoever runs the statement. So every
//! transaction pins the path to `pg_catalog, pg_temp` before anything is looked up.
//!
//! Triggers, policies, defaults and views of the target are code of the table's owner, which was written for the session's
//! path: under another it may fail, or do something else in silence. So statements that read or write rows of the target run
//! in the session's own path, as COPY by psql does. Such a statement holds no name that a path decides: tables, functions,
//! types and operators in it are qualified. One that holds a predicate of the user's (`--scope`) is pinned.

use futures_util::future::join;
use tokio_postgres::Row;

use super::Session;
use super::link::Link;
use super::parameter::{Parameter, typed};
use crate::error::Result;

/// The search path of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SearchPath {
    /// `pg_catalog, pg_temp`.
    Pinned,
    /// What the role, the database or the connection's options say.
    Own,
}

/// Keeps the session's own path for the transaction. A pooler may have set it, so it is not the default of anything.
pub(super) const KEEP: &str =
    "select pg_catalog.set_config('pgbackfill.search_path', pg_catalog.current_setting('search_path'), true)";

/// Pins the path. Temporary tables would come first if they were not named last.
pub(super) const PIN: &str = "set local search_path = pg_catalog, pg_temp";

/// Takes the session's own path again.
const UNPIN: &str =
    "select pg_catalog.set_config('search_path', pg_catalog.current_setting('pgbackfill.search_path'), true)";

impl Session {
    /// As [`Session::query_one`], with this path.
    pub(crate) async fn query_one_in(&self, path: SearchPath, sql: &str, parameters: &[&dyn Parameter]) -> Result<Row> {
        let link = self.link().await?;
        link.answer(sql, path, link.client.query_typed_one(sql, &typed(parameters))).await
    }

    /// As [`Session::execute`], with this path and without parameters.
    pub(crate) async fn execute_in(&self, path: SearchPath, sql: &str) -> Result<u64> {
        let link = self.link().await?;
        link.answer(sql, path, link.client.execute_typed(sql, &[])).await
    }
}

impl Link {
    /// Has `statement` run with this path, within the transaction that is open. The path is set in the same round trip.
    pub(super) async fn with_path<T>(
        &self,
        path: SearchPath,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        if self.path() == path {
            return statement.await;
        }
        self.note_path(path);
        self.set_then(if path == SearchPath::Own { UNPIN } else { PIN }, statement).await
    }

    /// Has `statement` run with this path in a transaction that has just pinned it.
    pub(super) async fn after_setting<T>(
        &self,
        path: SearchPath,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        match path {
            SearchPath::Pinned => statement.await,
            SearchPath::Own => self.set_then(UNPIN, statement).await,
        }
    }

    /// Each is sent when it is first polled, in this order.
    async fn set_then<T>(
        &self,
        set: &str,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        let (set, answer) = join(self.client.batch_execute(set), statement).await;
        set?;
        answer
    }
}
