//! Ctrl-C: once, and the run stops after its running batches; twice, and it stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pgbackfill::{Event, Observer, Stop};

use super::exit;

/// The exit code of the signal that came; 0 if none did.
#[derive(Clone, Default)]
pub(crate) struct Signalled(Arc<AtomicU8>);

impl Signalled {
    pub(crate) fn code(&self) -> Option<u8> {
        Some(self.0.load(Ordering::SeqCst)).filter(|code| *code != 0)
    }
}

/// Listens for SIGINT and SIGTERM for as long as the program runs.
pub(crate) fn listen(stop: &Stop, observer: &Arc<dyn Observer>) -> anyhow::Result<Signalled> {
    let signalled = Signalled::default();
    let (stop, observer, seen) = (stop.clone(), Arc::clone(observer), signalled.clone());
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let code = signals.next().await;
        seen.0.store(code, Ordering::SeqCst);
        observer.observe(&Event::Stopping);
        stop.request();
        let code = signals.next().await;
        std::process::exit(i32::from(code));
    });
    Ok(signalled)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => exit::INTERRUPTED,
            _ = self.terminate.recv() => exit::TERMINATED,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> u8 {
        // Where there is no Ctrl-C to listen for, none comes.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        exit::INTERRUPTED
    }
}
