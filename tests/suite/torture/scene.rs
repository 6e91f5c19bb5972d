//! What a seed decides before anything runs: the source, the table, how it is loaded, and the plan of faults.

use std::fmt;
use std::time::Duration;

use super::kind::Kind;
use super::source::{Order, Source};
use crate::harness::Random;

/// The lease of every run: the shortest that the program takes, so that it can be outlasted.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// One run of torture, as its seed draws it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a coin of its own")]
pub(super) struct Scene {
    pub(super) source: Source,
    /// Width of windows, in minutes.
    window_minutes: u64,
    batch_rows: u64,
    /// How long the server takes over a batch, beside what it does.
    batch_time: Duration,
    commits_windows: bool,
    workers: u64,
    pub(super) loaders: u64,
    /// Somebody else writes into the windows meanwhile.
    pub(super) shared: bool,
    partitioned: bool,
    indexed: bool,
    pub(super) faults: Vec<Planned>,
}

/// A fault to come.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) moment: Moment,
    pub(super) kind: Kind,
    /// What decides its particulars.
    pub(super) random: Random,
}

/// When a fault strikes, counted from the one before. Mostly by what the loaders have done, which a busy machine does not
/// change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// So many batches of all loaders later, and a little.
    Batches(u64, Duration),
    /// So much later, whatever they do: while they prepare, mostly.
    Time(Duration),
}

impl Scene {
    pub(super) fn draw(random: &mut Random) -> Self {
        let source = Source::draw(random);
        // Sources in order are read window by window as long as a file serves few windows; others are spooled.
        let windows = if source.order == Order::ByTime { 4 + random.below(5) } else { 3 + random.below(20) };
        let minutes = (source.minutes() / windows).max(1);
        let mut scene = Self {
            window_minutes: minutes,
            source,
            batch_rows: 100 + random.below(500),
            batch_time: Duration::from_millis(random.below(25)),
            commits_windows: random.below(4) == 0,
            workers: 1 + random.below(3),
            loaders: 1 + random.below(4),
            shared: random.below(4) > 0,
            partitioned: random.below(3) == 0,
            indexed: random.below(4) > 0,
            faults: draw_faults(random),
        };
        // Windows of a few rows, which are loaded in groups.
        if random.below(3) == 0 {
            scene.window_minutes = 1;
        }
        scene
    }

    /// The statements that make the tables. The trigger makes a batch last, so that faults have something to strike:
    /// without it, all would be over in a moment.
    pub(super) fn tables(&self) -> String {
        let partitions = if self.partitioned {
            "partition by range (ts);
             create table metrics_1 partition of metrics for values from ('2024-01-01') to ('2024-01-01 06:00');
             create table metrics_2 partition of metrics for values from ('2024-01-01 06:00') to ('2024-01-02');
             create table metrics_rest partition of metrics default"
        } else {
            ""
        };
        let index = if self.indexed { "create index on metrics (ts);" } else { "" };
        format!(
            "create table metrics (ts timestamptz not null, host text not null, reading bigint, note text) {partitions};
             create table expected (like metrics);
             create table foreign_rows (like metrics);
             {index}
             create function take_time() returns trigger language plpgsql as
               $$ begin perform pg_sleep({}); return null; end $$;
             create trigger slow after insert on metrics for each statement
               when (current_setting('application_name') = 'pgbackfill') execute function take_time()",
            self.batch_time.as_secs_f64()
        )
    }

    /// The command that loads the source at `paths`.
    pub(super) fn command(&self, paths: &str) -> String {
        format!(
            "load {paths} --table metrics --time-column ts --window {}m --batch-rows {} --commit {} --workers {} \
             --existing {} --lease {}s --retry-for 30s --join --job torture --json",
            self.window_minutes,
            self.batch_rows,
            if self.commits_windows { "window" } else { "batch" },
            self.workers,
            if self.shared { "keep" } else { "error" },
            LEASE.as_secs(),
        )
    }
}

fn draw_faults(random: &mut Random) -> Vec<Planned> {
    let count = 4 + random.below(9);
    let mut faults: Vec<Planned> = (0..count).map(|_| draw_fault(random)).collect();
    // A second one would only stretch the run.
    let mut long = false;
    faults.retain(|fault| fault.kind != Kind::PausePastLease || !std::mem::replace(&mut long, true));
    faults
}

fn draw_fault(random: &mut Random) -> Planned {
    let kind = random.below(Kind::ALL.len() as u64); // nineteen of them
    let kind = Kind::ALL[usize::try_from(kind).expect("it is below nineteen")];
    let early = EARLY.contains(&kind) && random.below(3) == 0;
    let mut millis = |most| Duration::from_millis(random.below(most));
    let (short, long) = (millis(30), millis(300));
    Planned {
        moment: if early { Moment::Time(long) } else { Moment::Batches(1 + random.below(5), short) },
        kind,
        random: Random(random.next()),
    }
}

/// What also strikes loaders that have not begun to load.
const EARLY: [Kind; 5] = [Kind::Kill, Kind::Term, Kind::Interrupt, Kind::Cut, Kind::RestartServer];

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |so: bool, text: &'static str| if so { text } else { "" };
        write!(
            f,
            "{}; windows of {} min, batches of {} rows; {} loaders of {} workers{}{}{}{}",
            self.source,
            self.window_minutes,
            self.batch_rows,
            self.loaders,
            self.workers,
            yes(self.commits_windows, ", commit window"),
            yes(self.shared, ", beside others"),
            yes(self.partitioned, ", partitioned"),
            yes(self.indexed, ", indexed"),
        )
    }
}
