//! Failpoints: named places where a test makes a loader fail, die or stand still; compiled out unless the feature
//! `failpoints` is on.
//!
//! With the feature, the variable `FAILPOINTS` says what happens where, in the grammar of the crate `fail`:
//! `FAILPOINTS='mid-copy=2*off->1*return(error)'` fails the third time that `mid-copy` is passed, and never again.
//!
//! | action | what the loader does there |
//! | --- | --- |
//! | `return(error)` | fails as if the connection was lost, so that it tries again where that can help |
//! | `return(kill)` | is gone at once, with nothing cleaned up: as by `kill -9` |
//! | `return(stop)` | stands still with all its threads, as by `kill -STOP`, until somebody sends `CONT` |
//! | `panic` | panics |
//! | `sleep(ms)` | holds up the thread that it runs on |

use crate::error::Result;

/// Passes the place called `point`, where a test may want something to happen.
///
/// # Errors
///
/// [`crate::ErrorKind::Connection`] if `FAILPOINTS` says `return(error)` of it.
#[cfg(feature = "failpoints")]
pub(crate) fn hit(point: &str) -> Result<()> {
    struck::read_environment();
    fail::fail_point!(point, |what| struck::act(point, what.as_deref()));
    Ok(())
}

/// Passes the place called `point`. Nothing can happen there.
///
/// # Errors
///
/// None: the signature is that of the feature.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
#[expect(clippy::inline_always, clippy::unnecessary_wraps, reason = "not even the point's name is to be in the binary")]
pub(crate) fn hit(_point: &str) -> Result<()> {
    Ok(())
}

#[cfg(feature = "failpoints")]
mod struck {
    use std::sync::Once;

    use crate::error::{Error, ErrorKind, Result};

    /// Reads `FAILPOINTS`, once. The library does it, so that its users' tests have the points too.
    pub(super) fn read_environment() {
        static READ: Once = Once::new();
        // A scenario ends when it is dropped; this one lasts as long as the process.
        READ.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    }

    /// Does what stands in the parentheses of `return`, and says so: a test must know that it struck.
    pub(super) fn act(point: &str, what: Option<&str>) -> Result<()> {
        let what = what.unwrap_or_default();
        tracing::warn!("failpoint {point}: {what}");
        match what {
            "error" => Err(Error::new(ErrorKind::Connection, format!("failpoint {point}"))),
            // No unwinding, no destructors, no words to the server: the kernel closes what is open.
            "kill" => std::process::abort(),
            "stop" => stand_still(),
            _ => panic!("failpoint {point} can return error, kill or stop, and not {what:?}"),
        }
    }

    fn stand_still() -> Result<()> {
        let process = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-STOP", &process]).status();
        // The signal is for some thread of the process, which may get to it later than this one would go on.
        std::thread::sleep(std::time::Duration::from_millis(300));
        sent.map(drop).map_err(|error| Error::new(ErrorKind::Internal, "kill -STOP").with_source(error))
    }
}
