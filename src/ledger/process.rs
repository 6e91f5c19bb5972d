//! Tells whether a process named in the ledger is still there, where this machine can know.
//!
//! A loader that was killed leaves its lease behind; on the same machine the next run need not wait for that to run out.

use std::fs;

/// The machine's name, for people.
pub(super) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(|| "unknown host".to_owned(), |name| name.trim().to_owned())
}

/// Boot, process namespace, number and start time of this process: no two processes share them.
pub(super) fn identity() -> String {
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or_default();
    format!("{}/{pid}/{start}", machine())
}

/// Whether the process of that identity ran here and is gone. A process elsewhere is never called dead.
pub(super) fn is_dead(identity: &str) -> bool {
    let mut parts = identity.rsplitn(3, '/');
    let (Some(start), Some(pid), Some(place)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(pid) = pid.parse() else {
        return false;
    };
    !start.is_empty() && place == machine() && shows_all() && start_time(pid).is_none_or(|now| now != start)
}

fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), namespace.display())
}

/// Whether processes of other users can be seen (`hidepid` of `/proc`): one that is hidden is not dead.
fn shows_all() -> bool {
    fs::read_to_string("/proc/1/stat").is_ok()
}

/// Field 22 of `/proc/PID/stat`, in clock ticks since boot; a zombie counts as gone.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (state != "Z").then(|| start.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_with_another_start_time_is_dead() {
        let own = identity();
        assert!(!is_dead(&own));
        let (place, start) = own.rsplit_once('/').unwrap();
        assert!(!start.is_empty());
        assert!(is_dead(&format!("{place}/1")));
        assert!(!is_dead("another-machine/1/1"));
    }
}
