//! The loaders of one run of torture: started, struck, started again, and heard to their end.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::kind::{Kind, Tally};
use super::log::Log;
use super::scene::LEASE;
use crate::harness::{Output, Random, Running, start_at};

/// How long past its lease a loader stands still when nobody takes over.
const PAUSE_MOST: Duration = Duration::from_secs(5);

/// Loaders at work on one job.
pub(super) struct Crew<'a> {
    target: String,
    command: String,
    slots: Vec<Slot>,
    log: &'a Log,
    pub(super) tally: Tally,
    pub(super) retries: u64,
    pub(super) starts: u64,
    /// Batches of loaders that have ended.
    batches: usize,
    /// Every claim that a loader told of: window and attempt.
    claims: HashSet<(String, u64)>,
    /// One of them said that all is loaded.
    pub(super) done: bool,
}

/// A place for a loader: when one ends, another takes it.
struct Slot {
    loader: Option<Loader>,
    next_at: Instant,
}

struct Loader {
    running: Running,
    /// Signals it was sent.
    sent: Vec<Kind>,
    paused: Option<Pause>,
}

/// How long a loader stands still.
#[derive(Debug, Clone, Copy)]
struct Pause {
    kind: Kind,
    /// Not shorter.
    least: Instant,
    /// Not longer, whatever the others do.
    most: Instant,
    /// Until all loaders together have made so many batches.
    batches: u64,
}

impl<'a> Crew<'a> {
    pub(super) fn new(target: String, command: String, loaders: u64, log: &'a Log) -> Self {
        let slots = (0..loaders).map(|_| Slot { loader: None, next_at: Instant::now() }).collect();
        let tally = Tally::default();
        Self {
            target,
            command,
            slots,
            log,
            tally,
            retries: 0,
            starts: 0,
            batches: 0,
            claims: HashSet::new(),
            done: false,
        }
    }

    /// Hears loaders that have ended, wakes those that have stood still for long enough, and starts others in their place.
    pub(super) fn tend(&mut self, random: &mut Random) {
        let batches = self.batches();
        for slot in 0..self.slots.len() {
            self.wake(slot, |pause| pause.is_over(batches));
            if self.slots[slot].loader.as_ref().is_some_and(|loader| loader.running.has_ended()) {
                // One that was refused, because another holds the job, does not knock at once again.
                let pause = if self.hear(slot) == 7 { 300 } else { 30 };
                self.slots[slot].next_at = Instant::now() + Duration::from_millis(pause + random.below(300));
            }
            let Slot { loader, next_at } = &self.slots[slot];
            if loader.is_none() && !self.done && *next_at <= Instant::now() {
                self.start(slot);
            }
        }
    }

    fn start(&mut self, slot: usize) {
        let running = start_at(&self.target, &self.command);
        self.starts += 1;
        self.log.note(&format!("loader {slot} starts as {}", running.pid()));
        self.slots[slot].loader = Some(Loader { running, sent: Vec::new(), paused: None });
    }

    /// Whether a loader is at work on windows.
    pub(super) fn is_loading(&mut self) -> bool {
        (0..self.slots.len()).any(|slot| self.is_at_work(slot))
    }

    /// Batches that all loaders so far have told of.
    pub(super) fn batches(&mut self) -> u64 {
        let under_way = self.slots.iter_mut().filter_map(|slot| slot.loader.as_mut());
        let batches = self.batches + under_way.map(|loader| loader.running.heard("batch")).sum::<usize>();
        batches as u64 // a count of lines
    }

    /// Whether a process is there.
    pub(super) fn is_alive(&self) -> bool {
        self.slots.iter().any(|slot| slot.loader.is_some())
    }

    fn is_at_work(&mut self, slot: usize) -> bool {
        self.is_there(slot)
            && self.slots[slot].loader.as_mut().is_some_and(|loader| loader.running.heard("started") > 0)
    }

    fn is_there(&self, slot: usize) -> bool {
        self.slots[slot].loader.as_ref().is_some_and(|loader| loader.paused.is_none() && !loader.running.has_ended())
    }

