//! Rows that `--existing replace` should have deleted and did not: kept by a rule, a trigger or a policy.
//!
//! To the server a statement that deletes fewer rows than there are is no error.

use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Window;
use crate::target::Session;

/// Refuses to go on where `--existing replace` has deleted what it could, and rows are there still.
pub(super) async fn refuse(
    session: &Session,
    statements: &Statements,
    window: &Window,
    table: &str,
    name: &str,
) -> Result<()> {
    let held: bool = session.query_one_in(statements.path(), &statements.occupied(window), &[]).await?.get(0);
    if !held {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Occupied, format!("rows of {table} stay where they are, although DELETE succeeded"))
        .in_window(name)
        .with_hint(
            "a rule, a trigger or a policy keeps them; disable it for the load, or load beside them: --existing keep",
        ))
}
