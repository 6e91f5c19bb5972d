//! How a job gets into the ledger, and what a resume is compared with.

use std::sync::Arc;

use serde_json::Value;

use super::accept::accept;
use super::change::Change;
use super::prepare::{Opening, Prepared};
use super::{occupied, remains, rights, settings};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, NewJob, NewWindow, Run, RunRequest};
use crate::model::{Object, Observer, Piece, SourceRows, Window};
use crate::options::{Commit, Existing, Options};
use crate::plan::PlannedWindow;
use crate::schema::{Shape, Table};
use crate::target::{Durability, Session};

/// The job as the ledger knows it; `None` where it does not, or may not be asked. A role that may not read the ledger is
/// told so with all else that it lacks, before anything is written.
pub(super) async fn find(opening: &Opening) -> Result<Option<JobRecord>> {
    match ledger::look(&opening.session).await? {
        ledger::Found::Open => JobRecord::find(&opening.session, &opening.job).await,
        ledger::Found::Missing | ledger::Found::Closed => Ok(None),
    }
}

/// How a known job stands before anything is done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Every window is loaded, from the source as it is.
    Complete,
    /// Some windows are not loaded.
    Open,
    /// Its source has changed, and that is accepted.
    Changed,
}

/// Refuses a resume with other settings, or over another source that is not accepted.
pub(super) async fn check_resume(
    session: &Session,
    job: &JobRecord,
    settings: &Value,
    objects: &[Object],
    options: &Options,
) -> Result<Standing> {
    settings::check(&job.name, &job.settings, settings)?;
    match Change::between(&job.objects(session).await?, objects) {
        None if ledger::progress(session, job).await?.is_complete() => Ok(Standing::Complete),
        None => Ok(Standing::Open),
        Some(_) if options.accept_changed_source => Ok(Standing::Changed),
        Some(change) => change.refuse(&job.name),
    }
}

/// Refuses to load more of a job into a table that is no longer what it was, or without the rights that this takes.
pub(super) async fn check_target(session: &Session, table: &Table, job: &JobRecord, options: &Options) -> Result<()> {
    let mut was = recorded_shape(job)?;
    let mut is = table.shape.clone();
    // Columns that the job leaves out are no concern of its rows, as long as rows may leave them out.
    let loaded = |name: &String| job.hashed.contains(name) || job.unhashed.contains(name);
    was.columns.retain(|column| loaded(&column.name));
    is.columns.retain(|column| loaded(&column.name) || !column.optional);
    let mut differences = was.differences(&is);
    if was.oid != is.oid {
        differences.push("it was dropped and made anew, and what the job had loaded is gone".to_owned());
    }
    if job.has_own_rows() != table.has_xmin() {
        let state = if job.has_own_rows() { "no longer carry" } else { "now carry" };
        differences.push(format!("its rows {state} transaction ids"));
    }
    if differences.is_empty() {
        return rights::check_resume(session, table, job, options).await;
    }
    Err(Error::new(
        ErrorKind::Changed,
        format!("{} is not what it was when job {} was begun: {}", job.table, job.name, differences.join("; ")),
    )
    .with_hint(format!(
        "put it back as it was to resume; or take back what the job loaded (`pgbackfill undo {0}`, or where its rows are gone \
         `pgbackfill undo {0} --missing-ok`) and load it again",
        job.name
    )))
}

/// The table as it was when the job began.
pub(super) fn recorded_shape(job: &JobRecord) -> Result<Shape> {
    serde_json::from_value(job.shape.clone()).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the shape of {} in the ledger", job.table)).with_source(error)
    })
}

/// Takes a known job up again: as it was planned, or over a source whose change is accepted.
pub(super) async fn resume(
    job: JobRecord,
    prepared: &Prepared,
    run: &Run,
    options: &Options,
    observer: &Arc<dyn Observer>,
) -> Result<JobRecord> {
    match Change::between(&job.objects(&prepared.session).await?, &prepared.supply.objects) {
        None => check_plan(job, prepared).await,
        Some(_) if options.accept_changed_source => accept(job, prepared, run, options, observer).await,
        Some(change) => change.refuse(&job.name),
    }
}

/// The same source and settings always give the same plan; the ledger's windows are checked against it all the same.
async fn check_plan(mut job: JobRecord, prepared: &Prepared) -> Result<JobRecord> {
    let recorded = ledger::windows(&prepared.session, &job).await?;
    let planned = new_windows(prepared);
    let same = recorded.len() == planned.len()
        && recorded.iter().zip(&planned).all(|(old, new)| old.window == new.window && old.source == new.source);
    let rows = prepared.profile.rows;
    let counted = job.rows == rows || is_counted_more_closely(job.rows, rows);
    if !same || job.hashed != prepared.route.hashed_columns() || !counted {
        return Err(Error::new(
            ErrorKind::Changed,
            format!("job {} would now be planned otherwise than when it was begun", job.name),
        )
        .with_hint(format!(
            "the table has changed, or this is another version of pgbackfill; take back what the job loaded \
                 (`pgbackfill undo {}`) and load it anew",
            job.name
        )));
    }
    let session = &prepared.session;
    if job.rows == rows {
        job.resume(session, &prepared.settings).await?;
        return Ok(job);
    }
    job.rows = rows;
    let count = async {
        job.enter_counts(session, &prepared.windowless).await?;
        job.resume(session, &prepared.settings).await
    };
    session.transact(Durability::Synchronous, count).await?;
    Ok(job)
}

