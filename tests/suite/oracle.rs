//! The server as oracle: random texts, thousands of each type, go through its input functions and through our encoders,
//! and both must store the same bytes or both refuse.
//!
//! `SUITE_SEED` repeats a failure. `PGBACKFILL_ORACLE_VALUES` says how many texts of each type are tried
//! (default: [`VALUES`]). Where we are stricter on purpose, [`Case::stricter`] says so, and `GUARANTEES.md` lists it.

mod answers;
mod forms;
mod texts;

mod compound;
mod letters;
mod nested;
mod numbers;
mod rarer;
mod times;

use answers::{Answer, Oracle};
use texts::Recipe;

use crate::harness::seed;

/// Texts of each type, unless the environment says otherwise: a second or so.
const VALUES: usize = 3_000;
/// Texts that are tried at once.
const ROUND_VALUES: usize = 20_000;
/// Differences that a failure shows, shortest text first.
const SHOWN: usize = 12;

/// A type, and how it is tried.
struct Case {
    /// As SQL spells it.
    ty: &'static str,
    /// Statements that make it.
    setup: &'static str,
    /// What texts without an offset are taken in.
    zone: &'static str,
    recipe: Recipe,
    /// Whether a text that the server takes and we refuse is one that we refuse on purpose.
    stricter: fn(&str) -> bool,
}

impl Case {
    /// A built-in type, of which we refuse what the server refuses.
    const fn of(ty: &'static str, recipe: Recipe) -> Self {
        Self { ty, setup: "", zone: "UTC", recipe, stricter: |_| false }
    }
}

/// Panics unless the server and we agree on every text.
#[track_caller]
fn agree(cases: &[Case]) {
    for case in cases {
        let seed = seed(case.ty);
        let found = differences(case, seed);
        assert!(
            found.is_empty(),
            "{} differ from the server as {} in {}, SUITE_SEED={seed}:\n{}",
            found.len(),
            case.ty,
            case.zone,
            shown(found)
        );
    }
}

/// A text, what the server makes of it, and what we do.
type Difference = (String, Answer, Answer);

fn differences(case: &Case, seed: u64) -> Vec<Difference> {
    let oracle = Oracle::new(case.setup, case.ty, case.zone);
    let (mut found, mut left, mut round) = (Vec::new(), values(), seed);
    let (mut stored, mut excepted) = (0, 0);
    while left > 0 {
        let texts = texts::draw(&case.recipe, left.min(ROUND_VALUES), round);
        for ((text, server), ours) in texts.iter().zip(oracle.server(&texts, case.stricter)).zip(oracle.ours(&texts)) {
            stored += usize::from(server.is_stored());
            if server.agrees(&ours) {
                continue;
            }
            if server.is_stored() && !ours.is_stored() && (case.stricter)(text) {
                excepted += 1;
            } else {
                found.push((text.clone(), server, ours));
            }
        }
        left -= texts.len().min(left);
        round += 1;
    }
    eprintln!("{}: {} texts, {stored} stored by the server, {excepted} refused here on purpose", case.ty, values());
    found
}

fn values() -> usize {
    let count = std::env::var("PGBACKFILL_ORACLE_VALUES").ok();
    count.map_or(VALUES, |count| count.parse().expect("PGBACKFILL_ORACLE_VALUES is a number"))
}

fn shown(mut found: Vec<Difference>) -> String {
    found.sort_by_key(|(text, ..)| text.len());
    found.dedup();
    let line = |(text, server, ours): &Difference| format!("{text:?}\n    server {server:?}\n    we {ours:?}\n");
    found.iter().take(SHOWN).map(line).collect()
}
