//! The connection service file: named groups of connection settings.
//!
//! The person's own file is looked in first, then the system's, as libpq does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::conninfo::Pairs;
use crate::error::{Error, ErrorKind, Result};

/// Where system-wide service files are where `PGSYSCONFDIR` says nothing: Debian's folder, then Red Hat's.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql"];

/// Settings of the service called `name`; `own` is the file that was named, or the person's default file.
pub(super) fn find(name: &str, own: Option<PathBuf>, system_folder: Option<&str>) -> Result<Pairs> {
    let folders = system_folder.map_or_else(|| SYSTEM_FOLDERS.to_vec(), |folder| vec![folder]);
    let system = folders.iter().map(|folder| Path::new(folder).join("pg_service.conf"));
    let files: Vec<_> = own.into_iter().chain(system).collect();
    for file in &files {
        if let Some(pairs) = read(file, name)? {
            return Ok(pairs);
        }
    }
    let looked: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    Err(Error::new(ErrorKind::Settings, format!("there is no service '{name}' in {}", looked.join(" or ")))
        .with_hint("PGSERVICEFILE or servicefile= names another service file"))
}

fn read(file: &Path, name: &str) -> Result<Option<Pairs>> {
    match fs::read_to_string(file) {
        Ok(text) => section(&text, name).map_err(|error| error.at_object(file.display().to_string())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::new(ErrorKind::Settings, "cannot read the service file")
            .at_object(file.display().to_string())
            .with_source(error)),
    }
}

/// The pairs of section `[name]`, if the text has it.
fn section(text: &str, name: &str) -> Result<Option<Pairs>> {
    let mut found: Option<Pairs> = None;
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            // The first section of a name is the one that counts.
            inside = found.is_none() && head.strip_suffix(']') == Some(name);
            if inside {
                found = Some(Pairs::new());
            }
            continue;
        }
        if let Some(pairs) = found.as_mut().filter(|_| inside) {
            pairs.push(pair(line).map_err(|error| error.at_record(number))?);
        }
    }
    Ok(found)
}

fn pair(line: &str) -> Result<(String, String)> {
    let fault = |message| Error::new(ErrorKind::Settings, message);
    if line.starts_with("ldap") {
        return Err(fault("service settings from LDAP are not supported"));
    }
    let (keyword, value) = line.split_once('=').ok_or_else(|| fault("a line of the service file has no '='"))?;
    if keyword.trim() == "service" {
        return Err(fault("a service cannot name another service"));
    }
    Ok((keyword.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# services\n[other]\nhost=no\n\n[metrics]\nhost=db\n# comment\nport = 6432\n[metrics]\nhost=late\n";

    #[test]
    fn a_section_gives_its_pairs_and_no_others() {
        let pairs = section(TEXT, "metrics").unwrap().unwrap();
        assert_eq!(pairs, [("host".to_owned(), "db".to_owned()), ("port".to_owned(), "6432".to_owned())]);
        assert_eq!(section(TEXT, "metric").unwrap(), None);
    }

    #[test]
    fn the_own_file_comes_before_the_systems() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own.conf");
        fs::write(&own, "[a]\nhost=own\n").unwrap();
        fs::write(folder.path().join("pg_service.conf"), "[a]\nhost=system\n[b]\nhost=system\n").unwrap();
        let host = |name| find(name, Some(own.clone()), folder.path().to_str()).unwrap()[0].1.clone();
        assert_eq!(host("a"), "own");
        assert_eq!(host("b"), "system");
    }

    #[test]
    fn a_missing_service_names_the_files_that_were_looked_in() {
        let error = find("x", Some(PathBuf::from("/nowhere/a.conf")), Some("/nowhere/etc")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/a.conf or /nowhere/etc/pg_service.conf"), "{error}");
    }

    #[test]
    fn an_ill_formed_line_is_told_by_its_number() {
        let error = section("[a]\nhost=x\npassword sesame\n", "a").unwrap_err();
        assert_eq!(error.place().record, Some(3));
        assert!(!error.to_string().contains("sesame"));
    }
}
