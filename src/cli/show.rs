//! `status`, `verify`, `undo` and `init`: one question each, and its answer.

use std::time::Duration;

use pgbackfill::report::{count, counted};
use pgbackfill::{Event, JobStatus, Repeated, Verification};

use super::args::{Common, InitArgs, StatusArgs, UndoArgs, VerifyArgs};
use super::exit;
use super::output::{self, line};

/// How often `status --watch` looks again.
const WATCH_PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn status(args: &StatusArgs, common: &Common) -> anyhow::Result<u8> {
    let target = super::target(common)?;
    loop {
        let names = match &args.job {
            Some(job) => vec![job.clone()],
            None => pgbackfill::job_names(&target).await?,
        };
        let mut complete = true;
        for name in &names {
            let status = pgbackfill::status(&target, Some(name)).await?;
            complete &= status.progress.is_complete();
            if common.json { output::json(&status) } else { print_status(&status) }
        }
        if names.is_empty() && !common.json {
            line("no jobs yet; `pgbackfill load` begins one");
        }
        if !args.watch || complete || !output::is_open() {
            return Ok(exit::DONE);
        }
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}

fn print_status(status: &JobStatus) {
    let progress = &status.progress;
    let pending = progress.windows - progress.loaded - progress.skipped - progress.failed;
    line(&format!("job       {} into {}, begun {}", status.job, status.table, status.created));
    line(&format!(
        "windows   {} loaded, {pending} open, {} skipped, {} failed, of {}",
        progress.loaded, progress.skipped, progress.failed, progress.windows
    ));
    line(&format!("rows      {} of {}", count(progress.rows), count(status.rows_expected)));
    let conflicts = progress.conflicts;
    if conflicts.skipped + conflicts.updated > 0 {
        let inserted = progress.rows.saturating_sub(conflicts.updated);
        let [inserted, skipped, updated] = [inserted, conflicts.skipped, conflicts.updated].map(count);
        line(&format!(
            "conflicts {inserted} rows inserted, {skipped} skipped and {updated} updated for rows of their key"
        ));
    }
    if progress.rejected > 0 {
        line(&format!("rejects   {}: `pgbackfill rejects {}` prints them", count(progress.rejected), status.job));
    }
    if let Some(frontier) = &status.frontier {
        line(&format!("frontier  every window before {frontier} is loaded"));
    }
    match status.runs.as_slice() {
        [] => line("runs      none"),
        runs => line(&format!("runs      {}, {} rows/s", runs.join(", "), count(rounded(status.rows_per_second)))),
    }
    status.failures.iter().for_each(|(window, error)| line(&format!("failed    {window}: {error}")));
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, never below zero")]
fn rounded(rate: f64) -> u64 {
    rate.round() as u64
}

pub(crate) async fn verify(args: &VerifyArgs, common: &Common) -> anyhow::Result<u8> {
    let target = super::target(common)?;
    let json = common.json;
    let observer = move |event: &Event| {
        if json {
            output::json(event);
        }
    };
    let repeated = Repeated { table: args.table.as_deref(), scope: args.scope.as_deref() };
    let found = pgbackfill::verify_repeating(&target, args.job.as_deref(), repeated, &observer).await?;
    if json {
        output::json(&found);
    } else {
        print_verification(&found);
    }
    Ok(match (found.is_equal(), found.not_loaded) {
        (false, _) => exit::DIFFERENT,
        (true, 0) => exit::DONE,
        (true, _) => exit::INCOMPLETE,
    })
}

fn print_verification(found: &Verification) {
    for difference in &found.differences {
        let (loaded, there) = (difference.rows_loaded, difference.rows_found);
        let what = match loaded == there {
            true => "values differ".to_owned(),
            false => format!("{} rows were loaded, {} are there", count(loaded), count(there)),
        };
        line(&format!("window {} differs: {what}", difference.window));
    }
    for (windows, what) in [(found.not_loaded, "not loaded yet"), (found.skipped, "skipped for the rows they held")] {
        if windows > 0 {
            line(&format!("not compared: {}, {what}", counted(windows, "window")));
        }
    }
    let job = &found.job;
    if found.rows_rejected > 0 {
        let rows = counted(found.rows_rejected, "row");
        line(&format!("not there: {rows} of the source, rejected; `pgbackfill rejects {job}` prints them"));
    }
    if found.rows_skipped > 0 {
        let rows = counted(found.rows_skipped, "row");
        line(&format!("not there: {rows} of the source, skipped for rows of their keys (--on-conflict skip)"));
    }
    if !found.unhashed.is_empty() {
        line(&format!("not compared, for their stored form cannot be foretold: {}", found.unhashed.join(", ")));
    }
    if found.rewritten > 0 {
        let windows = counted(found.rewritten, "window");
        line(&format!("only counted: the rows of {windows}, for triggers changed them once they were stored"));
    }
    let differ = found.differences.len() as u64; // usize has at most 64 bits
    let verdict = if found.is_equal() { "equal".to_owned() } else { format!("{} differ", count(differ)) };
    let (windows, rows) = (counted(found.windows, "window"), counted(found.rows, "row"));
    line(&format!("job {}: {windows}, {rows}: {verdict}", found.job));
    if !found.is_equal() && found.row_security {
        line("row-level security binds this role: rows that its policies hide count as missing");
    }
    if !found.is_equal() {
        line(&format!(
            "rows were changed or deleted since; `pgbackfill undo {}` and a new load put them back",
            found.job
        ));
    }
}

pub(crate) async fn undo(args: &UndoArgs, common: &Common) -> anyhow::Result<u8> {
    let (target, json) = (super::target(common)?, common.json);
    let observer = move |event: &Event| {
        if json {
            output::json(event);
        }
    };
    let repeated = Repeated { table: args.table.as_deref(), scope: None };
    let undone = pgbackfill::undo_repeating(&target, &args.job, repeated, &observer).await?;
    if json {
        output::json(&undone);
        return Ok(exit::DONE);
    }
    line(&format!("job {}: {} deleted", undone.job, counted(undone.rows, "row")));
    if undone.rows < undone.rows_loaded {
        let gone = undone.rows_loaded - undone.rows;
        line(&format!("{} more were loaded, but have been changed or deleted by others since", count(gone)));
    }
    Ok(exit::DONE)
}

pub(crate) async fn init(args: &InitArgs, common: &Common) -> anyhow::Result<u8> {
    if args.print {
        output::own_text(pgbackfill::ledger::SCHEMA.trim_end());
        return Ok(exit::DONE);
    }
    pgbackfill::init(&super::target(common)?).await?;
    if !common.quiet {
        line("the ledger's tables are in schema pgbackfill");
    }
    Ok(exit::DONE)
}
