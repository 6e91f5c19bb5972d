//! Row-level security: whether policies decide which rows of a table a role sees.

use super::Session;
use crate::error::{Error, ErrorKind, Result};

impl Session {
    /// Whether policies decide which rows of `table`, as SQL spells it, this role sees.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Permission`] if they do while `row_security` is off: then the server refuses every statement.
    pub(crate) async fn is_filtered(&self, table: &str) -> Result<bool> {
        let sql =
            "select coalesce(row_security_active(to_regclass($1)), false), current_setting('row_security') = 'off',
                          quote_ident(current_user)";
        let row = self.query_one(sql, &[&table]).await?;
        let (filtered, off, role): (bool, bool, String) = (row.get(0), row.get(1), row.get(2));
        if !(filtered && off) {
            return Ok(filtered);
        }
        Err(Error::new(
            ErrorKind::Permission,
            format!("policies of {table} bind role {role}, and its setting row_security is off: the server refuses every statement"),
        )
        .with_hint(format!(
            "connect as a role that no policy binds: the table's owner unless they are forced, or one with bypassrls; or let \
             the policies decide which rows are seen: alter role {role} set row_security = on"
        )))
    }
}
