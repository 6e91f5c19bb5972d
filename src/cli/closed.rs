//! Whether stdout was closed when the program started.
//!
//! Before `main` runs, the standard library opens `/dev/null` in the place of a closed descriptor. Results would then be
//! lost without an error. So this file looks at the descriptor earlier, from a function that the loader of the program
//! calls. It is the only file with an unsafe attribute, because no safe code runs that early.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Fails if stdout was closed when the program started.
pub(crate) fn check() -> io::Result<()> {
    match STDOUT_CLOSED.load(Ordering::Relaxed) {
        true => Err(io::Error::new(io::ErrorKind::NotConnected, "stdout is closed")),
        false => Ok(()),
    }
}

#[cfg(unix)]
extern "C" fn look() {
    let flags = rustix::io::fcntl_getfd(rustix::stdio::stdout());
    STDOUT_CLOSED.store(flags == Err(rustix::io::Errno::BADF), Ordering::Relaxed);
}

// SAFETY: the section is a list of functions without arguments that are called before `main`. This one makes one system
// call and sets one flag. It allocates nothing, cannot panic, and needs nothing that the standard library sets up.
#[cfg(unix)]
#[expect(unsafe_code, reason = "no safe code runs before the standard library replaces closed descriptors")]
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = look;
