//! Tables whose published deletes or updates the server would refuse: told before the load, not at the first clear.

use super::rights;
use super::rights::Fed;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Existing, OnConflict, Options};
use crate::report::counted;
use crate::schema::Table;
use crate::target::{Session, Unpublishable, unpublishable};

/// Why the server would refuse a statement that this load may need, as an error with the way out.
pub(super) async fn check(
    session: &Session,
    table: &Table,
    options: &Options,
    fed: Fed<'_>,
    clears: bool,
) -> Result<Option<Error>> {
    let deletes = rights::deletes(table, options, fed, clears);
    let updates = options.on_conflict == OnConflict::Update;
    if !(deletes || updates) {
        return Ok(None);
    }
    let found = unpublishable(session, table.shape.oid, deletes, updates).await?;
    Ok(found.map(|found| refusal(&found, options, deletes, updates, clears)))
}

fn refusal(found: &Unpublishable, options: &Options, deletes: bool, updates: bool, clears: bool) -> Error {
    let what = match (deletes, updates) {
        (true, true) => "deletes and updates",
        (true, false) => "deletes",
        (false, _) => "updates",
    };
    let publications = found.publications.join(", ");
    let others = match found.tables {
        1 => String::new(),
        n => format!(", and {} more,", counted(n as u64 - 1, "partition")), // usize has at most 64 bits
    };
    let message = format!(
        "publication {publications} publishes {what} of {}{others} without a replica identity that allows them: the server \
         would refuse them (55000)",
        found.table
    );
    let may_avoid = !(updates || clears || options.existing() == Existing::Replace || options.accept_changed_source);
    let instead = if may_avoid { "; or load with --commit window, which deletes nothing" } else { "" };
    Error::new(ErrorKind::Settings, message).with_hint(format!(
        "give each such table a replica identity: a primary key, or `alter table {} replica identity full`{instead}",
        found.table
    ))
}
