//! Runs the real binary, to its end or step by step.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Database;

/// Longer than any run of the suite takes on a busy machine: a run that hangs fails its test.
const DEADLINE: Duration = Duration::from_secs(120);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; minus the signal's number where one ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A run under way. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

/// Runs `pgbackfill` with the words of `line`, split as a shell splits plain and single-quoted words.
#[track_caller]
pub(crate) fn run(database: &Database, line: &str) -> Output {
    start(database, line).finish()
}

/// Runs `pgbackfill` with exactly these arguments.
#[track_caller]
pub(crate) fn run_args(database: &Database, arguments: &[&str]) -> Output {
    spawn(&database.url(), arguments, &[]).finish()
}

/// Runs `pgbackfill` as another role.
#[track_caller]
pub(crate) fn run_as(database: &Database, role: &str, line: &str) -> Output {
    spawn(&database.url_of(role), &words(line), &[]).finish()
}

/// Starts `pgbackfill` as another role.
#[track_caller]
pub(crate) fn start_as(database: &Database, role: &str, line: &str) -> Running {
    spawn(&database.url_of(role), &words(line), &[])
}

/// Runs `pgbackfill` with variables in its environment, beside the one that names the target; an empty one is taken out.
#[track_caller]
pub(crate) fn run_with(database: &Database, environment: &[(&str, &str)], line: &str) -> Output {
    spawn(&database.url(), &words(line), environment).finish()
}

/// Runs `pgbackfill` with another target than a database itself, such as a pooler before it.
#[track_caller]
pub(crate) fn run_at(target: &str, line: &str) -> Output {
    start_at(target, line).finish()
}

/// Starts `pgbackfill` with another target than a database itself.
#[track_caller]
pub(crate) fn start_at(target: &str, line: &str) -> Running {
    spawn(target, &words(line), &[])
}

/// Starts `pgbackfill` with the words of `line`.
#[track_caller]
pub(crate) fn start(database: &Database, line: &str) -> Running {
    spawn(&database.url(), &words(line), &[])
}

/// Starts `pgbackfill` with variables in its environment.
#[cfg(feature = "failpoints")]
#[track_caller]
pub(crate) fn start_with(database: &Database, environment: &[(&str, &str)], line: &str) -> Running {
    spawn(&database.url(), &words(line), environment)
}

/// The program where no build script names it: an example is not told where the binary is.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Runs `path` from now on.
#[allow(dead_code, reason = "only examples have to name the program")]
pub(crate) fn use_binary(path: PathBuf) {
    BINARY.set(path).expect("the program is named once");
}

fn binary() -> &'static Path {
    let told = option_env!("CARGO_BIN_EXE_pgbackfill");
    BINARY.get_or_init(|| told.map(PathBuf::from).expect("a test is told where the binary is"))
}

/// A command that nothing in the environment of the tests can divert.
fn command(target: &str) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        let name_bytes = name.as_encoded_bytes();
        if name_bytes.starts_with(b"PG") || name_bytes == b"DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.env("PGBACKFILL_TARGET", target).env("NO_COLOR", "1");
    command
}

fn spawn(target: &str, arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> Running {
    let mut command = command(target);
    for (name, value) in environment {
        if value.is_empty() {
            command.env_remove(name)
        } else {
            command.env(name, value)
        };
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary is built before its tests");
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        // A test that has seen enough no longer listens.
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let stderr = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = BufReader::new(stderr).read_to_string(&mut text);
        text
    });
    Running { child, lines, seen: Vec::new(), stderr: Some(stderr) }
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn count_events<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> usize {
    let text = format!("{{\"event\":\"{name}\"");
    lines.filter(|line| line.starts_with(&text)).count()
}

impl Running {
    /// Waits for the first event, from here on, that `wanted` accepts; needs `--json`. `None` where the run ended first.
    #[track_caller]
    pub(crate) fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let until = Instant::now() + DEADLINE;
        loop {
            let line = match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no such event; seen so far: {:#?}", self.seen),
            };
            let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            self.seen.push(line);
            if wanted(&event) {
                return Some(event);
            }
        }
    }

    /// Waits for the next event called `name`.
    #[track_caller]
    pub(crate) fn event_named(&mut self, name: &str) -> Option<Value> {
        self.event(|event| event["event"] == name)
    }

    /// How many events called `name` have come by now; needs `--json`.
    pub(crate) fn heard(&mut self, name: &str) -> usize {
        self.seen.extend(self.lines.try_iter());
        count_events(self.seen.iter().map(String::as_str), name)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `INT`. After `STOP`, no thread of the program runs any more.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.expect("there is a shell").success(), "no process takes the signal");
        // The kernel wakes one thread to stop the others, which on a busy machine still run for a moment.
        while name == "STOP" && self.has_running_threads() {
            std::thread::yield_now();
        }
    }

    /// Whether a thread is neither stopped nor gone; always false where there is no `/proc`.
    fn has_running_threads(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return false };
        let stats = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
        let state = |stat: &str| stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        stats.into_iter().any(|stat| !matches!(state(&stat), Some('T' | 'Z' | 'X') | None))
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(mut self) -> Output {
        // A process that has ended by itself is past being killed.
        let _ = self.child.kill();
        self.finish()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.stderr.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let status = self.wait();
        let mut lines = std::mem::take(&mut self.seen);
        lines.extend(self.lines.iter());
        let stdout = lines.iter().flat_map(|line| [line, "\n"]).collect();
        let stderr = self.stderr.take().expect("it is taken once").join().expect("reading does not panic");
        let code = status.code().or(status.signal().map(|signal| -signal)).expect("it has ended");
        Output { code, stdout, stderr }
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < until, "the run hangs; seen so far: {:#?}", self.seen);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    /// Panics unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics unless stderr holds every one of `texts`.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "stderr lacks {text:?}:\n{}", self.stderr);
        }
        self
    }

    /// Panics unless stdout holds every one of `texts`.
    #[track_caller]
    pub(crate) fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "stdout lacks {text:?}:\n{}", self.stdout);
        }
        self
    }

    /// Every line of stdout as JSON.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Those of the events that are called `name`.
    #[track_caller]
    pub(crate) fn events_named(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == name).collect()
    }

    /// How many events are called `name`, in the output of a run that may have been killed while it wrote.
    pub(crate) fn count_of(&self, name: &str) -> usize {
        count_events(self.stdout.lines(), name)
    }

    /// The summary at the end of a load with `--json`.
    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        self.events_named("finished").pop().unwrap_or_else(|| panic!("no summary: {self:?}"))
    }

    /// The only line of stdout, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
