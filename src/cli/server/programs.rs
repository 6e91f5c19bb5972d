//! Where the installed server programs are.
//!
//! Most packages keep them off the `PATH`, one folder for each major version.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, ServerFault, install};

/// A folder that holds `initdb`, `pg_ctl` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    folder: PathBuf,
}

/// Folders with one folder for each version in them, and where the programs are in such a one.
const VERSIONED: [(&str, &str, &str); 8] = [
    // Debian and its kin; SUSE; the packages of postgresql.org for Red Hat's kin.
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr", "pgsql-", "bin"),
    // Alpine, Homebrew on Apple silicon, on Intel and on Linux, and Postgres.app.
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

impl Programs {
    /// The programs first on the `PATH`, else those that `pg_config` names, else the highest version installed.
    pub(super) fn find() -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        on_path(&path)
            .or_else(|| told_by_pg_config().filter(|folder| is_complete(folder)))
            .or_else(|| VERSIONED.iter().find_map(|(base, prefix, tail)| highest(Path::new(base), prefix, tail)))
            .map(|folder| Self { folder })
            .ok_or_else(|| ServerFault::NotInstalled(install::command()))
    }

    /// Path of the program called `name`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn on_path(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).find(|folder| folder.is_absolute() && is_complete(folder))
}

fn told_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim_end()))
}

/// Of the folders in `base` whose names are `prefix` and a version, the complete one with the highest version.
fn highest(base: &Path, prefix: &str, tail: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(base).ok()?;
    entries
        .flatten()
        .filter_map(|entry| {
            Some((version(entry.file_name().to_str()?.strip_prefix(prefix)?)?, entry.path().join(tail)))
        })
        .filter(|(_, folder)| is_complete(folder))
        .max()
        .map(|(_, folder)| folder)
}

/// `15`, `9.6`, `@17` and nothing at all, as numbers to compare; `None` for another word.
fn version(text: &str) -> Option<Vec<u32>> {
    let digits = text.trim_start_matches('@');
    if digits.is_empty() {
        return Some(Vec::new());
    }
    digits.split('.').map(|part| part.parse().ok()).collect()
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for name in ["initdb", "pg_ctl", "postgres"] {
            fs::write(folder.join(name), "").unwrap();
        }
    }

    #[test]
    fn the_highest_version_is_taken_by_number_and_only_if_it_has_a_server() {
        let base = tempfile::tempdir().unwrap();
        install(&base.path().join("9.6/bin"));
        install(&base.path().join("15/bin"));
        fs::create_dir_all(base.path().join("17/bin")).unwrap();
        install(&base.path().join("odd/bin"));
        assert_eq!(highest(base.path(), "", "bin"), Some(base.path().join("15/bin")));
    }

    #[test]
    fn a_prefix_and_an_at_sign_are_understood() {
        let base = tempfile::tempdir().unwrap();
        install(&base.path().join("postgresql@9.6/bin"));
        install(&base.path().join("postgresql@16/bin"));
        install(&base.path().join("mysql@20/bin"));
        assert_eq!(highest(base.path(), "postgresql", "bin"), Some(base.path().join("postgresql@16/bin")));
    }

    #[test]
    fn a_client_alone_on_the_path_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        let (client, server) = (base.path().join("client"), base.path().join("server"));
        fs::create_dir_all(&client).unwrap();
        fs::write(client.join("pg_ctl"), "").unwrap();
        install(&server);
        let path = std::env::join_paths([&client, &server]).unwrap();
        assert_eq!(on_path(&path), Some(server));
    }
}
