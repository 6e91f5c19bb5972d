//! `status`, `verify`, `undo`, `forget` and `init`: one question each, and its answer.

use std::time::Duration;

use pgbackfill::report::{count, counted};
use pgbackfill::{Error, ErrorKind, Event, Forgotten, JobStatus, MissingRows, Repeated, Verification};

use super::args::{Common, ForgetArgs, InitArgs, StatusArgs, UndoArgs, VerifyArgs};
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
        line(&advice(found));
    }
}

/// What to do about windows that differ.
fn advice(found: &Verification) -> String {
    let job = &found.job;
    let (mut lacks, mut exceeds) = (false, false);
    for difference in &found.differences {
        lacks |= difference.rows_found < difference.rows_loaded;
        exceeds |= difference.rows_found > difference.rows_loaded;
    }
    if found.table_rewritten {
        return format!(
            "ALTER TABLE has rewritten rows of the job: they cannot be told from rows of others any more, and undo refuses; \
             `pgbackfill forget {job} --leave-rows` removes the job and leaves its rows"
        );
    }
    if lacks && !exceeds {
        return format!(
            "rows were changed or deleted since: the load's command with --reload-missing loads such windows again; \
             `pgbackfill undo {job} --missing-ok` deletes the rows that are left"
        );
    }
    format!(
        "rows were changed since: look at these windows; `pgbackfill undo {job}` deletes the rows of the job, and refuses \
         where their number differs; `pgbackfill forget {job} --leave-rows` leaves them"
    )
}

pub(crate) async fn undo(args: &UndoArgs, common: &Common) -> anyhow::Result<u8> {
    let (target, json) = (super::target(common)?, common.json);
    let observer = move |event: &Event| {
        if json {
            output::json(event);
        }
    };
    let repeated = Repeated { table: args.table.as_deref(), scope: None };
    let missing = if args.missing_ok { MissingRows::Accept } else { MissingRows::Refuse };
    let undone = pgbackfill::undo_repeating(&target, &args.job, repeated, missing, &observer).await?;
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

pub(crate) async fn forget(args: &ForgetArgs, common: &Common) -> anyhow::Result<u8> {
    let target = super::target(common)?;
    if !args.leave_rows {
        let status = pgbackfill::status(&target, Some(&args.job)).await?;
        let (job, table) = (status.job, status.table);
        return Err(Error::new(
            ErrorKind::Settings,
            format!("forget removes job {job} from the ledger and leaves the rows that it loaded in {table}"),
        )
        .with_hint(format!(
            "`pgbackfill forget {job} --leave-rows` does that: nothing can undo, verify or resume the job afterwards, its \
             rejects are deleted, and a new load takes its rows for rows of others; `pgbackfill undo {job}` deletes the rows"
        ))
        .into());
    }
    let forgotten = pgbackfill::forget(&target, &args.job).await?;
    if common.json {
        output::json(&forgotten);
        return Ok(exit::DONE);
    }
    let Forgotten { job, table, rows, .. } = forgotten;
    line(&format!("job {job} is removed from the ledger; the {} that it loaded stay in {table}", counted(rows, "row")));
    line("they can no longer be undone or verified, and a new load takes them for rows of others");
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
