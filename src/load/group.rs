//! Groups: neighbouring small windows that are loaded in one transaction.
//!
//! A window of a few rows costs a dozen round trips and two waits for the disk, whatever it holds. A group pays them once.
//! Only windows that nobody has begun are grouped, so there is nothing to clear, and one transaction can admit and load them.
//! Each window keeps its own entry, counters and hash. Whatever is not plain is left to the path of one window: rejects,
//! rows that were there before, and every failure. The rows are made before the transaction begins, which waits for no source.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

use super::aftermath;
use super::batch::BatchSize;
use super::blocks::{self, Wanted};
use super::context::Context;
use super::window::Attempt;
use super::worker::{Taken, Work, chain, note};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::{Claim, Counters, record_group};
use crate::model::{Event, KeyKind, Window};
use crate::options::{Commit, Existing};
use crate::plan::Plan;
use crate::target::{Durability, Session};

/// Windows of one group: past this many, what is paid once a group no longer shows.
const WINDOWS_MAX: usize = 256;

/// What the windows of a group are planned to hold together. More rows take longer than a transaction costs.
const PLANNED: BatchSize = BatchSize { rows: 5_000, bytes: 512 << 10 };

/// What they may hold in fact: rows are not spread as evenly as the plan assumes, and COPY bytes are not source bytes.
const HELD: BatchSize = BatchSize { rows: 20_000, bytes: 2 << 20 };

/// Windows whose rows are made at once: enough to hide the latency of a source.
const MADE_AT_ONCE: usize = 4;

/// A group that takes longer is followed by a smaller one: what a retry repeats, and what waits for a stop, stays short.
const LONG: Duration = Duration::from_millis(500);

/// How many windows a worker groups. It begins with one and doubles, so that workers share a job of few windows.
pub(super) struct Pace {
    windows: usize,
    windows_max: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { windows: 1, windows_max: WINDOWS_MAX }
    }
}

impl Pace {
    /// Notes that `windows` were loaded in one go.
    pub(super) fn note(&mut self, windows: usize, took: Duration) {
        if took >= LONG {
            self.windows = (self.windows / 2).max(1);
        } else if windows >= self.windows {
            self.windows = (self.windows * 2).min(self.windows_max);
        }
    }

    /// A group failed, or held no window: the next is smaller.
    fn note_failure(&mut self) {
        self.windows = (self.windows / 4).max(1);
    }

    /// There are to be no more groups.
    fn end(&mut self) {
        (self.windows, self.windows_max) = (1, 1);
    }
}

/// A window whose rows are made.
struct Made {
    claim: Claim,
    total: Counters,
}

/// Rows of a group, made and waiting.
#[derive(Default)]
struct Gathered {
    windows: Vec<Made>,
    bytes: BytesMut,
    rows: u64,
}

/// What became of a transaction for whole windows.
enum Part {
    Loaded,
    /// Rows of others may be in the windows; nothing was begun.
    Occupied,
    /// Triggers have changed rows: which window's they are is found by loading each alone.
    Changed,
}

/// Claims the windows behind `first`, which is just claimed, that can be loaded with it.
pub(super) async fn claim_more(context: &Context, session: &Session, first: &Taken, pace: &Pace) -> Vec<Taken> {
    if pace.windows < 2 || !first.may_be_grouped() || !may_group(context) {
        return Vec::new();
    }
    let first = &first.claim;
    let size = BatchSize::of(&context.options.limits).within(PLANNED);
    let windows = planned_together(&context.plan, &first.window, size, pace.windows);
    if windows < 2 {
        return Vec::new();
    }
    match context.run.claim_neighbours(session, &context.job, first, windows - 1).await {
        Ok(claims) => claims.into_iter().map(Taken::new).collect(),
        Err(error) => {
            // Those that were claimed all the same are given back when the workers have ended.
            tracing::debug!(%error, "no more windows could be claimed");
            Vec::new()
        }
    }
}

/// Takes the windows that are loaded together from the front of the queue; none where the first is loaded alone.
pub(super) fn at_front(queue: &mut VecDeque<Taken>, pace: &Pace) -> Vec<Claim> {
    let windows = queue.iter().take(pace.windows).take_while(|taken| taken.may_be_grouped()).count();
    if windows < 2 { Vec::new() } else { queue.drain(..windows).map(|taken| taken.claim).collect() }
}

