//! A session with the server: statements and transactions, over one connection at a time.
//!
//! Nothing that a transaction relies on is kept by the connection. So where that has ended between two transactions, by an
//! idle timeout for one, the next begins on a new connection.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::Row;

use super::ConnectSettings;
use super::link::{Link, Phase};
use super::parameter::{Parameter, typed};
use super::search_path::SearchPath;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::quote_identifier;

/// Connections without which no load can work: that of the run, and that of a worker.
const CONNECTIONS_MIN: i64 = 2;

/// A session with the server.
pub struct Session {
    settings: ConnectSettings,
    link: Mutex<Arc<Link>>,
}

impl Session {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connection`] if the server cannot be reached, [`ErrorKind::Permission`] if it refuses the role.
    pub async fn open(settings: &ConnectSettings) -> Result<Self> {
        let link = Link::open(settings).await?;
        Ok(Self { settings: settings.clone(), link: Mutex::new(Arc::new(link)) })
    }

    /// A text of any letters as one that the database can hold: in an encoding other than UTF-8 letters outside of ASCII are
    /// spelled out, such as `\u{8868}`, and a NUL is no letter anywhere.
    pub(crate) fn storable(&self, text: &str) -> String {
        storable(text, self.current().is_utf8)
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.current().is_closed()
    }

    /// The connection as it is.
    pub(super) fn current(&self) -> Arc<Link> {
        Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection for the next statement: a new one where it has ended, unless in the midst of a transaction.
    pub(super) async fn link(&self) -> Result<Arc<Link>> {
        let link = self.current();
        if link.phase() != Phase::Outside || link.is_there().await {
            return Ok(link);
        }
        let link = Arc::new(Box::pin(Link::open(&self.settings)).await?);
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&link);
        Ok(link)
    }

    /// Runs statements that take no parameters and return no rows, in the transaction that is open, or in one of their own.
    /// Names are looked up in the session's own search path.
    ///
    /// # Errors
    ///
    /// What the server refuses, as [`ErrorKind::Target`] or, where the connection was lost, [`ErrorKind::Connection`].
    pub async fn run(&self, sql: &str) -> Result<()> {
        let link = self.link().await?;
        link.answer(sql, SearchPath::Own, link.client.batch_execute(sql)).await
    }

    pub(crate) async fn query(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Vec<Row>> {
        let link = self.link().await?;
        link.answer(sql, SearchPath::Pinned, link.client.query_typed(sql, &typed(parameters))).await
    }

    pub(crate) async fn query_one(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Row> {
        let link = self.link().await?;
        link.answer(sql, SearchPath::Pinned, link.client.query_typed_one(sql, &typed(parameters))).await
    }

    pub(crate) async fn query_opt(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Option<Row>> {
        let link = self.link().await?;
        link.answer(sql, SearchPath::Pinned, link.client.query_typed_opt(sql, &typed(parameters))).await
    }

    pub(crate) async fn execute(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<u64> {
        let link = self.link().await?;
        link.answer(sql, SearchPath::Pinned, link.client.execute_typed(sql, &typed(parameters))).await
    }

    /// Has the server read a statement without running it.
    pub(super) async fn parse(&self, sql: &str) -> Result<()> {
        let link = self.link().await?;
        link.answer(sql, SearchPath::Pinned, link.client.prepare(sql)).await.map(|_| ())
    }

    /// Connections that the server still has for ordinary roles.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    pub async fn free_slots(&self) -> Result<usize> {
        let rows = self.query(include_str!("free_slots.sql"), &[]).await?;
        let free = rows.iter().map(|row| row.get::<_, i64>("free")).min();
        Ok(free.and_then(|free| usize::try_from(free).ok()).unwrap_or(0))
    }

    /// Refuses a role, a database or a server that allows too few connections for any load: waiting would not help.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Target`] with the limit, and the statement that raises it.
    pub(crate) async fn require_connections(&self) -> Result<()> {
        let rows = self.query(include_str!("free_slots.sql"), &[]).await?;
        let Some(least) = rows.first().filter(|row| row.get::<_, i64>("most") < CONNECTIONS_MIN) else { return Ok(()) };
        let (what, name, most) =
            (least.get::<_, &str>("what"), least.get::<_, &str>("name"), least.get::<_, i64>("most"));
        let name = quote_identifier(name);
        let (whose, raise) = match what {
            "server" => ("the server".to_owned(), "raise max_connections on the server".to_owned()),
            _ => (format!("{what} {name}"), format!("raise it: `alter {what} {name} connection limit 8`")),
        };
        let connections = if most == 1 { "1 connection".to_owned() } else { format!("{most} connections") };
        let message = format!(
            "{whose} may have {connections}, and a load needs {CONNECTIONS_MIN} at least: one for the run, and one that loads"
        );
        Err(Error::new(ErrorKind::Target, message)
            .with_hint(format!("{raise}; a load takes --workers and up to three more")))
    }

    /// Refuses a database that keeps bytes without saying what they mean: lengths would be counted in bytes there, and
    /// nothing would check them.
    pub(crate) async fn require_encoding(&self) -> Result<String> {
        let row = self.query_one("select current_setting('server_encoding')", &[]).await?;
        match row.get::<_, String>(0) {
            encoding if encoding != "SQL_ASCII" => Ok(encoding),
            encoding => Err(Error::new(
                ErrorKind::Schema,
                format!("the database has the encoding {encoding}, which says nothing of what its texts are"),
            )
            .with_hint("load into a database with an encoding of its own, best of all UTF8: create database … encoding 'UTF8' template template0")),
        }
    }

    /// The server's version as a number, such as 150018, refused where it is too old for the ledger.
    pub(crate) async fn require_version(&self) -> Result<()> {
        let row = self.query_one("select current_setting('server_version_num')::int", &[]).await?;
        let version: i32 = row.get(0);
        if version >= 130_000 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Target,
            format!("the server is version {}, and 13 is the oldest that works", version / 10_000),
        )
        .with_hint("the ledger needs 64-bit transaction ids, which PostgreSQL 13 brought"))
    }
}

fn storable(text: &str, is_utf8: bool) -> String {
    let mut stored = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\0' => stored.push_str("\\0"),
            _ if is_utf8 || letter.is_ascii() => stored.push(letter),
            _ => stored.extend(letter.escape_unicode()),
        }
    }
    stored
}

/// Transaction ids as a literal that compares with `xmin`, which holds their low 32 bits; under any search path.
pub(crate) fn xid_array(xids: &[u64]) -> String {
    let mut text = String::from("'{");
    for (i, xid) in xids.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(text, "{comma}{}", xid & u64::from(u32::MAX)).expect("a String takes any text");
    }
    text.push_str("}'::pg_catalog.xid[]");
    text
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod on_servers;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_brought_to_letters_that_the_database_has() {
        assert_eq!(storable("表é\0x", true), "表é\\0x");
        assert_eq!(storable("表é\0x", false), "\\u{8868}\\u{e9}\\0x");
    }

    #[test]
    fn transaction_ids_are_cut_to_the_32_bits_that_xmin_holds() {
        assert_eq!(xid_array(&[7, (1 << 32) + 9]), "'{7,9}'::pg_catalog.xid[]");
    }
}
