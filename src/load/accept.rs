//! A source that changed, accepted: the windows that this concerns are opened again, and nothing else is touched.
//!
//! All of it is one transaction, under a lock on the job and its windows: whoever dies before its commit leaves the job as it
//! was, whoever dies after it leaves a job like any other that is half loaded.

use std::collections::HashMap;
use std::sync::Arc;

use super::change::Change;
use super::clear::MISSING_HINT;
use super::enter::new_windows;
use super::own::OwnRows;
use super::prepare::Prepared;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, NewWindow, Reopened, Replan, Run, Step, WindowState, WindowStatus};
use crate::model::{Event, Observer, Window};
use crate::options::Options;
use crate::report::counted;
use crate::schema::Merge;
use crate::target::Durability;

/// What becomes of the windows of the former plan, and which are new.
#[derive(Debug, Default)]
struct Steps<'a> {
    /// Windows that may hold other rows now, with their places in the new plan.
    reopened: Vec<(&'a WindowStatus, i64)>,
    /// Windows that the new plan does not have.
    removed: Vec<&'a WindowStatus>,
    /// Windows of both plans whose number or bounds are others now.
    moved: Vec<(Step, &'a NewWindow)>,
    /// Windows that the former plan did not have.
    new: Vec<(i64, &'a NewWindow)>,
}

/// Makes the prepared plan the job's, and opens the windows that the change of its source concerns.
pub(super) async fn accept(
    mut job: JobRecord,
    prepared: &Prepared,
    run: &Run,
    options: &Options,
    observer: &Arc<dyn Observer>,
) -> Result<JobRecord> {
    check_columns(&job, prepared)?;
    job.rows = prepared.profile.rows;
    job.mended = prepared.profile.mended;
    let session = &prepared.session;
    let message = session.transact(Durability::Synchronous, Box::pin(replan(&job, prepared, run, options))).await?;
    observer.observe(&Event::Warning { message });
    Ok(job)
}

async fn replan(job: &JobRecord, prepared: &Prepared, run: &Run, options: &Options) -> Result<String> {
    let session = &prepared.session;
    if !options.join {
        ledger::lock_table(session, &job.target).await?;
    }
    let replan = Replan::begin(session, job, run).await?;
    let change = Change::between(&job.objects(session).await?, &prepared.supply.objects);
    let (former, planned) = (ledger::windows(session, job).await?, new_windows(prepared));
    let steps = Steps::between(&former, &planned);
    check_clearable(job, &steps)?;
    check_skips(job, prepared, &steps)?;
    let (mut rows, mut reopened, mut removed) = (0, Vec::new(), Vec::new());
    for (status, place) in &steps.reopened {
        let (found, is_whole) = take_own(job, prepared, status, options, Take::Count).await?;
        reopened.push(Reopened { number: status.number, source: planned[index(*place)].source, admit: !is_whole });
        rows += found;
    }
    for status in &steps.removed {
        let (deleted, _) = take_own(job, prepared, status, options, Take::Delete).await?;
        removed.push(status.number);
        rows += deleted;
    }
    replan.remove(removed).await?;
    replan.reopen(&reopened).await?;
    replan.renumber(&steps.moved).await?;
    replan.enter(steps.new.iter().copied()).await?;
    if !options.join {
        // The change may have made the job's range reach into that of another.
        ledger::check_range(session, job).await?;
    }
    replan.replace_objects(&prepared.supply.objects).await?;
    replan.end(job, &prepared.windowless).await?;
    job.resume(session, &prepared.settings).await?;
    Ok(steps.tell(job, change.as_ref(), rows))
}

fn index(place: i64) -> usize {
    usize::try_from(place).expect("a place in the plan is not below zero")
}

/// New objects must feed what the job feeds: the row hash of a window is made of the same columns throughout.
fn check_columns(job: &JobRecord, prepared: &Prepared) -> Result<()> {
    let (route, list) = (&prepared.route, |hashed: &[String], unhashed: &[String]| {
        let unhashed =
            if unhashed.is_empty() { String::new() } else { format!(" ({} unverified)", unhashed.join(", ")) };
        format!("{}{unhashed}", hashed.join(", "))
    });
    if job.hashed == route.hashed_columns() && job.unhashed == route.unhashed_columns() {
        return Ok(());
    }
    let (was, is) = (list(&job.hashed, &job.unhashed), list(route.hashed_columns(), route.unhashed_columns()));
    Err(Error::new(
        ErrorKind::Changed,
        format!("the source of job {} now feeds other columns: it fed {was}, and feeds {is}", job.name),
    )
    .with_hint("leave columns out as before (--ignore), or load the new objects by a job of their own (--job)"))
}

/// Without transaction ids, what was loaded cannot be told from other rows and stays where it is.
fn check_clearable(job: &JobRecord, steps: &Steps<'_>) -> Result<()> {
    let taken = |status: &&WindowStatus| status.conflicts.updated > 0;
    let mut concerned = steps.reopened.iter().map(|(status, _)| *status).chain(steps.removed.iter().copied());
    if let Some(status) = concerned.find(taken) {
        return Err(super::updated(status.conflicts.updated)
            .in_window(status.window.display(job.key_kind))
            .with_kind(ErrorKind::Changed)
            .context("the change concerns rows that cannot be loaded anew"));
    }
    let concerned = steps.reopened.iter().map(|(status, _)| *status).chain(steps.removed.iter().copied());
    let loaded = concerned.filter(|status| status.state == WindowState::Loaded && status.rows > 0).count();
    if job.has_own_rows() || loaded == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Changed,
        format!("the change concerns {}, and rows of {} carry no transaction id", counted(loaded as u64, "loaded window"), job.table), // usize has at most 64 bits
    )
    .with_hint(
        "what the job loaded there cannot be told from other rows: put the source back as it was, or delete those rows by \
         hand and load the range by another job (--job, --from, --until)",
    ))
}