/// Whether a source that was first counted by its statistics, for no row was to be rejected, is now counted row by row, for
/// some may be: the rows without a time that can be read were taken for others.
fn is_counted_more_closely(before: SourceRows, now: SourceRows) -> bool {
    let moved = [(before.before, now.before), (before.after, now.after), (before.unkeyed, now.unkeyed)];
    before.rejected == 0 && now.rejected > 0 && before.all == now.all && moved.iter().all(|(before, now)| now <= before)
}

/// The windows of a plan, each with the fingerprint of what may hold its rows.
pub(super) fn new_windows(prepared: &Prepared) -> Vec<NewWindow> {
    let (plan, objects) = (&prepared.plan, &prepared.supply.objects);
    if plan.kind.is_none() {
        let object = |piece: &Piece| &objects[piece.object as usize]; // usize has at least 32 bits
        let window = |planned: &PlannedWindow| {
            let pieces = plan.pieces_of(&planned.window).into_iter().map(|piece| &plan.pieces[piece]);
            let source = settings::fingerprint_of_pieces(pieces.map(|piece| (object(piece), piece)));
            NewWindow { window: planned.window, source }
        };
        return plan.windows.iter().map(window).collect();
    }
    let objects: Vec<u128> = objects.iter().map(settings::fingerprint).collect();
    let window =
        |(planned, sum): (&PlannedWindow, u128)| NewWindow { window: planned.window, source: sum.to_be_bytes() };
    plan.windows.iter().zip(plan.sums_over_objects(&objects)).map(window).collect()
}

/// Enters a new job, in a ledger that is made where there is none, and the run that begins it, in one transaction with
/// whatever may refuse them: a run that is refused has neither entered nor deleted anything. `None` where another run has entered the job meanwhile.
pub(super) async fn enter(
    prepared: &Prepared,
    request: &RunRequest,
    options: &Options,
) -> Result<Option<(JobRecord, Run)>> {
    let session = &prepared.session;
    ledger::init(session).await?;
    let windows = new_windows(prepared);
    let new = NewJob {
        record: record(prepared, options),
        objects: &prepared.supply.objects,
        windows: &windows,
        rejects: &prepared.windowless,
    };
    let entered = async {
        ledger::lock_table(session, &new.record.target).await?;
        let Some(job) = new.enter(session).await? else { return Ok(None) };
        request.check(session, &job).await?;
        if prepared.plan.kind.is_none() {
            admit_whole(prepared, options).await?;
        }
        // Last, for its lease begins here, however long the rest took.
        let run = request.enter(session, &job).await?;
        Ok(Some((job, run)))
    };
    Box::pin(session.transact(Durability::Synchronous, entered)).await
}

fn record(prepared: &Prepared, options: &Options) -> JobRecord {
    JobRecord {
        id: 0,
        name: prepared.job.clone(),
        table: prepared.table.name.to_string(),
        target: prepared.table.name.sql(),
        time_column: options.time_column.clone(),
        key_kind: prepared.plan.kind,
        scope: options.scope.clone(),
        commit_mode: match (prepared.table.has_xmin(), prepared.commit) {
            (false, _) => "whole",
            (true, Commit::Window) => "window",
            (true, Commit::Batch) => "batch",
        }
        .to_owned(),
        hashed: prepared.route.hashed_columns().to_vec(),
        unhashed: prepared.route.unhashed_columns().to_vec(),
        settings: prepared.settings.clone(),
        range: (prepared.range.from.map(|key| key.0), prepared.range.until.map(|key| key.0)),
        rows: prepared.profile.rows,
        mended: prepared.profile.mended,
        grid: settings::grid(prepared.grid.as_ref()),
        shape: serde_json::json!(prepared.table.shape),
    }
}

/// Without a time column, `--existing` speaks of the table as a whole, once, when the job begins.
async fn admit_whole(prepared: &Prepared, options: &Options) -> Result<()> {
    let whole = Window::pieces(0, u64::MAX).expect("the run is not empty");
    let (session, statements) = (&prepared.session, &prepared.statements);
    match options.existing() {
        Existing::Keep => Ok(()),
        Existing::Replace => {
            session.execute_in(statements.path(), &statements.delete(&whole, None)).await?;
            let table = prepared.table.name.to_string();
            remains::refuse(session, statements, &whole, &table, "the whole table").await
        }
        Existing::Skip => Err(Error::new(ErrorKind::Settings, "--existing skip needs a time column").with_hint(
            "without one there are no windows to skip; --existing keep loads beside the rows that are there",
        )),
        Existing::Error => {
            let held = session.query_one_in(statements.path(), &statements.occupied(&whole), &[]).await?.get(0);
            if held { Err(occupied(&prepared.table.name.to_string(), "the whole table")) } else { Ok(()) }
        }
    }
}
