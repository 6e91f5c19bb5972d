//! The password file, `~/.pgpass`: lines of `host:port:database:user:password`.
//!
//! As with libpq, `*` stands for anything, a backslash takes `:` and `\` literally, the first line that fits wins, and
//! a file that others may read is not used.

use std::fs;
use std::io;
use std::path::Path;

/// What a password file was found to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passfile {
    /// There is none.
    Missing,
    /// It is there and not used, for the reason given.
    Refused(String),
    /// Its text.
    Text(String),
}

/// What a line has to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Host name, address or socket folder; `localhost` for a default socket folder.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

impl Passfile {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Self {
        let refused = |why: String| Self::Refused(format!("password file {} is not used: {why}", path.display()));
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Missing,
            Err(error) => return refused(error.to_string()),
        };
        if !metadata.is_file() {
            return refused("it is not a plain file".to_owned());
        }
        if is_open_to_others(&metadata) {
            return refused(format!("others may read it; `chmod 0600 {}` mends that", path.display()));
        }
        fs::read_to_string(path).map_or_else(|error| refused(error.to_string()), Self::Text)
    }

    /// The password of the first line that fits.
    pub(super) fn find(&self, wanted: Wanted<'_>) -> Option<String> {
        let Self::Text(text) = self else { return None };
        text.lines().filter(|line| !line.starts_with('#')).find_map(|line| password_in(line, wanted))
    }
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &fs::Metadata) -> bool {
    false
}

fn password_in(line: &str, wanted: Wanted<'_>) -> Option<String> {
    let port = wanted.port.to_string();
    let mut rest = line;
    for value in [wanted.host, &port, wanted.database, wanted.user] {
        let (field, tail) = split_field(rest)?;
        if field != "*" && unescape(field) != value {
            return None;
        }
        rest = tail;
    }
    // The password ends at the next bare colon, if there is one, so that fields may be added one day.
    Some(unescape(split_field(rest).map_or(rest, |(field, _)| field)))
}

/// The field before the first colon without a backslash, still escaped, and what follows that colon.
fn split_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(field: &str) -> String {
    let mut letters = field.chars();
    let mut text = String::with_capacity(field.len());
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted { host: "db", port: 5432, database: "metrics", user: "al:ice" };

    fn find(text: &str) -> Option<String> {
        Passfile::Text(text.to_owned()).find(WANTED)
    }

    #[test]
    fn the_first_line_that_fits_wins() {
        let text =
            "# db:5432:metrics:al\\:ice:no\nother:5432:metrics:al\\:ice:no\ndb:5432:*:al\\:ice:first\n*:*:*:*:last\n";
        assert_eq!(find(text).as_deref(), Some("first"));
        assert_eq!(find("db:5433:*:*:no\n"), None);
        assert_eq!(find("db:5432:metrics\n"), None);
    }

    #[test]
    fn colons_and_backslashes_are_taken_literally_after_a_backslash() {
        assert_eq!(find(r"*:*:*:*:a\:b\\c").as_deref(), Some(r"a:b\c"));
        assert_eq!(find(r"*:*:*:*:a:b").as_deref(), Some("a"));
        assert_eq!(find("db:5432:metrics:al:ice:no"), None);
    }

    #[test]
    fn an_escaped_star_is_a_star() {
        assert_eq!(find(r"\*:*:*:*:no"), None);
    }

    #[test]
    fn a_windows_line_end_is_not_part_of_the_password() {
        assert_eq!(find("*:*:*:*:secret\r\n").as_deref(), Some("secret"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused_and_says_how_to_mend_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        assert_eq!(Passfile::read(&path), Passfile::Missing);
        fs::write(&path, "*:*:*:*:secret").unwrap();
        for (mode, used) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match Passfile::read(&path) {
                Passfile::Text(_) => assert!(used, "{mode:o}"),
                Passfile::Refused(why) => {
                    assert!(!used && why.contains("chmod 0600") && !why.contains("secret"), "{why}");
                }
                Passfile::Missing => panic!("the file is there"),
            }
        }
        assert!(matches!(Passfile::read(folder.path()), Passfile::Refused(_)));
    }
}
