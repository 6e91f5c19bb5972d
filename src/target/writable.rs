//! Servers that take no writes: told beforehand, and told by name when one comes to be so.

use super::link::Link;
use super::{Session, fault};
use crate::error::{Error, ErrorKind, Result};

/// SQLSTATE of a write where none is allowed.
const READ_ONLY: &str = "25006";

const HINT: &str = "name the primary in --target; of several hosts, target_session_attrs=read-write finds the one that \
                    takes writes";

impl Session {
    /// Checks that the server takes writes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Target`] with SQLSTATE 25006 if it is a standby, or its transactions are read-only.
    pub(crate) async fn require_writable(&self) -> Result<()> {
        let sql = "select pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
        let row = self.query_one(sql, &[]).await?;
        let why = match (row.get(0), row.get(1)) {
            (true, _) => "is a standby, which takes no writes",
            (false, true) => "is read-only: default_transaction_read_only is on for this role, this database or all",
            (false, false) => return Ok(()),
        };
        let message = format!("the server at {} {why}", self.current().place);
        Err(Error::new(ErrorKind::Target, message).with_sqlstate(READ_ONLY).with_hint(HINT))
    }
}

impl Link {
    /// What the server or the connection said. A server that takes no writes any more is named.
    pub(super) fn fault(&self, error: tokio_postgres::Error) -> Error {
        let error = fault(error);
        if error.place().sqlstate.as_deref() != Some(READ_ONLY) {
            return error;
        }
        let message = format!("the server at {} is read-only", self.place);
        if self.settings.wants_read_write() {
            // It took writes when it was connected to. Another of the hosts may by now: that is for the next connection.
            self.abandon();
            return Error::new(ErrorKind::Connection, message).with_source(error);
        }
        error.context(message).with_hint(HINT)
    }
}
