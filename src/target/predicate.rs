//! Predicates of the user's, read by the server before they become a part of a statement.
//!
//! `true) or (true` between parentheses is two expressions, and selects rows that the rest of the statement leaves out. So
//! the server reads a predicate twice without running it. Alone, its parentheses must match each other; between parentheses
//! of ours it must be one boolean expression over the columns of the table. What passes both cannot end ours.

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{TableName, scope_predicate};

/// SQLSTATEs of a name that is not found: a function or an operator, a table, a type, a schema.
const UNKNOWN_NAMES: [&str; 4] = ["42883", "42P01", "42704", "3F000"];

impl Session {
    /// Checks that `scope` is one predicate over the columns of `table`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] with the server's reason if it is not.
    pub(crate) async fn check_scope(&self, table: &TableName, scope: &str) -> Result<()> {
        let (name, part) = (table.sql(), scope_predicate(scope));
        for sql in [format!("select from {name} where {part}"), format!("select\n{scope}\nfrom {name}")] {
            self.parse(&sql).await.map_err(|error| explain(error, scope))?;
        }
        Ok(())
    }
}

fn explain(error: Error, scope: &str) -> Error {
    let Some(code) = error.place().sqlstate.clone().filter(|_| error.kind() == ErrorKind::Target) else {
        return error;
    };
    let hint = if UNKNOWN_NAMES.contains(&code.as_str()) {
        "names that are not of pg_catalog need their schema here: public.f(x), x operator(public.=) y, 'x'::public.t"
    } else {
        "give one boolean expression over the columns of the table, with matching parentheses and quotes"
    };
    Error::new(ErrorKind::Settings, format!("--scope is not a predicate: {scope}")).with_source(error).with_hint(hint)
}
