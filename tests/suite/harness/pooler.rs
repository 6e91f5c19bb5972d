//! A `PgBouncer` in transaction mode, between loaders and a private server.
//!
//! It runs from the installed program, listens on a Unix socket beside the server's, and ends with its test: a shell that
//! started it stops it when the pipe to that closes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use super::{Database, Session};

/// A pooler in front of one database; it ends when dropped.
pub(crate) struct Pooler {
    shell: Child,
    folder: String,
    port: u16,
    database: String,
    connections: usize,
}

/// Where packages put the program; most shells have no `sbin` on their path.
const PLACES: [&str; 4] =
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];

/// Runs the program and stops it when the pipe closes.
const SHELL: &str = r#""$0" -q "$1" & read -r _; kill $!; wait"#;

impl Pooler {
    /// A pooler with so many connections to the server of `database`. `None`, said on stderr, where none is installed.
    pub(crate) fn start(database: &Database, connections: usize) -> Option<Self> {
        static PORT: AtomicU16 = AtomicU16::new(6432);
        let Some(program) = PLACES.iter().map(Path::new).find(|place| place.exists()) else {
            assert!(std::env::var_os("CI").is_none(), "pgbouncer is not installed");
            eprintln!("skipped: pgbouncer is not installed");
            return None;
        };
        let (folder, server_port) = database.address();
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(&folder).join(format!("pgbouncer-{port}.ini"));
        let settings = format!(
            "[databases]\n* = host={folder} port={server_port} user=postgres\n\
             [pgbouncer]\npool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 100\n\
             auth_type = any\nunix_socket_dir = {folder}\nlisten_port = {port}\n\
             logfile = {folder}/pgbouncer-{port}.log\npidfile = {folder}/pgbouncer-{port}.pid\n"
        );
        fs::write(&path, settings).unwrap();
        let owner = fs::metadata(&folder).unwrap();
        let mut command = Command::new("/bin/sh");
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            // It refuses to run as root, as the server does.
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.current_dir("/").args(["-c", SHELL]).arg(program).arg(&path);
        let shell = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { shell, folder, port, database: database.name().to_owned(), connections };
        database.wait_until("the pooler takes connections", || pooler.try_connect().is_some());
        Some(pooler)
    }

    /// What `--target` takes.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres@/{}?host={}&port={}", self.database, self.folder, self.port)
    }

    fn try_connect(&self) -> Option<Session> {
        Session::try_open_at(Path::new(&self.folder), self.port, &self.database, "postgres").ok()
    }

    /// What `query` gives on each of its connections to the server, asked by a client that has set nothing.
    #[track_caller]
    pub(crate) fn on_every_connection(&self, query: &str) -> Vec<String> {
        let clients: Vec<Session> = (0..self.connections).map(|_| self.try_connect().unwrap()).collect();
        // A transaction each keeps them apart.
        clients.iter().for_each(|client| client.sql("begin"));
        let answers = clients.iter().map(|client| client.one(query)).collect();
        clients.iter().for_each(|client| client.sql("commit"));
        answers
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It is gone either way.
        let _ = self.shell.wait();
    }
}
