//! Whose code may run when the ledger, or a table that the ledger names, is used.
//!
//! Trusted are superusers, the database's owner, the caller itself, and roles that the caller is a member of. A superuser is
//! a member of every role, and trusts none of them for that.
//!
//! A load names its table, and trusts it as any statement would. `verify` and `undo` take the table from the ledger, where
//! every role that loads may put another.

use super::{SearchPath, Session};
use crate::error::{Error, ErrorKind, Result};

impl Session {
    /// Checks that using `table`, which the ledger of `job` names, runs no code of a role that is not trusted; `repeated` is the
    /// caller's own name for it, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if it would and the caller names no table, or another.
    pub(crate) async fn require_trusted(
        &self,
        job: &str,
        table: &str,
        repeated: Option<&str>,
        deletes: bool,
    ) -> Result<()> {
        if let Some(repeated) = repeated {
            return self.require_same(job, table, repeated).await;
        }
        let sql = concat!(include_str!("trust/trusted.sql"), include_str!("trust/foreign.sql"));
        let Some(row) = self.query_opt(sql, &[&table, &deletes]).await? else { return Ok(()) };
        let [what, owner, role] = ["what", "owner", "role"].map(|name| row.get::<_, String>(name));
        Err(Error::new(
            ErrorKind::Settings,
            format!("job {job} names {table} as its table, and its {what} would run code of role {owner} as role {role}"),
        )
        .with_hint(format!(
            "every role that loads may change what the ledger holds. If this is the table that is meant, and role {owner} is to \
             be trusted with it, repeat it: --table {table:?}; or connect as role {owner}"
        )))
    }

    async fn require_same(&self, job: &str, table: &str, repeated: &str) -> Result<()> {
        let sql = "select pg_catalog.to_regclass($1)::pg_catalog.oid";
        let oid = async |path, name: &str| Ok(self.query_one_in(path, sql, &[&name]).await?.get::<_, Option<u32>>(0));
        let (meant, stored) = (oid(SearchPath::Own, repeated).await?, oid(SearchPath::Pinned, table).await?);
        if meant.is_some() && meant == stored {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Settings, format!("job {job} has another table: {table}"))
            .with_hint("repeat --table as the job was loaded with it"))
    }
}
