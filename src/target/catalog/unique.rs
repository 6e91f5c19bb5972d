//! What of the table bears on rows that conflict with those that are there; asked for only where it matters.

use crate::error::Result;
use crate::schema::{UniqueKey, Uniqueness};
use crate::target::Session;

/// Looks up unique keys, and what may keep them from deciding.
pub(crate) async fn uniqueness(session: &Session, oid: u32) -> Result<Uniqueness> {
    let indexes = session.query(include_str!("unique.sql"), &[&oid]).await?;
    let facts = session.query_one(include_str!("conflicts.sql"), &[&oid]).await?;
    let (mut keys, mut deferrable, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for row in &indexes {
        // What operator an exclusion constraint compares its columns by is not looked at.
        apart.push(if row.get("is_exclusion") { Vec::new() } else { row.get::<_, Vec<String>>("columns") });
        if !row.get::<_, bool>("is_immediate") {
            deferrable.push(row.get("name"));
        } else if row.get("decides") {
            keys.push(UniqueKey { name: row.get("name"), columns: row.get("columns"), primary: row.get("is_primary") });
        }
    }
    Ok(Uniqueness {
        keys,
        deferrable,
        apart,
        has_rules: facts.get("has_rules"),
        identities: facts.get("identities"),
        identities_always: facts.get("identities_always"),
        follows_updates: facts.get("follows_updates"),
    })
}