/// Whether several windows of the job may share a transaction: their rows are found by their time, and a COPY puts them
/// right into the table.
fn may_group(context: &Context) -> bool {
    context.commit == Commit::Batch
        && context.time.is_some()
        && context.job.finds_rows_by_time()
        && !context.statements.is_staged()
        && context.existing() != Existing::Replace
}

/// How many windows from `first` on are planned to hold no more than `size` together, at most `windows_max`.
#[expect(clippy::cast_precision_loss, reason = "estimates")]
fn planned_together(plan: &Plan, first: &Window, size: BatchSize, windows_max: usize) -> usize {
    let place = plan.windows.partition_point(|planned| planned.window.bounds().0 < first.bounds().0);
    let (mut rows, mut bytes) = (0.0, 0.0);
    let fits = |planned: &&crate::plan::PlannedWindow| {
        (rows, bytes) = (rows + planned.rows, bytes + planned.bytes);
        rows <= size.rows as f64 && bytes <= size.bytes as f64
    };
    plan.windows[place..].iter().take(windows_max).take_while(fits).count()
}

/// Loads a group; what is left of it, in order.
pub(super) async fn load(
    context: &Arc<Context>,
    session: &Session,
    claims: Vec<Claim>,
    pace: &mut Pace,
    work: &mut Work,
) -> Vec<Taken> {
    let begun = Instant::now();
    let (gathered, unmade) = tokio::select! {
        gathered = gather(context, claims, work) => gathered,
        // The end of the run gives them back.
        () = context.stop.requested() => return Vec::new(),
    };
    if gathered.windows.is_empty() {
        pace.note_failure();
    }
    let mut left = load_gathered(context, session, gathered, (begun, pace), work).await;
    left.extend(unmade);
    left
}

/// Makes the rows of the windows, up to one that has rejects, does not fit in or cannot be made; what is left.
async fn gather(context: &Arc<Context>, claims: Vec<Claim>, work: &mut Work) -> (Gathered, Vec<Taken>) {
    let mut gathered = Gathered::default();
    let windows: Vec<Window> = claims.iter().map(|claim| claim.window).collect();
    let mut made = stream::iter(windows).map(|window| make(context, window)).buffered(MADE_AT_ONCE);
    let mut odd = None;
    for claim in &claims {
        let Some(made) = made.next().await else { break };
        odd = Some(match made {
            Ok(Some((total, bytes))) if gathered.takes(total) => {
                gathered.add(claim.clone(), total, &bytes);
                continue;
            }
            Ok(Some(_)) => Taken::new(claim.clone()),
            Ok(None) => Taken::alone(claim.clone()),
            Err(error) => {
                tell(context, claim, chain(&error), work);
                Taken::left_behind(claim.clone())
            }
        });
        break;
    }
    drop(made);
    let unmade = claims.into_iter().skip(gathered.windows.len() + usize::from(odd.is_some())).map(Taken::new);
    (gathered, odd.into_iter().chain(unmade).collect())
}

/// Makes the rows of one window; `None` where it is to be loaded alone.
async fn make(context: &Arc<Context>, window: Window) -> Result<Option<(Counters, BytesMut)>> {
    let size = BatchSize::of(&context.options.limits).within(HELD);
    let mut blocks = blocks::of_window(context, window, &Wanted { size, traced: false, found: Arc::default() });
    let (mut total, mut bytes) = (Counters::default(), BytesMut::new());
    // The rows are copied out of their blocks, whose memory is that of whole pieces.
    while let Some(sent) = blocks.next().await? {
        total.rows += sent.block.rows;
        total.bytes += sent.block.bytes.len() as u64; // usize has at most 64 bits
        total.hash += sent.block.hash;
        if !sent.rejects.is_empty() || total.rows > size.rows || total.bytes > size.bytes {
            return Ok(None);
        }
        bytes.extend_from_slice(&sent.block.bytes);
    }
    total.batches = i32::from(total.rows > 0);
    Ok(Some((total, bytes)))
}

impl Gathered {
    fn takes(&self, more: Counters) -> bool {
        self.rows + more.rows <= HELD.rows && self.bytes.len() as u64 + more.bytes <= HELD.bytes // usize has at most 64 bits
    }