/// Rows that were left out for a row of their key would be missing once that is deleted.
fn check_skips(job: &JobRecord, prepared: &Prepared, steps: &Steps<'_>) -> Result<()> {
    let mut concerned = steps.reopened.iter().map(|(status, _)| *status).chain(steps.removed.iter().copied());
    let skips = prepared.statements.merge().is_some_and(Merge::skips_across_windows);
    let Some(status) = concerned.find(|status| skips && status.rows > 0) else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Changed,
        format!("the change concerns rows of job {} for which rows of other windows may have been left out", job.name),
    )
    .in_window(status.window.display(job.key_kind))
    .with_hint(format!(
        "those would be missing: put the source back as it was, or take back what the job loaded (`pgbackfill undo {}`) and \
         load it anew; a key that holds the time column (--conflict-key) keeps windows apart",
        job.name
    )))
}

impl<'a> Steps<'a> {
    /// Windows of time are the same where their bounds are; runs of pieces have none, and are the same where they are made of
    /// the same pieces.
    fn between(former: &'a [WindowStatus], planned: &'a [NewWindow]) -> Self {
        let mut unmatched: HashMap<Key<'_>, &WindowStatus> =
            former.iter().map(|status| (key(&status.window, &status.source), status)).collect();
        let mut steps = Self::default();
        for (place, new) in (0..).zip(planned) {
            let Some(status) = unmatched.remove(&key(&new.window, &new.source)) else {
                steps.new.push((place, new));
                continue;
            };
            if status.source != new.source {
                steps.reopened.push((status, place));
            }
            if status.number != place || status.window != new.window {
                steps.moved.push((Step { from: status.number, to: place }, new));
            }
        }
        steps.removed.extend(unmatched.into_values());
        steps.removed.sort_by_key(|status| status.number);
        steps
    }

