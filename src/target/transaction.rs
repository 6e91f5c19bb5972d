//! Transactions: how each begins with all that its statements rely on, and how it ends.
//!
//! No setting outlives its transaction, so a pooler may give every transaction another connection and hands none on that
//! we have changed. A statement outside of a transaction gets one of its own, in the same round trip.
//! Which search path a statement has is in [`super::search_path`].

use std::fmt::Write as _;

use futures_util::future::{join_all, join3};
use tokio_postgres::SimpleQueryMessage;

use super::Session;
use super::link::{Link, Phase};
use super::search_path::{self, SearchPath};
use crate::error::{Error, ErrorKind, Result};

/// How a transaction's commit is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The commit waits for the disk, whatever a role's or a database's default is.
    Synchronous,
    /// The commit does not wait: data and ledger would be lost together.
    WithTheLedger,
}

/// What every transaction begins with; `client_encoding` is UTF8 by the protocol library.
///
/// Texts mean the same whatever a role's or a database's defaults are, names in the catalog read the same, and tables that
/// are made here are heaps. A slow statement is no failure on the server: the
/// client has its own limit. `lock_timeout` is left as it is: whoever sets it wants it to hold.
///
/// A transaction whose client has left it holds locks that others need. So the server ends one that is idle for long, and
/// asks its system within a minute whether a silent client is still there, rather than after two hours; on a Unix socket
/// the `tcp_` settings are accepted and do nothing.
const BEGIN: &str = "begin isolation level read committed; set local statement_timeout = 0; ";
const OPENING: &str = "\
    set local exit_on_error = off; \
    set local standard_conforming_strings = on; \
    set local quote_all_identifiers = off; \
    set local array_nulls = on; \
    set local xmloption = content; \
    set local default_table_access_method = heap; \
    set local datestyle = 'ISO, YMD'; \
    set local intervalstyle = 'postgres'; \
    set local timezone = 'UTC'; \
    set local extra_float_digits = 3; \
    set local idle_in_transaction_session_timeout = '5min'; \
    set local tcp_keepalives_idle = 30; \
    set local tcp_keepalives_interval = 10; \
    set local tcp_keepalives_count = 3; \
    set local tcp_user_timeout = 60000; ";

/// First major versions of settings that older servers refuse.
const HAS_TRANSACTION_TIMEOUT: u32 = 17;
const HAS_CLIENT_CHECK: u32 = 14;

/// Tells the process that serves the transaction, which behind a pooler is another each time; and has the commit wait for the
/// disk where it would not. Every other choice stands: each outlives a crash of the server, and how far its standbys are to
/// be waited for is not ours to say.
const TELL_PROCESS: &str = "select pg_backend_pid(), case when current_setting('synchronous_commit') = 'off' \
     then set_config('synchronous_commit', 'on', true) end";

/// Has the server look every 10 s whether its client is still there while a statement runs or waits for a lock. Servers on
/// other systems may not be able to.
const CHECK_CLIENT: &str = ", case when version() like '%linux%' \
     then set_config('client_connection_check_interval', '10s', true) end";

/// The statements that begin a transaction on a server of this major version, in one message.
pub(super) fn opening(version: u32, application_name: Option<&str>) -> String {
    let mut text = format!("{BEGIN}{}; {}; {OPENING}", search_path::KEEP, search_path::PIN);
    if version >= HAS_TRANSACTION_TIMEOUT {
        text.push_str("set local transaction_timeout = 0; ");
    }
    if let Some(name) = application_name {
        write!(text, "set local application_name = {}; ", literal(name)).expect("a String takes any text");
    }
    text.push_str(TELL_PROCESS);
    if version >= HAS_CLIENT_CHECK {
        text.push_str(CHECK_CLIENT);
    }
    text
}

/// A text as SQL spells it, whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', r"\\").replace('\'', "''").replace('\0', ""))
}

/// Messages of one round trip.
pub(crate) const MESSAGES_MAX: usize = 30;

impl Session {
    pub(crate) async fn begin(&self, durability: Durability) -> Result<()> {
        let link = self.link().await?;
        if link.phase() != Phase::Outside {
            // Whose work it would be is not known: with the connection, what was begun is over.
            link.abandon();
            return Err(Error::new(ErrorKind::Internal, "a transaction was begun within another"));
        }
        link.enter(Phase::Open);
        link.note_path(SearchPath::Pinned);
        let mut opening = link.opening.clone();
        if durability == Durability::WithTheLedger {
            opening.push_str("; set local synchronous_commit = off");
        }
        let begun = link.wait("begin", link.send_opening(&opening)).await;
        if begun.is_err() {
            self.end_failed().await;
        }
        begun
    }

    pub(crate) async fn commit(&self) -> Result<()> {
        let link = self.current();
        if link.phase() == Phase::Failed {
            // The server would answer such a commit with a rollback, and not call it an error.
            self.end_failed().await;
            return Err(Error::new(ErrorKind::Internal, "a transaction that had failed was to be committed"));
        }
        link.end("commit").await
    }

    /// Ends a transaction that failed, if there is one. A connection that is gone has ended it already.
    pub(crate) async fn rollback(&self) -> Result<()> {
        let link = self.current();
        if link.phase() == Phase::Outside {
            return Ok(());
        }
        if link.is_closed() {
            link.enter(Phase::Outside);
            return Ok(());
        }
        link.end("rollback").await
    }

