//! A private, throw-away `PostgreSQL` server, for the demo and for the tests.
//!
//! It runs from the installed server programs in a temporary folder, listens on a Unix socket inside that folder, and
//! is stopped and removed when dropped. A guard process, which outlives a `kill -9` of this one, does the same when
//! the pipe to it closes. The tests' harness includes this file by path, so it knows only std and tempfile.
//!
//! `fsync` is off: the data is worth nothing once the server is gone, and what the demo and the tests kill is the
//! loader, or the server's processes, never the machine's power.

mod account;
mod install;
mod programs;

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use account::Account;
use programs::Programs;

/// The result of everything here that can fail.
pub(crate) type Result<T, E = ServerFault> = std::result::Result<T, E>;

/// A running private server; stopped and removed when dropped.
pub(crate) struct Server {
    programs: Programs,
    account: Option<Account>,
    port: u16,
    listens: bool,
    guard: Child,
    // Last, so that the folder goes after everything that uses it.
    folder: TempDir,
}

/// How the server is brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Open transactions are rolled back, and a clean shutdown follows.
    Fast,
    /// As a crash: every process ends at once, and the next start recovers from the log.
    Immediate,
}

/// Why there is no private server.
#[derive(Debug)]
pub(crate) enum ServerFault {
    /// No server programs were found; the text has the command that installs them.
    NotInstalled(String),
    /// The operating system refused something.
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        error: io::Error,
    },
    /// A server program failed.
    Program {
        /// Its name.
        name: String,
        /// What it printed.
        output: String,
    },
}

/// Port in the name of the socket where the server does not listen on TCP: the folder is private, so any would do.
const SOCKET_PORT: u16 = 5432;

/// A port may be taken after it was seen free and before the server has it; so it is tried again this often.
const LISTEN_ATTEMPTS: u32 = 4;

/// Longest folder that leaves room for the socket's name: a socket path has at most 103 bytes on macOS, 107 on Linux.
const FOLDER_BYTES_MAX: usize = 80;

/// Waits for the pipe to close, stops the server with the rest of its arguments, and removes the folder.
const GUARD: &str = r#"trap '' HUP INT TERM; read -r _; "$@" >/dev/null 2>&1; rm -rf -- "$0""#;

/// Settings of every server: quick to start, few writes, nothing outside the folder.
const SETTINGS: &str = "\
fsync = off
full_page_writes = off
max_wal_size = '2GB'
checkpoint_timeout = '30min'
max_connections = 100
shared_buffers = '64MB'
log_min_messages = warning
timezone = 'UTC'
";