    /// Sends a signal to one of the loaders that are at work, or else that are there.
    pub(super) fn signal(&mut self, kind: Kind, random: &mut Random) {
        let mut slots: Vec<usize> = (0..self.slots.len()).filter(|slot| self.is_at_work(*slot)).collect();
        if slots.is_empty() {
            slots = (0..self.slots.len()).filter(|slot| self.is_there(*slot)).collect();
        }
        if slots.is_empty() {
            return;
        }
        let batches = self.batches();
        let slot = slots[usize::try_from(random.next() % slots.len() as u64).expect("it is an index")];
        let loader = self.slots[slot].loader.as_mut().expect("it was just seen");
        let name = match kind {
            Kind::Kill => "KILL",
            Kind::Term => "TERM",
            Kind::Interrupt => "INT",
            _ => "STOP",
        };
        self.log.note(&format!("loader {slot} gets {name}"));
        loader.running.signal(name);
        match kind {
            Kind::Pause => loader.paused = Some(Pause::short(kind, random)),
            Kind::PausePastLease => {
                loader.paused = Some(Pause::past_lease(kind, batches, random));
                // Somebody has to take over what it held.
                self.slots.push(Slot { loader: None, next_at: Instant::now() });
            }
            _ => loader.sent.push(kind),
        }
    }

    /// Lets the loader in `slot` go on if it stands still and `is_over` says so.
    fn wake(&mut self, slot: usize, is_over: impl Fn(&Pause) -> bool) {
        let Some(loader) = &mut self.slots[slot].loader else { return };
        let Some(Pause { kind, .. }) = loader.paused.filter(is_over) else { return };
        loader.paused = None;
        if !loader.running.has_ended() {
            loader.running.signal("CONT");
            self.log.note(&format!("loader {slot} goes on"));
            if loader.running.heard("started") > 0 {
                self.tally.add(kind);
            }
        }
    }

    /// Whether a loader stands still.
    pub(super) fn has_paused(&self) -> bool {
        self.slots.iter().any(|slot| slot.loader.as_ref().is_some_and(|loader| loader.paused.is_some()))
    }

    /// Waits until every loader has ended by itself.
    pub(super) fn dismiss(&mut self) {
        for slot in 0..self.slots.len() {
            self.wake(slot, |_| true);
            if self.slots[slot].loader.is_some() {
                self.hear(slot);
            }
        }
    }

    /// Runs one loader to its end.
    pub(super) fn run_once(&mut self) -> i32 {
        self.start(0);
        self.hear(0)
    }

    /// Takes the last words of the loader in `slot`, and judges them.
    fn hear(&mut self, slot: usize) -> i32 {
        let Loader { mut running, sent, .. } = self.slots[slot].loader.take().expect("there is a loader to hear");
        let had_begun = running.heard("started") > 0;
        let output = running.finish();
        self.log.note(&format!("loader {slot} ends with {}\n{}{}", output.code, output.stdout, output.stderr));
        self.retries += output.count_of("retrying") as u64; // a count of lines
        self.batches += output.count_of("batch");
        self.note_claims(&output);
        let struck = struck_by(&output, &sent);
        if let Some(kind) = struck.filter(|_| had_begun) {
            self.tally.add(kind);
        }
        assert!(struck.is_some() || [0, 4, 7].contains(&output.code), "a loader ended dishonestly: {output:?}");
        self.done |= output.code == 0;
        output.code
    }

    /// An attempt at a window has one owner, and a number that no other has: the fence stands on it.
    fn note_claims(&mut self, output: &Output) {
        for claim in claims(output) {
            let text = format!("{claim:?}");
            assert!(self.claims.insert(claim), "an attempt was made twice: {text}");
        }
    }
}

impl Pause {
    fn short(kind: Kind, random: &mut Random) -> Self {
        let end = Instant::now() + Duration::from_millis(50 + random.below(400));
        Self { kind, least: end, most: end, batches: 0 }
    }

    /// Until the lease is over and another has come some way with what the loader held.
    fn past_lease(kind: Kind, batches: u64, random: &mut Random) -> Self {
        let least = Instant::now() + LEASE + Duration::from_millis(100);
        Self { kind, least, most: least + PAUSE_MOST, batches: batches + 1 + random.below(12) }
    }

    fn is_over(&self, batches: u64) -> bool {
        let now = Instant::now();
        now >= self.least && (batches >= self.batches || now >= self.most)
    }
}

/// Window and attempt of every claim that a run told of, but for one that it was killed while telling.
fn claims(output: &Output) -> impl Iterator<Item = (String, u64)> {
    let events = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let claimed = events.filter(|event| event["event"] == "claimed");
    claimed.map(|event| (event["window"].to_string(), event["attempt"].as_u64().expect("an attempt has a number")))
}

/// The signal that a loader ended by, if it was sent that signal.
fn struck_by(output: &Output, sent: &[Kind]) -> Option<Kind> {
    let kind = match output.code {
        -9 => Kind::Kill,
        143 | -15 => Kind::Term,
        130 | -2 => Kind::Interrupt,
        _ => return None,
    };
    sent.contains(&kind).then_some(kind)
}
