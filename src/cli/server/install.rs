//! The command that installs `PostgreSQL` on this system.

use std::fs;

/// The command for this system, as the person would type it.
pub(super) fn command() -> String {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17".to_owned();
    }
    let release = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    command_for(&release.unwrap_or_default(), is_root())
}

/// The command for a system described by the text of its `/etc/os-release`.
fn command_for(release: &str, root: bool) -> String {
    let families = ["ID", "ID_LIKE"].map(|key| field(release, key));
    let found = families.iter().flat_map(|words| words.split_whitespace()).find_map(package_command);
    match found {
        None => "your package manager (see https://www.postgresql.org/download/)".to_owned(),
        Some(commands) if root => commands.join(" && "),
        Some(commands) => commands.iter().map(|it| format!("sudo {it}")).collect::<Vec<_>>().join(" && "),
    }
}

/// The commands for a distribution, by the name that it or its parent goes by.
fn package_command(id: &str) -> Option<&'static [&'static str]> {
    Some(match id {
        // A fresh container has no package lists yet.
        "debian" | "ubuntu" => &["apt-get update", "apt-get install -y postgresql"],
        "fedora" | "rhel" | "centos" | "rocky" | "almalinux" | "amzn" => &["dnf install -y postgresql-server"],
        "arch" => &["pacman -S --noconfirm postgresql"],
        "alpine" => &["apk add postgresql"],
        "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" | "sles" => {
            &["zypper install -y postgresql-server"]
        }
        "freebsd" => &["pkg install -y postgresql17-server"],
        _ => return None,
    })
}

fn field<'a>(release: &'a str, key: &str) -> &'a str {
    release
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map_or("", |value| value.trim().trim_matches(['"', '\'']))
}

/// Whether this process is root's, as far as the owner of its entry under `/proc` tells.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_own_command() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n";
        assert_eq!(command_for(debian, true), "apt-get update && apt-get install -y postgresql");
        assert_eq!(command_for(debian, false), "sudo apt-get update && sudo apt-get install -y postgresql");
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert_eq!(command_for(rocky, true), "dnf install -y postgresql-server");
        assert_eq!(command_for("ID=arch", true), "pacman -S --noconfirm postgresql");
    }

    #[test]
    fn a_child_distribution_is_known_by_its_parent() {
        assert_eq!(command_for("ID=pop\nID_LIKE=\"ubuntu debian\"\n", true), command_for("ID=debian", true));
    }

    #[test]
    fn an_unknown_system_is_sent_to_the_download_page() {
        assert!(command_for("ID=plan9\n", true).contains("postgresql.org/download"));
    }
}