impl Server {
    /// Starts a server that listens on its socket only.
    ///
    /// # Errors
    ///
    /// If no server programs are installed, or they fail.
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Server::start`], with lines for its `postgresql.conf`.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub(crate) fn start_with(lines: &[&str]) -> Result<Self> {
        let server = Self::prepare(lines, false)?;
        server.run_server()?;
        Ok(server)
    }

    /// As [`Server::start_with`], and listens on a free port of 127.0.0.1 too, where every local user may connect.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub(crate) fn start_listening(lines: &[&str]) -> Result<Self> {
        let mut server = Self::prepare(lines, true)?;
        for attempt in 1.. {
            server.port = free_port()?;
            match server.run_server() {
                Ok(()) => break,
                Err(fault) if attempt == LISTEN_ATTEMPTS => return Err(fault),
                Err(_) => {}
            }
        }
        Ok(server)
    }

    /// URL that connects as the superuser, over the socket.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres@/postgres?host={}&port={}", self.socket_folder().display(), self.port)
    }

    /// URL that connects as the superuser, over TCP, if the server listens there.
    pub(crate) fn tcp_url(&self) -> Option<String> {
        self.listens.then(|| format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port))
    }

    /// The folder of the socket.
    pub(crate) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port, which is also in the socket's name.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Folder of the cluster's files.
    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Brings the server down; [`Server::restart`] brings it up again.
    ///
    /// # Errors
    ///
    /// If it is not running, or does not stop.
    pub(crate) fn stop(&self, mode: Stop) -> Result<()> {
        self.run("pg_ctl", ["stop", "-w", "-s", "-m", mode.word(), "-D"], &self.data_folder())
    }

    /// Brings the server down, if it is running, and up again at the same place.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub(crate) fn restart(&self, mode: Stop) -> Result<()> {
        if self.data_folder().join("postmaster.pid").exists() {
            self.stop(mode)?;
        }
        self.run_server()
    }

    /// Everything but the start of the server itself.
    fn prepare(lines: &[&str], listens: bool) -> Result<Self> {
        let programs = Programs::find()?;
        let (folder, account) = private_folder()?;
        let guard = guard(&programs, account.as_ref(), folder.path())?;
        let server = Self { programs, account, port: SOCKET_PORT, listens, guard, folder };
        let options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "-D"];
        server.run("initdb", options, &server.data_folder())?;
        server.configure(lines)?;
        Ok(server)
    }

    fn configure(&self, lines: &[&str]) -> Result<()> {
        let path = self.data_folder().join("postgresql.conf");
        let address = if self.listens { "127.0.0.1" } else { "" };
        let mut text = format!("\n{SETTINGS}listen_addresses = '{address}'\n");
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| ServerFault::io(format!("write {}", path.display()), error))
    }

    fn run_server(&self) -> Result<()> {
        let options = format!("-p {} -k {}", self.port, self.socket_folder().display());
        let log = self.log_path();
        let words = [
            OsStr::new("start"),
            "-w".as_ref(),
            "-s".as_ref(),
            "-l".as_ref(),
            log.as_os_str(),
            "-o".as_ref(),
            options.as_ref(),
            "-D".as_ref(),
        ];
        self.run("pg_ctl", words, &self.data_folder()).map_err(|fault| fault.with_log(&self.log()))
    }

    /// Runs a server program to its end, as the account that the server runs as.
    fn run<W: AsRef<OsStr>>(&self, name: &str, words: impl IntoIterator<Item = W>, last: &Path) -> Result<()> {
        let mut command = command(&self.programs.path(name), self.account.as_ref(), self.folder.path());
        command.args(words).arg(last).stdin(Stdio::null());
        let output = command.output().map_err(|error| ServerFault::io(format!("run {name}"), error))?;
        if output.status.success() {
            return Ok(());
        }
        let printed = [output.stdout, output.stderr].concat();
        Err(ServerFault::Program {
            name: name.to_owned(),
            output: String::from_utf8_lossy(&printed).trim_end().to_owned(),
        })
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: a server that is already down is what is wanted. The guard is ended first, so that it and the
        // temporary folder's own removal do not meet.
        let _ = self.stop(Stop::Immediate);
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Stop {
    fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
}

impl ServerFault {
    fn io(doing: String, error: io::Error) -> Self {
        Self::Io { doing, error }
    }

    /// Adds the end of the server's log, which says more than `pg_ctl` does.
    fn with_log(self, log: &str) -> Self {
        match self {
            Self::Program { name, output } => {
                let lines: Vec<_> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(8)..].join("\n");
                Self::Program { name, output: format!("{output}\n{last}") }
            }
            other => other,
        }
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(install) => {
                write!(f, "no PostgreSQL server programs (initdb, pg_ctl) found; install them with: {install}")
            }
            Self::Io { doing, .. } => write!(f, "cannot {doing}"),
            Self::Program { name, output } => write!(f, "{name} failed: {output}"),
        }
    }
}

impl std::error::Error for ServerFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::NotInstalled(_) | Self::Program { .. } => None,
        }
    }
}

/// A folder for a server, owned by the account that the server runs as.
fn private_folder() -> Result<(TempDir, Option<Account>)> {
    let bases = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    let fault = |error| ServerFault::io("make a temporary folder".to_owned(), error);
    let mut refusal = io::Error::new(io::ErrorKind::NotFound, "no short path that the server's account can enter");
    for base in bases.iter().filter(|base| suits(base)) {
        // Closed to everybody else: whoever can open the socket is the server's superuser.
        let private = fs::Permissions::from_mode(0o700);
        let folder = match tempfile::Builder::new().prefix("pgbackfill-").permissions(private).tempdir_in(base) {
            Ok(folder) => folder,
            Err(error) => {
                refusal = error;
                continue;
            }
        };
        let account = Account::instead_of_root(folder.path()).map_err(fault)?;
        match &account {
            Some(account) if !account::can_enter(base) => {
                refusal = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("{account} cannot enter {}", base.display()),
                );
            }
            Some(account) => {
                account.own(folder.path()).map_err(fault)?;
                return Ok((folder, Some(account.clone())));
            }
            None => return Ok((folder, None)),
        }
    }
    Err(fault(refusal))
}

/// Whether `base` is short enough for sockets and needs no quoting in URLs and server settings.
fn suits(base: &Path) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    base.is_absolute()
        && base.to_str().is_some_and(|text| text.len() <= FOLDER_BYTES_MAX - 20 && text.bytes().all(plain))
}

/// Starts the process that cleans up after a `kill -9` of this one.
fn guard(programs: &Programs, account: Option<&Account>, folder: &Path) -> Result<Child> {
    command(Path::new("/bin/sh"), account, Path::new("/"))
        .args(["-c", GUARD])
        .arg(folder)
        .arg(programs.path("pg_ctl"))
        .args(["stop", "-w", "-m", "immediate", "-D"])
        .arg(folder.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A group of its own, so that Ctrl-C in the terminal does not reach it.
        .process_group(0)
        .spawn()
        .map_err(|error| ServerFault::io("start the server's guard".to_owned(), error))
}

/// A command that nothing in the user's environment can divert to another server or another language.
fn command(program: &Path, account: Option<&Account>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| ServerFault::io("find a free port".to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    /// Whether a server answers on the socket: it replies `N` or `S` to a request for TLS.
    fn answers(server: &Server) -> bool {
        let path = server.socket_folder().join(format!(".s.PGSQL.{}", server.port()));
        let Ok(mut stream) = UnixStream::connect(path) else { return false };
        let mut reply = [0];
        let request = [0, 0, 0, 8, 4, 210, 22, 47];
        stream.write_all(&request).is_ok() && stream.read_exact(&mut reply).is_ok() && b"NS".contains(&reply[0])
    }

    #[test]
    fn a_server_starts_restarts_and_leaves_nothing_behind() {
        let server = Server::start_with(&["work_mem = '5MB'"]).unwrap();
        let folder = server.socket_folder().to_owned();
        assert!(answers(&server));
        server.stop(Stop::Fast).unwrap();
        assert!(!answers(&server));
        server.restart(Stop::Immediate).unwrap();
        assert!(answers(&server));
        server.restart(Stop::Immediate).unwrap();
        assert!(answers(&server));
        assert!(server.tcp_url().is_none());
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o077, 0);
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn a_listening_server_has_a_port_of_its_own() {
        let server = Server::start_listening(&[]).unwrap();
        assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_ok());
        assert!(server.tcp_url().unwrap().contains(&format!(":{}/", server.port())));
    }

    #[test]
    fn the_guard_cleans_up_when_the_owner_is_gone() {
        let mut server = Server::start().unwrap();
        let folder = server.socket_folder().to_owned();
        // What a kill -9 of this process does to the guard: its pipe closes.
        drop(server.guard.stdin.take());
        server.guard.wait().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_wrong_setting_is_told_with_the_servers_own_words() {
        let fault = Server::start_with(&["work_mem = 'much'"]).err().unwrap().to_string();
        assert!(fault.contains("work_mem"), "{fault}");
    }

    #[test]
    fn a_long_or_odd_folder_is_not_used() {
        assert!(suits(Path::new("/tmp")));
        assert!(!suits(Path::new("/tmp/with space")));
        assert!(!suits(Path::new(&format!("/{}", "a".repeat(90)))));
    }
}