    fn add(&mut self, claim: Claim, total: Counters, bytes: &BytesMut) {
        self.bytes.extend_from_slice(bytes);
        self.rows += total.rows;
        self.windows.push(Made { claim, total });
    }
}

/// Loads what was gathered; what is left of it, in order. Where rows of others are in its range it is divided, until one
/// window is left, which is loaded alone.
async fn load_gathered(
    context: &Arc<Context>,
    session: &Session,
    gathered: Gathered,
    (begun, pace): (Instant, &mut Pace),
    work: &mut Work,
) -> Vec<Taken> {
    let Gathered { windows, bytes, .. } = gathered;
    let (mut bytes, mut left) = (bytes.freeze(), Vec::new());
    let mut parts = VecDeque::from([&windows[..]]);
    while let Some(part) = parts.pop_front().filter(|part| !part.is_empty() && !context.is_stopping()) {
        let length: u64 = part.iter().map(|made| made.total.bytes).sum();
        let length = usize::try_from(length).expect("the bytes are in memory");
        let again = match load_part(context, session, part, bytes.slice(..length)).await {
            Ok(Part::Loaded) => {
                part.iter().for_each(|made| tell_loaded(context, made, begun, work));
                pace.note(part.len(), begun.elapsed());
                drop(bytes.split_to(length));
                continue;
            }
            Ok(Part::Occupied) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.push_front(second);
                parts.push_front(first);
                continue;
            }
            Ok(Part::Occupied) if context.existing() == Existing::Skip => {
                left.push(Taken::alone(part[0].claim.clone()));
                drop(bytes.split_to(length));
                continue;
            }
            // It is an error: no later window is to be loaded before it.
            Ok(Part::Occupied) => Taken::alone,
            Ok(Part::Changed) => {
                pace.end();
                Taken::left_behind
            }
            Err(error) => {
                pace.note_failure();
                leave(context, session, part, &error, work).await;
                Taken::left_behind
            }
        };
        left.extend(part.iter().map(|made| again(made.claim.clone())));
        left.extend(parts.into_iter().flatten().map(|made| Taken::new(made.claim.clone())));
        break;
    }
    left
}

/// One transaction for whole windows: their rows and their entries.
async fn load_part(context: &Context, session: &Session, part: &[Made], bytes: Bytes) -> Result<Part> {
    session.begin(Durability::WithTheLedger).await?;
    if is_occupied(context, session, part).await? {
        session.rollback().await?;
        return Ok(Part::Occupied);
    }
    for made in part {
        let window = context.name(&made.claim.window);
        context.observe(&Event::Claimed { window, attempt: 1, cleared: 0 });
    }
    let rows = part.iter().map(|made| made.total.rows).sum();
    if rows > 0 && !copy(context, session, rows, bytes).await? {
        session.rollback().await?;
        return Ok(Part::Changed);
    }
    let windows: Vec<(&Claim, Counters)> = part.iter().map(|made| (&made.claim, made.total)).collect();
    record_group(session, &windows).await?;
    failpoint::hit("group-recorded")?;
    session.commit().await?;
    failpoint::hit("group-committed")?;
    Ok(Part::Loaded)
}

/// Copies rows into the table; false where triggers have changed any of its rows since.
async fn copy(context: &Context, session: &Session, rows: u64, bytes: Bytes) -> Result<bool> {
    let activity = aftermath::before(context, session).await?;
    let mut copy = session.copy_in(&context.statements.copy_in()).await?;
    context.send_header(&mut copy).await?;
    copy.send(bytes).await?;
    context.send_trailer(&mut copy).await?;
    copy.finish(rows).await?;
    failpoint::hit("group-copied")?;
    context.refuse_changes(session).await?;
    let stored = aftermath::Rows { stored: rows, updated: 0 };
    aftermath::are_left_alone(context, session, stored, activity).await
}

/// Whether rows that are not the job's may be in the windows, where that matters. All are looked at at once: without an index,
/// each look reads the table.
async fn is_occupied(context: &Context, session: &Session, part: &[Made]) -> Result<bool> {
    if context.existing() == Existing::Keep {
        return Ok(false);
    }
    let windows: Vec<Window> = part.iter().map(|made| made.claim.window).collect();
    let ranges = ranges(context.job.key_kind, &windows)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "windows of a group are not in order"))?;
    let statements = &context.statements;
    Ok(session.query_one_in(statements.path(), &statements.occupied_any(&ranges), &[]).await?.get(0))
}

