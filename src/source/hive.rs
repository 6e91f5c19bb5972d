//! Columns spelled in a path as `name=value` folders, the way Hive, Spark and Arrow write partitioned tables.

use super::PathColumns;
use crate::error::{Error, ErrorKind, Result};

/// The value that Hive writes for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns that `folders` spell, in their order, each with its value or null.
///
/// # Errors
///
/// If two folders spell the same column: one of the values would be lost.
pub(super) fn path_columns<'a>(folders: impl IntoIterator<Item = &'a str>, uri: &str) -> Result<PathColumns> {
    let mut columns = PathColumns::new();
    for (name, value) in folders.into_iter().filter_map(split) {
        let name = decode(name);
        if columns.iter().any(|(known, _)| *known == name) {
            return Err(Error::new(ErrorKind::Source, format!("two folders of the path spell the column '{name}'"))
                .at_object(uri));
        }
        columns.push((name, (value != NULL).then(|| decode(value))));
    }
    Ok(columns)
}

/// Whether `folder` spells a column.
pub(super) fn spells_column(folder: &str) -> bool {
    split(folder).is_some()
}

fn split(folder: &str) -> Option<(&str, &str)> {
    folder.split_once('=').filter(|(name, _)| !name.is_empty())
}

/// Replaces `%41` by its byte. A text that would not be UTF-8 then was never escaped, and stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = escaped(tail).filter(|_| first == b'%');
        bytes.push(escape.unwrap_or(first));
        rest = if escape.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(path: &str) -> PathColumns {
        path_columns(path.split('/'), "x").unwrap()
    }

    #[test]
    fn folders_give_columns_in_path_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let expected = vec![pair("year", "2024"), pair("city", "a=b")];
        assert_eq!(columns("plain/year=2024/other/city=a=b/=none"), expected);
    }

    #[test]
    fn escapes_are_decoded_and_what_is_no_escape_stays() {
        let value = |text: &str| columns(&format!("k={text}"))[0].1.clone().unwrap();
        assert_eq!(value("12%3A30%2f1"), "12:30/1");
        assert_eq!(value("100%"), "100%");
        assert_eq!(value("5%zz"), "5%zz");
        assert_eq!(value("%+1"), "%+1");
        assert_eq!(value("%FF"), "%FF");
        assert_eq!(value("%c3%bc"), "ü");
    }

    #[test]
    fn the_folder_of_null_gives_null() {
        let expected = vec![("k".to_owned(), None), ("l".to_owned(), Some("1".to_owned()))];
        assert_eq!(columns("k=__HIVE_DEFAULT_PARTITION__/l=1"), expected);
    }

    #[test]
    fn a_column_spelled_twice_is_an_error() {
        let error = path_columns(["k=1", "k=2"], "/data/k=1/k=2/a.csv").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert_eq!(error.place().object.as_deref(), Some("/data/k=1/k=2/a.csv"));
    }
}
