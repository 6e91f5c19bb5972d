//! The account that a private server runs as: `PostgreSQL` refuses to run as root.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

/// An account without privileges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Accounts to run as instead of root, best first: what a packaged server runs as, then one that every system has.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

impl Account {
    /// The account to run as if this process, which has just made `folder`, runs as root.
    pub(super) fn instead_of_root(folder: &Path) -> io::Result<Option<Self>> {
        if fs::metadata(folder)?.uid() != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        CANDIDATES.iter().find_map(|name| Self::find(name, &accounts)).map(Some).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "no account postgres or nobody to run the server as instead of root",
            )
        })
    }

    /// The account called `name` in the lines of `/etc/passwd`.
    fn find(name: &str, accounts: &str) -> Option<Self> {
        let line = accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut fields = line.split(':').skip(1);
        let uid = fields.next()?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), uid, gid })
    }

    /// Gives `folder` to the account.
    pub(super) fn own(&self, folder: &Path) -> io::Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether any account can pass through `folder` and the folders above it.
pub(super) fn can_enter(folder: &Path) -> bool {
    folder.ancestors().all(|part| fs::metadata(part).is_ok_and(|it| it.permissions().mode() & 0o001 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7::/:/bin/sh\npostgres:x:101:104:,,,:/var:/bin/bash\n";
        let account = Account::find("postgres", accounts).unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert_eq!(Account::find("nobody", accounts), None);
    }

    #[test]
    fn a_private_folder_cannot_be_entered() {
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        assert!(!can_enter(folder.path()));
        assert!(can_enter(Path::new("/")));
    }
}