    /// Undoes what was done since `savepoint`, a failure included: the transaction goes on.
    pub(crate) async fn rollback_to(&self, savepoint: &str) -> Result<()> {
        let (link, command) = (self.current(), format!("rollback to savepoint {savepoint}"));
        link.wait(&command, link.client.batch_execute(&command)).await?;
        link.enter(Phase::Open);
        // The path is again what it was when `run` made the savepoint.
        link.note_path(SearchPath::Own);
        Ok(())
    }

    /// Leaves a transaction in the midst of whatever it is at, by closing its connection: the server rolls it back once it
    /// notices. What comes next goes over another connection.
    pub(crate) fn abandon(&self) {
        let link = self.current();
        if link.phase() != Phase::Outside {
            link.abandon();
            link.enter(Phase::Outside);
        }
    }

    /// Sends statements in one round trip, each a message of its own, in the transaction that is open; the answer to each. After
    /// one that fails the server refuses the rest, up to a return to a savepoint. Where the last one is done, the transaction
    /// goes on.
    pub(crate) async fn run_all(&self, messages: &[String]) -> Result<Vec<Result<()>>> {
        debug_assert!(messages.len() <= MESSAGES_MAX, "more messages may be sent in another order");
        let (link, first) = (self.current(), messages.first().map_or("", String::as_str));
        // Each is sent when it is first polled, in this order.
        let all = join_all(messages.iter().map(|message| link.client.batch_execute(message)));
        let answers = link.wait(first, link.with_path(SearchPath::Own, async { Ok(all.await) })).await?;
        let answers: Vec<Result<()>> =
            answers.into_iter().map(|answer| answer.map_err(|error| link.fault(error))).collect();
        match answers.last() {
            Some(Err(_)) => link.note_failure(),
            _ => link.enter(Phase::Open),
        }
        Ok(answers)
    }

    /// Runs `work` between `begin` and `commit`; rolls back where it fails. Where it is not awaited to its end, the
    /// transaction ends with its connection.
    pub(crate) async fn transact<T>(&self, durability: Durability, work: impl Future<Output = Result<T>>) -> Result<T> {
        let _unfinished = Unfinished(self);
        Box::pin(self.begin(durability)).await?;
        // Boxed, or its size would stand twice in the future of each caller.
        match Box::pin(work).await {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                Box::pin(self.end_failed()).await;
                Err(error)
            }
        }
    }

    /// The first failure is the one to tell; a rollback that fails too leaves a dead connection behind.
    pub(super) async fn end_failed(&self) {
        if let Err(second) = self.rollback().await {
            tracing::debug!(error = %second, "rollback failed");
        }
    }
}

/// Dropped in the midst of a transaction it takes the connection with it, for nobody is left to end that.
struct Unfinished<'a>(&'a Session);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Link {
    /// Sends the statements that begin a transaction, and notes which process serves it.
    async fn send_opening(&self, opening: &str) -> Result<(), tokio_postgres::Error> {
        self.set_process(None);
        for message in self.client.simple_query(opening).await? {
            if let SimpleQueryMessage::Row(row) = message {
                self.set_process(row.get(0).and_then(|pid| pid.parse().ok()));
            }
        }
        Ok(())
    }

    /// Commits or rolls back. Whatever comes of it, the transaction is over.
    pub(super) async fn end(&self, command: &str) -> Result<()> {
        let statement = self.client.batch_execute(command);
        // Triggers that are put off to the commit are the table's own, as those that ran before.
        let ended = match self.phase() {
            Phase::Open => self.wait(command, self.with_path(SearchPath::Own, statement)).await,
            Phase::Outside | Phase::Failed => self.wait(command, statement).await,
        };
        self.enter(Phase::Outside);
        ended
    }

    /// The answer to a statement: of the transaction that is open, or of one that holds this statement alone.
    pub(super) async fn answer<T>(
        &self,
        sql: &str,
        path: SearchPath,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        match self.phase() {
            Phase::Outside => self.wait(sql, Box::pin(self.alone(path, statement))).await,
            Phase::Open => self.wait(sql, Box::pin(self.with_path(path, statement))).await,
            Phase::Failed => self.wait(sql, Box::pin(statement)).await,
        }
    }

    /// Begins, asks and commits in one round trip: each of the three is sent when it is first polled, in this order. Where
    /// the statement fails, the commit is a rollback, and the statement's own error is the one to tell.
    async fn alone<T>(
        &self,
        path: SearchPath,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        let (begun, answer, ended) = join3(
            self.send_opening(&self.opening),
            self.after_setting(path, statement),
            self.client.batch_execute("commit"),
        )
        .await;
        begun?;
        let answer = answer?;
        ended.map(|()| answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_only_for_settings_that_it_knows() {
        assert!(!opening(13, None).contains("client_connection_check_interval"));
        assert!(opening(14, None).contains("client_connection_check_interval"));
        assert!(!opening(16, None).contains("transaction_timeout"));
        assert!(opening(17, None).contains("set local transaction_timeout = 0"));
    }

    #[test]
    fn a_transaction_pins_its_path_before_anything_is_looked_up() {
        let text = opening(15, None);
        let (before, after) = text.split_once("set local search_path = pg_catalog, pg_temp; ").unwrap();
        assert_eq!(before, format!("{BEGIN}{}; ", search_path::KEEP));
        assert!(after.contains("select pg_backend_pid()"), "{after}");
    }

    #[test]
    fn an_application_name_is_a_literal_whatever_it_holds() {
        assert_eq!(literal(r"it's \ a job"), r"E'it''s \\ a job'");
        assert!(opening(15, Some("pgbackfill j")).contains("set local application_name = E'pgbackfill j'; "));
        assert!(!opening(15, None).contains("application_name"));
    }
}
