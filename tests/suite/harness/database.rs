//! One server for all tests of the process, and a database for each test.
//!
//! The server needs no end of its own: its guard process stops it and removes its folder when the pipe to it closes, which
//! the end of this process does, however it comes.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::server::Server;

/// Tests run side by side, and each may have two loaders and some sessions of its own.
const SETTINGS: [&str; 2] = ["max_connections = 300", "autovacuum = off"];

/// Longer than anything waited for takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database that lasts as long as its test.
pub(crate) struct Database {
    session: Session,
    name: String,
    server: &'static Server,
}

/// A connection, for a test that needs more than one.
pub(crate) struct Session(Client);

/// A server for tests that bring it down; it ends with the process too.
pub(crate) fn start_server() -> &'static Server {
    let server = Server::start_with(&SETTINGS).unwrap_or_else(|fault| panic!("the tests need PostgreSQL: {fault}"));
    Box::leak(Box::new(server))
}

fn shared_server() -> &'static Server {
    static SERVER: OnceLock<Result<&'static Server, String>> = OnceLock::new();
    let started = SERVER.get_or_init(|| match Server::start_with(&SETTINGS) {
        Ok(server) => Ok(Box::leak(Box::new(server))),
        Err(fault) => Err(fault.to_string()),
    });
    started.as_ref().unwrap_or_else(|fault| panic!("the tests need PostgreSQL: {fault}"))
}

/// Runs a future of the library to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// The runtime of all sessions: tests themselves are plain functions.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be started")
    })
}

impl Database {
    /// A new database on the server that all tests share.
    pub(crate) fn new() -> Self {
        Self::on(shared_server())
    }

    /// A new database that keeps its text in `encoding`.
    pub(crate) fn with_encoding(encoding: &str) -> Self {
        Self::create(shared_server(), &format!("encoding '{encoding}' lc_collate 'C' lc_ctype 'C'"))
    }

    /// A new database on `server`.
    pub(crate) fn on(server: &'static Server) -> Self {
        Self::create(server, "")
    }

    fn create(server: &'static Server, options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Session::open(server, "postgres", "postgres")
            .sql(&format!("create database {name} template template0 {options}"));
        Self { session: Session::open(server, &name, "postgres"), name, server }
    }

    /// A new database in which `statements` were run.
    pub(crate) fn with(statements: &str) -> Self {
        let database = Self::new();
        database.sql(statements);
        database
    }

    /// A database that is there already, over a connection of this day: a server that was restarted has ended the old one.
    pub(crate) fn attach(server: &'static Server, name: &str) -> Self {
        Self { session: Session::open(server, name, "postgres"), name: name.to_owned(), server }
    }

