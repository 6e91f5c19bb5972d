//! Tables that lost what a job had loaded: emptied, or dropped and created again.
//!
//! The ledger does not notice that. The job would find nothing left to load, or load only the rest.

use super::enter::recorded_shape;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord};
use crate::model::Window;
use crate::options::Options;
use crate::report::counted;
use crate::schema::Table;
use crate::target::Session;

/// Refuses to go on with a job whose loaded rows are all gone. Asks for one row, which an index or the first page has.
pub(super) async fn check(session: &Session, table: &Table, job: &JobRecord, options: &Options) -> Result<()> {
    let loaded = ledger::loaded(session, job).await?;
    let Some((lower, upper)) = loaded.bounds.filter(|_| job.has_own_rows()) else { return Ok(()) };
    let rows = counted(loaded.rows, "row");
    if loaded.is_here && recorded_shape(job)?.oid != table.shape.oid {
        let what = format!("{} was dropped and created again since job {} loaded {rows} into it", job.table, job.name);
        return Err(refusal(what, loaded.is_here));
    }
    // `--reload-missing` counts the rows, and loads the windows again. Where triggers may move rows or policies may hide
    // them, a table that shows none may be as it was.
    if options.reload_missing || !table.is_clearable() {
        return Ok(());
    }
    // Without an index on the time column, a look at the job's range alone would read the whole table.
    let is_indexed = job.time_column.as_ref().is_some_and(|time| table.indexed.contains(time));
    let span = Window::from_bounds(job.key_kind, lower, upper).filter(|_| is_indexed);
    let place = if span.is_some() { "its range of " } else { "" };
    let span = span.unwrap_or_else(|| Window::pieces(0, u64::MAX).expect("the run is not empty"));
    let anywhere = Statements::of_job(&JobRecord { scope: None, ..job.clone() });
    if session.query_one(&anywhere.occupied(&span), &[]).await?.get(0) {
        return Ok(());
    }
    let what = format!("job {} loaded {rows}, and {place}{} holds no row any more", job.name, job.table);
    Err(refusal(what, loaded.is_here))
}

fn refusal(what: String, is_here: bool) -> Error {
    let again = if is_here {
        "--redo with the same command deletes what is left of the job's rows and loads every window again"
    } else {
        "another --job loads all of it again: this one was begun in another cluster"
    };
    Error::new(ErrorKind::Changed, what).with_hint(again)
}
