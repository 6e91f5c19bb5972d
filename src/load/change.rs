//! How a source differs from the one that a job was planned from, object by object.

use crate::error::{Error, ErrorKind, Result};
use crate::model::Object;

/// URIs of objects that are not what they were; there is at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    changed: Vec<String>,
    vanished: Vec<String>,
    new: Vec<String>,
}

/// Differences that a message names before it just counts them.
const DIFFERENCES_SHOWN: usize = 5;

impl Change {
    /// Compares objects in the ledger, as URI, size and version, with those found now; both in the order of their URIs.
    pub(crate) fn between(recorded: &[(String, u64, String)], found: &[Object]) -> Option<Self> {
        let mut change = Self::default();
        for (uri, bytes, version) in recorded {
            match found.binary_search_by(|object| object.uri.cmp(uri)) {
                Err(_) => change.vanished.push(uri.clone()),
                Ok(place) if (found[place].bytes, &found[place].version) != (*bytes, version) => {
                    change.changed.push(uri.clone());
                }
                Ok(_) => {}
            }
        }
        let known = |object: &Object| recorded.binary_search_by(|(uri, ..)| uri.cmp(&object.uri)).is_ok();
        change.new.extend(found.iter().filter(|object| !known(object)).map(|object| object.uri.clone()));
        (change != Self::default()).then_some(change)
    }

    /// Each difference by name, the first few of them: `a has vanished; b has changed; and 7 more`.
    pub(crate) fn names(&self) -> String {
        let parts = [(&self.vanished, "has vanished"), (&self.changed, "has changed"), (&self.new, "is new")];
        let each = parts.iter().flat_map(|(uris, what)| uris.iter().map(move |uri| format!("{uri} {what}")));
        let mut shown: Vec<String> = each.take(DIFFERENCES_SHOWN).collect();
        let all: usize = parts.iter().map(|(uris, _)| uris.len()).sum();
        if all > shown.len() {
            shown.push(format!("and {} more", all - shown.len()));
        }
        shown.join("; ")
    }

    /// How many of each: `2 objects changed, 1 is new`.
    pub(crate) fn counts(&self) -> String {
        let counted = |uris: &[String], what: &str| match uris.len() {
            0 => None,
            1 => Some(format!("1 object {what}")),
            n => Some(format!("{n} objects {what}")),
        };
        let parts = [counted(&self.changed, "changed"), counted(&self.vanished, "vanished"), counted(&self.new, "new")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Refuses to go on with `job`.
    pub(crate) fn refuse<T>(&self, job: &str) -> Result<T> {
        Err(Error::new(ErrorKind::Changed, format!("the source of job {job} is not what it was: {}", self.names()))
            .with_hint(format!(
                "--accept-changed-source loads anew the windows that this concerns, and those only; or put the source \
                 back as it was; `pgbackfill undo {job}` takes back what the job loaded"
            )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Format;

    fn object(uri: &str, version: &str) -> Object {
        Object {
            uri: uri.into(),
            bytes: 7,
            version: version.into(),
            format: Format::Csv,
            path_columns: Vec::new(),
            file: None,
        }
    }

    #[test]
    fn objects_that_changed_vanished_or_came_are_named_and_counted() {
        let recorded = [("a".into(), 7, "1".into()), ("b".into(), 7, "1".into())];
        assert_eq!(Change::between(&recorded, &[object("a", "1"), object("b", "1")]), None);
        let change = Change::between(&recorded, &[object("b", "2"), object("c", "1")]).unwrap();
        assert_eq!(change.names(), "a has vanished; b has changed; c is new");
        assert_eq!(change.counts(), "1 object changed, 1 object vanished, 1 object new");
        let error = change.refuse::<()>("j").unwrap_err();
        assert!(error.hint().unwrap().contains("--accept-changed-source"));
    }

    #[test]
    fn many_differences_are_cut_short_with_their_number() {
        let found: Vec<Object> = (0..9).map(|n| object(&n.to_string(), "1")).collect();
        let change = Change::between(&[], &found).unwrap();
        assert!(change.names().ends_with("4 is new; and 4 more"), "{}", change.names());
        assert_eq!(change.counts(), "9 objects new");
    }
}
