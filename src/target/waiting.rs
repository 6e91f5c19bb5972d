//! Waits that last are told: what for, who holds it, and for how long by now.
//!
//! The connection that waits cannot be asked, so another is opened for one question.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::deadline::words;
use super::link::Link;
use super::{ConnectSettings, Session};
use crate::error::{Error, Result};
use crate::model::Event;

/// Long enough for nearly every statement that is not held up to be over, short enough to tell a person before they wonder.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// Often enough to show life, rarely enough for a log of a night.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// A server that works at one statement for longer than this may also hang; which of the two, nobody can tell from here.
const LONG_WORK: Duration = Duration::from_secs(60);

/// A look that takes longer has met what it is about.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Holders of a lock that are told one by one.
const HOLDERS_TOLD: usize = 3;

/// The pauses between tries at a server that takes no connection just now.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tells what the link's statement waits for, until it is dropped.
pub(super) async fn watch(link: &Link, sql: &str) -> Infallible {
    if !link.settings.is_observed() {
        return std::future::pending().await;
    }
    let begun = Instant::now();
    tokio::time::sleep(FIRST_LOOK).await;
    loop {
        let reason = match link.process() {
            Some(pid) => Box::pin(look(&link.settings, pid, sql, begun)).await,
            None => Some("a transaction to begin; a pooler may have no connection free".to_owned()),
        };
        if let Some(reason) = reason {
            link.settings.observe(&Event::Waiting { reason, seconds: begun.elapsed().as_secs_f64() });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What the server's process waits for, as a phrase; `None` where it waits for nobody.
pub(super) async fn look(settings: &ConnectSettings, pid: i32, sql: &str, begun: Instant) -> Option<String> {
    let answered = tokio::time::timeout(LOOK_TIMEOUT, ask(settings, pid)).await;
    let rows = match answered {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => return Some(format!("the server to answer; another connection met: {}", cause(&error))),
        Err(_) => return Some("the server to answer; another connection got no answer either".to_owned()),
    };
    let Some(first) = rows.first() else {
        return Some(format!("an answer of process {pid}, which the server does not have any more"));
    };
    if first.get("blocker").is_some() {
        return Some(format!("{}, held by {}", wanted(first), holders(&rows)));
    }
    match first.get("event") {
        Some("IPC SyncRep") => Some("a synchronous standby to confirm a commit".to_owned()),
        event if begun.elapsed() >= LONG_WORK => {
            let event = event.filter(|event| !event.is_empty()).unwrap_or("no wait");
            Some(format!("the server to end: {} (process {pid}: {event})", words(sql)))
        }
        _ => None,
    }
}

async fn ask(settings: &ConnectSettings, pid: i32) -> Result<Vec<SimpleQueryRow>> {
    let opened = settings.connect(settings.session_name()).await?;
    let question = include_str!("waiting.sql").replace("{pid}", &pid.to_string());
    let sql = format!("begin; {}; {question}; commit", super::search_path::PIN);
    let messages = opened.client.simple_query(&sql).await.map_err(super::fault)?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

fn wanted(row: &SimpleQueryRow) -> String {
    match (row.get("locktype"), row.get("relation")) {
        (Some("relation"), Some(relation)) => format!("a lock on {relation}"),
        (Some("advisory"), _) => "an advisory lock".to_owned(),
        (_, Some(relation)) => format!("a lock on a row of {relation}"),
        (Some("transactionid" | "virtualxid"), None) => "the end of a transaction".to_owned(),
        _ => "a lock".to_owned(),
    }
}

fn holders(rows: &[SimpleQueryRow]) -> String {
    let mut text = rows.iter().take(HOLDERS_TOLD).map(holder).collect::<Vec<_>>().join(" and ");
    if rows.len() > HOLDERS_TOLD {
        write!(text, " and {} more", rows.len() - HOLDERS_TOLD).expect("a String takes any text");
    }
    text
}

/// Such as `process 4711 (psql of alice, idle in transaction for 40 s)`; what the role may not see is left out.
fn holder(row: &SimpleQueryRow) -> String {
    let pid = row.get("blocker").unwrap_or("0");
    if pid == "0" {
        return "a prepared transaction".to_owned();
    }
    let who = match (row.get("application"), row.get("usename")) {
        (Some(application), Some(user)) => format!("{application} of {user}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => return format!("process {pid}"),
    };
    match (row.get("blocker_state"), row.get("seconds")) {
        (Some(state), Some(seconds)) => format!("process {pid} ({who}, {state} for {seconds} s)"),
        _ => format!("process {pid} ({who})"),
    }
}

/// What an error says, with its innermost cause, which names what was met.
fn cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Session {
    /// As [`Session::open`], but waits for a server that is just starting, or whose connections are all taken, for as long
    /// as `patience`. Everything else fails at once.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub(crate) async fn open_when_ready(settings: &ConnectSettings, patience: Duration) -> Result<Self> {
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let error = match Box::pin(Self::open(settings)).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            if !passes_by_itself(&error) || begun.elapsed() + pause > patience {
                return Err(error);
            }
            let reason = format!("a connection; {}", cause(&error));
            settings.observe(&Event::Waiting { reason, seconds: begun.elapsed().as_secs_f64() });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether a server was there and said that it takes no connection just now.
fn passes_by_itself(error: &Error) -> bool {
    matches!(error.place().sqlstate.as_deref(), Some("57P03" | "53300"))
}