/// The ranges that windows cover. Windows exist only where rows do: what lies between them is not the job's.
fn ranges(kind: Option<KeyKind>, windows: &[Window]) -> Option<Vec<Window>> {
    let adjacent = windows.chunk_by(|one, two| one.bounds().1 == two.bounds().0);
    adjacent.map(|run| Window::from_bounds(kind, run[0].bounds().0, run[run.len() - 1].bounds().1)).collect()
}

fn tell_loaded(context: &Context, made: &Made, begun: Instant, work: &mut Work) {
    let Counters { rows, bytes, conflicts, .. } = made.total;
    if rows > 0 {
        let window = context.name(&made.claim.window);
        context.observe(&Event::Batch { window, rows, bytes, conflicts });
    }
    note(context, &made.claim, Attempt::Loaded(made.total), begun, work);
}

/// Ends the transaction of a group that failed, and tells of it, unless the claim was lost: that is told window by window.
async fn leave(context: &Context, session: &Session, part: &[Made], error: &Error, work: &mut Work) {
    if let Err(second) = session.rollback().await {
        tracing::debug!(error = %second, "a failed transaction could not be rolled back");
    }
    if !error.is_of_lost_claim() {
        let more = part.len() - 1;
        let said = chain(error);
        let said = if more > 0 {
            format!("{said}; {more} more windows of its transaction are loaded one by one too")
        } else {
            said
        };
        tell(context, &part[0].claim, said, work);
    }
}

fn tell(context: &Context, claim: &Claim, error: String, work: &mut Work) {
    work.retries += 1;
    let (window, attempt) = (context.name(&claim.window), u32::try_from(claim.attempt).unwrap_or(0));
    context.observe(&Event::Retrying { window, attempt, delay_seconds: 0.0, error });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TimeKey;

    fn taken(number: i64) -> Taken {
        let window = Window::pieces(0, 1).unwrap();
        Taken::new(Claim { job: 1, number, window, run: String::new(), attempt: 1, admitted: false })
    }

    #[test]
    fn groups_double_up_to_a_limit_and_shrink_where_they_fail_or_take_long() {
        let mut pace = Pace::default();
        (0..20).for_each(|_| pace.note(pace.windows, Duration::ZERO));
        assert_eq!(pace.windows, WINDOWS_MAX);
        pace.note(WINDOWS_MAX, LONG);
        assert_eq!(pace.windows, WINDOWS_MAX / 2);
        pace.note(1, Duration::ZERO);
        assert_eq!(pace.windows, WINDOWS_MAX / 2);
        (0..9).for_each(|_| pace.note_failure());
        assert_eq!(pace.windows, 1);
        pace.end();
        pace.note(1, Duration::ZERO);
        assert_eq!(pace.windows, 1);
    }

    #[test]
    fn a_group_is_of_windows_that_nobody_has_begun() {
        let pace = Pace { windows: 3, windows_max: 3 };
        let numbers = |mut queue: VecDeque<Taken>| {
            at_front(&mut queue, &pace).iter().map(|claim| claim.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers([4, 5, 6, 7].map(taken).into()), [4, 5, 6]);
        assert_eq!(numbers([4, 6].map(taken).into()), [4, 6]);
        assert!(numbers([4].map(taken).into()).is_empty());
        assert!(numbers([taken(4), Taken::alone(taken(5).claim), taken(6)].into()).is_empty());
        let again = Claim { attempt: 2, ..taken(5).claim };
        assert!(numbers([taken(4), Taken::new(again), taken(6)].into()).is_empty());
        assert!(numbers(VecDeque::new()).is_empty());
    }

    #[test]
    fn windows_with_a_gap_between_them_are_two_ranges() {
        let time = |(start, end)| Window::time(TimeKey(start), TimeKey(end)).unwrap();
        let covered = |bounds: &[(i64, i64)]| {
            let windows: Vec<Window> = bounds.iter().copied().map(time).collect();
            ranges(Some(KeyKind::Integer), &windows).unwrap()
        };
        assert_eq!(
            covered(&[(0, 10), (10, 20), (50, 60), (60, 70), (90, i64::MAX)]),
            [(0, 20), (50, 70), (90, i64::MAX)].map(time)
        );
    }
}
