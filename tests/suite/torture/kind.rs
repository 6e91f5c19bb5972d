//! The kinds of faults, and how often each struck.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::harness::{Action, Point, Random};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `kill -9` of a loader.
    Kill,
    /// The signal of a supervisor.
    Term,
    /// The signal of Ctrl-C.
    Interrupt,
    /// A loader stands still for a moment.
    Pause,
    /// A loader stands still for longer than its lease, and then goes on.
    PausePastLease,
    /// The server ends all sessions of loaders.
    EndSessions,
    /// The server crashes and recovers; commits that were not synchronous may be lost.
    CrashServer,
    /// The server is shut down and started.
    RestartServer,
    /// The reply to a COPY does not come.
    LoseCopyReply,
    /// The reply to a commit does not come.
    LoseCommitReply,
    /// A commit does not come.
    LoseCommit,
    /// A commit comes when the loader that sent it has long lost its connection.
    LateCommit,
    /// A connection is closed.
    Cut,
    /// A connection is closed within a message.
    Tear,
    /// A connection is reset.
    Reset,
    /// A connection is closed on one side.
    HalfClose,
    /// A connection stalls for a moment.
    Delay,
    /// A connection becomes slow.
    Throttle,
    /// A connection falls silent, and ends later.
    BlackHole,
}

impl Kind {
    pub(crate) const ALL: [Self; 19] = [
        Self::Kill,
        Self::Term,
        Self::Interrupt,
        Self::Pause,
        Self::PausePastLease,
        Self::EndSessions,
        Self::CrashServer,
        Self::RestartServer,
        Self::LoseCopyReply,
        Self::LoseCommitReply,
        Self::LoseCommit,
        Self::LateCommit,
        Self::Cut,
        Self::Tear,
        Self::Reset,
        Self::HalfClose,
        Self::Delay,
        Self::Throttle,
        Self::BlackHole,
    ];

    /// Where in the traffic it strikes and what it does there; `None` for what is not done to a connection.
    pub(super) fn on_the_wire(self, random: &mut Random) -> Option<(Point, Action)> {
        let mut millis = |least: u64, most: u64| Duration::from_millis(least + random.below(most - least));
        let action = match self {
            Self::LoseCopyReply => return Some((Point::CopyReply, Action::Lose)),
            Self::LoseCommitReply => return Some((Point::CommitReply, Action::Lose)),
            Self::LoseCommit => return Some((Point::Commit, Action::Lose)),
            Self::LateCommit => return Some((Point::Commit, Action::Late(millis(100, 1_200)))),
            Self::Cut => Action::Cut,
            Self::Tear => Action::Tear,
            Self::Reset => Action::Reset,
            Self::HalfClose => Action::HalfClose,
            Self::Delay => Action::Delay(millis(20, 400)),
            Self::Throttle => Action::Throttle(100_000),
            Self::BlackHole => Action::BlackHole(millis(100, 900)),
            _ => return None,
        };
        let point = random.below(Point::ALL.len() as u64); // nine of them
        Some((Point::ALL[usize::try_from(point).expect("it is below nine")], action))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Interrupt => "interrupt",
            Self::Pause => "pause",
            Self::PausePastLease => "pause past lease",
            Self::EndSessions => "end sessions",
            Self::CrashServer => "crash server",
            Self::RestartServer => "restart server",
            Self::LoseCopyReply => "lose reply to copy",
            Self::LoseCommitReply => "lose reply to commit",
            Self::LoseCommit => "lose commit",
            Self::LateCommit => "late commit",
            Self::Cut => "cut",
            Self::Tear => "tear",
            Self::Reset => "reset",
            Self::HalfClose => "half-close",
            Self::Delay => "delay",
            Self::Throttle => "throttle",
            Self::BlackHole => "black hole",
        })
    }
}

/// How often faults of each kind struck.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<Kind, u32>);

impl Tally {
    pub(super) fn add(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Adds what another run met.
    #[allow(dead_code, reason = "only the example sums up")]
    pub(crate) fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(kind, count)| *self.0.entry(*kind).or_default() += count);
    }

    /// Faults of `kind`.
    #[allow(dead_code, reason = "only the example sums up")]
    pub(crate) fn of(&self, kind: Kind) -> u32 {
        self.0.get(&kind).copied().unwrap_or(0)
    }

    /// Faults of all kinds.
    pub(crate) fn total(&self) -> u32 {
        self.0.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.0.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        write!(f, "{}", kinds.join(", "))
    }
}
