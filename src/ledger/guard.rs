//! Whether the ledger can be trusted: nobody but roles that the caller trusts may have code run when it is used.
//!
//! A trigger, a rule, a default or a view in the ledger runs with the rights of the role that uses the ledger. A role that owns its tables can add
//! them at any time. Whom a role trusts is in `target/trust.rs`.

use crate::error::{Error, ErrorKind, Result};
use crate::target::Session;

/// Checks the schema of the ledger and what is in it.
///
/// # Errors
///
/// [`ErrorKind::Settings`] if using it could run code of a role that is not trusted.
pub(super) async fn check(session: &Session) -> Result<()> {
    let sql = concat!(include_str!("../target/trust/trusted.sql"), include_str!("guard/dangers.sql"));
    let rows = session.query(sql, &[]).await?;
    let Some(first) = rows.first() else { return Ok(()) };
    let dangers: Vec<String> = rows.iter().map(|row| row.get("danger")).collect();
    let (role, remedy): (String, String) = (first.get("role"), first.get("remedy"));
    let message = format!("the ledger could run code of others as role {role}: {}", dangers.join("; "));
    Err(Error::new(ErrorKind::Settings, message).with_hint(remedy))
}