    /// Socket folder and port of its server.
    pub(crate) fn address(&self) -> (String, u16) {
        (self.server.socket_folder().display().to_string(), self.server.port())
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What `--target` takes.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The same for another role.
    pub(crate) fn url_of(&self, role: &str) -> String {
        let (folder, port) = (self.server.socket_folder().display(), self.server.port());
        format!("postgresql://{role}@/{}?host={folder}&port={port}", self.name)
    }

    /// Another connection to it.
    pub(crate) fn connect(&self) -> Session {
        self.connect_as("postgres")
    }

    /// The same as another role.
    pub(crate) fn connect_as(&self, role: &str) -> Session {
        Session::open(self.server, &self.name, role)
    }

    /// The same, while the server may be down.
    pub(crate) fn try_connect(&self) -> Result<Session, tokio_postgres::Error> {
        Session::try_open(self.server, &self.name, "postgres")
    }

    /// It, over a connection of now, for when the server has ended the first.
    pub(crate) fn reconnect(&mut self) {
        self.session = self.connect();
    }

    /// What the library connects with.
    pub(crate) fn settings(&self) -> pgbackfill::ConnectSettings {
        pgbackfill::ConnectSettings::resolve(Some(&self.url()), &|_| None).expect("it is a good URL")
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            if Instant::now() >= until {
                let sessions = "select application_name, state, wait_event, query from pg_stat_activity
                                 where datname = current_database()";
                panic!("waited in vain until {what}, in {}: {:#?}", self.name, self.rows(sessions));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until no loader has a session: the server ends that of a killed one when it next looks at the connection.
    #[track_caller]
    pub(crate) fn wait_until_alone(&self) {
        let sessions = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'pgbackfill%'";
        self.wait_until("no loader has a session", || self.one(sessions) == "0");
    }

    /// Panics unless `left` and `right`, relations or parenthesised queries, hold the same rows, each as often.
    ///
    /// Rows are compared as the server prints them, which tells 1.0 from 1.00 and works for types without equality.
    #[track_caller]
    pub(crate) fn assert_same(&self, left: &str, right: &str) {
        let rows = |of: &str| format!("select r::text as row from {of} r");
        let (left_rows, right_rows) = (rows(left), rows(right));
        let only = |one: &str, other: &str| self.rows(&format!("({one} except all {other}) order by 1 limit 5"));
        let (only_left, only_right) = (only(&left_rows, &right_rows), only(&right_rows, &left_rows));
        let counts = self.rows(&format!("select (select count(*) from {left} r), (select count(*) from {right} r)"));
        assert!(
            only_left.is_empty() && only_right.is_empty(),
            "{left} and {right} differ; rows: {counts:?}\nonly in {left}: {only_left:#?}\nonly in {right}: {only_right:#?}"
        );
    }
}

impl std::ops::Deref for Database {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Best effort: the server goes with the process anyway, and one that a test left stopped cannot be asked.
        let drop = format!("drop database if exists {} with (force)", self.name);
        if let Ok(session) = Session::try_open(self.server, "postgres", "postgres") {
            let _ = runtime().block_on(session.0.batch_execute(&drop));
        }
    }
}

impl Session {
    fn open(server: &Server, database: &str, role: &str) -> Self {
        Self::try_open(server, database, role).expect("the server takes connections")
    }

    fn try_open(server: &Server, database: &str, role: &str) -> Result<Self, tokio_postgres::Error> {
        Self::try_open_at(server.socket_folder(), server.port(), database, role)
    }

    /// Connects to whatever listens at this socket.
    pub(crate) fn try_open_at(
        folder: &Path,
        port: u16,
        database: &str,
        role: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(folder).port(port).user(role).dbname(database).application_name("test");
        let (client, connection) = runtime().block_on(config.connect(NoTls))?;
        runtime().spawn(connection);
        Ok(Self(client))
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) {
        self.try_sql(statements).unwrap_or_else(|error| panic!("{error:?}\n{statements}"));
    }

    /// Runs statements that may fail.
    pub(crate) fn try_sql(&self, statements: &str) -> Result<(), tokio_postgres::Error> {
        runtime().block_on(self.0.batch_execute(statements))
    }

    /// The rows of a query, each as the texts of its fields with `|` between them; null is `null`.
    #[track_caller]
    pub(crate) fn rows(&self, query: &str) -> Vec<String> {
        let messages =
            runtime().block_on(self.0.simple_query(query)).unwrap_or_else(|error| panic!("{error:?}\n{query}"));
        let mut rows = Vec::new();
        for message in messages {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let fields: Vec<&str> = (0..row.len()).map(|i| row.get(i).unwrap_or("null")).collect();
            rows.push(fields.join("|"));
        }
        rows
    }

    /// The only row of a query.
    #[track_caller]
    pub(crate) fn one(&self, query: &str) -> String {
        let mut rows = self.rows(query);
        assert_eq!(rows.len(), 1, "{query}");
        rows.remove(0)
    }

    /// The number of rows of a table, or of `table where …`.
    #[track_caller]
    pub(crate) fn count(&self, table: &str) -> u64 {
        self.one(&format!("select count(*) from {table}")).parse().expect("a count is a number")
    }

    /// What `copy … to stdout` sends.
    #[track_caller]
    pub(crate) fn copy_out(&self, statement: &str) -> Vec<u8> {
        let sent: Result<Vec<Bytes>, _> =
            runtime().block_on(async { self.0.copy_out(statement).await?.try_collect().await });
        sent.unwrap_or_else(|error: tokio_postgres::Error| panic!("{error:?}\n{statement}")).concat()
    }

    /// `\copy`: the oracle. `options` as in `copy … with (…)`, beside the format.
    #[track_caller]
    pub(crate) fn copy_csv(&self, table: &str, options: &str, csv: &[u8]) {
        self.try_copy_csv(table, options, csv).unwrap_or_else(|error| panic!("copy into {table}: {error:?}"));
    }

    /// `\copy` of what the server may refuse.
    pub(crate) fn try_copy_csv(&self, table: &str, options: &str, csv: &[u8]) -> Result<u64, tokio_postgres::Error> {
        let mut statement = format!("copy {table} from stdin with (format csv");
        if !options.is_empty() {
            write!(statement, ", {options}").expect("a String takes any text");
        }
        statement.push(')');
        runtime().block_on(async {
            let mut sink = Box::pin(self.0.copy_in::<_, Bytes>(&statement).await?);
            for chunk in csv.chunks(1 << 20) {
                sink.send(Bytes::copy_from_slice(chunk)).await?;
            }
            sink.as_mut().finish().await
        })
    }
}
