//! Jobs without windows: no row was found that they could load.
//!
//! A source that is empty, a path that leads elsewhere and a range without rows all look like this. It is no success,
//! unless the user says that it may be one.

use super::prepare::Prepared;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::JobRecord;
use crate::model::{Progress, SourceRows};
use crate::options::Options;
use crate::report::{bytes, counted};

/// Refuses a plan without windows, before anything is written for it.
pub(super) fn check_plan(prepared: &Prepared, options: &Options) -> Result<()> {
    match found_nothing(prepared) {
        Some(message) if !options.allow_empty => Err(refusal(message)),
        _ => Ok(()),
    }
}

/// Refuses to call a job without windows complete.
pub(super) fn check_job(job: &JobRecord, progress: &Progress, options: &Options) -> Result<()> {
    // Rejects are a result: they can be printed, and have an exit code of their own.
    if progress.windows > 0 || options.allow_empty || job.rows.rejected > 0 {
        return Ok(());
    }
    let rows = in_range(job.rows);
    Err(refusal(format!("job {} has no row to load: its source {rows}", job.name)))
}

/// What was looked at, where no row was found that could be loaded or rejected.
pub(super) fn found_nothing(prepared: &Prepared) -> Option<String> {
    let (plan, rows) = (&prepared.plan, prepared.profile.rows);
    if !plan.windows.is_empty() || rows.rejected > 0 {
        return None;
    }
    let objects = &prepared.supply.objects;
    let size = bytes(objects.iter().map(|object| object.bytes).sum());
    let objects = counted(objects.len() as u64, "object"); // usize has at most 64 bits
    let times = plan.kind.zip(prepared.profile.span).map_or_else(String::new, |(kind, span)| {
        format!("; its times are from {} to {}", kind.short(span.min), kind.short(span.max))
    });
    Some(format!("no row was found to load: the source, {objects} of {size} in all, {}{times}", in_range(rows)))
}

/// Where the rows of a source are, none of which is in the range.
fn in_range(rows: SourceRows) -> String {
    if rows.all == 0 {
        return "holds no row".to_owned();
    }
    let places = [(rows.before, "before the range"), (rows.after, "after it"), (rows.unkeyed, "without a finite time")];
    let places = places.iter().filter(|(count, _)| *count > 0);
    let places: Vec<String> = places.map(|(count, place)| format!("{count} {place}")).collect();
    format!("holds {}, {}", counted(rows.all, "row"), places.join(", "))
}

fn refusal(message: String) -> Error {
    Error::new(ErrorKind::Source, message).with_hint(
        "check the source and the range (--from, --until); --allow-empty makes a load without rows a success",
    )
}
