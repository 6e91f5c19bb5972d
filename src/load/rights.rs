//! Which rights a job needs of its role, by the way in which it loads.

use super::prepare::{commit, merge};
use super::published;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::JobRecord;
use crate::options::{Commit, Existing, OnConflict, Options};
use crate::schema::{Merge, Table};
use crate::target::{Lacking, Needs, Session, of_hidden_table};

/// The columns that a job loads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fed<'a> {
    pub(super) hashed: &'a [String],
    pub(super) unhashed: &'a [String],
    /// How rows are put beside those of their key, where the load is told.
    pub(super) merge: Option<&'a Merge>,
}

/// What the role lacks to load `fed`. `clears` says that some window is half loaded already.
pub(super) async fn lacking(
    session: &Session,
    table: &Table,
    options: &Options,
    fed: Fed<'_>,
    clears: bool,
) -> Result<Option<Lacking>> {
    needs(table, options, fed, clears).lacking(session).await
}

fn needs<'a>(table: &'a Table, options: &Options, fed: Fed<'_>, clears: bool) -> Needs<'a> {
    let stage = !table.takes_copy || options.on_conflict != OnConflict::Fail;
    let inserted: Vec<String> = fed.hashed.iter().chain(fed.unhashed).cloned().collect();
    // Verification reads what is hashed, a stage is made like the columns that go through it.
    let mut read = if stage { inserted.clone() } else { fed.hashed.to_vec() };
    read.extend(options.time_column.clone().filter(|time| !read.contains(time)));
    read.extend(table.has_xmin().then(|| "xmin".to_owned()));
    let delete = deletes(table, options, fed, clears);
    let updated = fed.merge.map(|merge| merge.updated.clone()).unwrap_or_default();
    Needs { table: &table.name, inserted, updated, read, delete, stage }
}

/// Whether a load may have to delete rows. `clears` says that some window is half loaded already.
pub(super) fn deletes(table: &Table, options: &Options, fed: Fed<'_>, clears: bool) -> bool {
    // A window that is one transaction leaves nothing behind to clear.
    let reloads = options.accept_changed_source || options.reload_missing;
    let clears = clears || reloads || commit(table, options, fed.merge) == Commit::Batch;
    clears && table.has_xmin() || options.existing() == Existing::Replace
}

/// Refuses to resume a job without the rights that this takes.
pub(super) async fn check_resume(session: &Session, table: &Table, job: &JobRecord, options: &Options) -> Result<()> {
    let loaded: Vec<String> = job.hashed.iter().chain(&job.unhashed).cloned().collect();
    let merge = merge(session, table, &loaded, options).await?;
    let fed = Fed { hashed: &job.hashed, unhashed: &job.unhashed, merge: merge.as_ref() };
    let clears = job.is_half_loaded(session).await?;
    let lacking = lacking(session, table, options, fed, clears).await?;
    if let Some(lacking) = lacking {
        return Err(lacking.into_error());
    }
    published::check(session, table, options, fed, clears).await?.map_or(Ok(()), Err)
}

/// A table that may not even be looked at: everything that is lacking, in place of the first thing.
pub(super) async fn explain(session: &Session, table: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::Permission {
        return error;
    }
    match of_hidden_table(session, table).await {
        Ok(Some(lacking)) => lacking.into_error().with_source(error),
        _ => error,
    }
}