    fn tell(&self, job: &JobRecord, change: Option<&Change>, rows: u64) -> String {
        let change = change.map_or_else(|| "no object differs".to_owned(), Change::counts);
        let windows = |n: usize| counted(n as u64, "window"); // usize has at most 64 bits
        format!(
            "the change in the source of job {} is accepted: {change}; {} loaded again, {} new, {} gone, {} deleted for it",
            job.name,
            windows(self.reopened.len()),
            windows(self.new.len()),
            windows(self.removed.len()),
            counted(rows, "row"),
        )
    }
}

/// What makes two windows the same.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Bounds(Window),
    Pieces(&'a [u8]),
}

fn key<'a>(window: &Window, source: &'a [u8]) -> Key<'a> {
    match window {
        Window::Time { .. } => Key::Bounds(*window),
        Window::Pieces { .. } => Key::Pieces(source),
    }
}

/// What is done with the rows of a window that the change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// The window is loaded again, and its rows are deleted then.
    Count,
    /// The window goes, and its rows go now.
    Delete,
}

/// Takes the job's rows of a window: how many, and whether these are all that were loaded. Missing rows are refused, unless
/// their windows are to be loaded again: rows that others updated would stay beside those that are loaded.
async fn take_own(
    job: &JobRecord,
    prepared: &Prepared,
    status: &WindowStatus,
    options: &Options,
    take: Take,
) -> Result<(u64, bool)> {
    let (session, statements) = (&prepared.session, &prepared.statements);
    let written = ledger::written(session, job.id, status.number).await?;
    if !job.has_own_rows() {
        return Ok((0, true));
    }
    let own = OwnRows { session, job, statements, window: &status.window, written: &written };
    let found = match take {
        Take::Count => own.count().await?,
        Take::Delete => own.delete().await?.rows,
    };
    let is_whole = found == written.rows;
    if is_whole || options.reload_missing {
        return Ok((found, is_whole));
    }
    Err(own.missing(found).await?.with_hint(MISSING_HINT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conflicts, TimeKey};

    fn former(number: i64, window: Window, source: u8) -> WindowStatus {
        WindowStatus {
            number,
            window,
            state: WindowState::Loaded,
            attempt: 1,
            rows: 1,
            bytes: 1,
            conflicts: Conflicts::default(),
            rejected: 0,
            hash: None,
            error: None,
            source: vec![source; 16],
        }
    }

    fn day(n: i64) -> Window {
        Window::time(TimeKey(n), TimeKey(n + 1)).unwrap()
    }

    #[test]
    fn windows_of_equal_bounds_stay_or_are_opened_again_and_others_come_or_go() {
        let former = [former(0, day(1), 1), former(1, day(2), 1), former(2, day(4), 1)];
        let planned = [(day(2), 1), (day(3), 2), (day(4), 2)].map(|(window, n)| NewWindow { window, source: [n; 16] });
        let steps = Steps::between(&former, &planned);
        assert_eq!(steps.removed.iter().map(|status| status.number).collect::<Vec<_>>(), [0]);
        assert_eq!(steps.reopened.iter().map(|(status, _)| status.number).collect::<Vec<_>>(), [2]);
        assert_eq!(steps.new.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1]);
        assert_eq!(steps.moved.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [Step { from: 1, to: 0 }]);
    }

    #[test]
    fn a_run_of_pieces_is_known_by_its_pieces_wherever_they_stand() {
        let run = |first| Window::pieces(first, first + 1).unwrap();
        let former = [former(0, run(0), 7), former(1, run(1), 8)];
        let planned = [(run(0), 9), (run(1), 7)].map(|(window, n)| NewWindow { window, source: [n; 16] });
        let steps = Steps::between(&former, &planned);
        assert_eq!(steps.moved.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [Step { from: 0, to: 1 }]);
        assert_eq!(steps.removed.iter().map(|status| status.number).collect::<Vec<_>>(), [1]);
        assert_eq!((steps.new.len(), steps.reopened.len()), (1, 0));
    }
}
