//! The start of the program: what the system must grant before anything runs.

use std::fs::File;

use pgbackfill::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

/// Threads that drive sockets: they copy bytes and wait, so two serve many connections.
const IO_THREADS: usize = 2;

/// Files that have to be free: five for the runtime and its signals, and some for connections, objects and a spool. The
/// runtime does not report that its signals got none; it panics.
const HANDLES_MIN: usize = 12;

/// The number of SIGXFSZ on Linux, the BSDs and macOS.
#[cfg(unix)]
const FILE_TOO_LARGE: i32 = 25;

/// The runtime that drives all input and output.
///
/// # Errors
///
/// [`ErrorKind::Limit`] if the system grants too few files or threads.
pub(crate) fn runtime() -> Result<Runtime> {
    check_handles()?;
    let runtime = Builder::new_multi_thread().worker_threads(IO_THREADS).enable_all().build().map_err(|error| {
        Error::new(ErrorKind::Limit, "the threads that drive connections cannot be started")
            .with_source(error)
            .with_hint("allow this process more open files (`ulimit -n 1024`) and more processes (`ulimit -u`)")
    })?;
    survive_file_limit(&runtime);
    Ok(runtime)
}

fn check_handles() -> Result<()> {
    let mut opened = Vec::new();
    while opened.len() < HANDLES_MIN {
        match File::open("/dev/null") {
            Ok(file) => opened.push(file),
            // EMFILE and ENFILE, the same on every Unix. Anything else says nothing of limits.
            Err(error) if cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24)) => {
                let message =
                    format!("this process may open {} more files, and needs at least {HANDLES_MIN}", opened.len());
                return Err(Error::new(ErrorKind::Limit, message)
                    .with_source(error)
                    .with_hint("allow it more open files: `ulimit -n 1024`"));
            }
            Err(_) => break,
        }
    }
    Ok(())
}

/// Makes a write past the limit on the size of files (`ulimit -f`) an error of that write, which says what to do about it. By
/// default the signal that comes with it ends the process.
#[cfg(unix)]
fn survive_file_limit(runtime: &Runtime) {
    use tokio::signal::unix::{SignalKind, signal};
    let _entered = runtime.enter();
    // The handler stays for as long as the process lives. Without it the signal has its default effect, as before.
    let _ = signal(SignalKind::from_raw(FILE_TOO_LARGE));
}

#[cfg(not(unix))]
fn survive_file_limit(_: &Runtime) {}
