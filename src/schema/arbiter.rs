//! What becomes of rows whose key is in the table already: which key decides, found or refused before anything is loaded.

use super::{Relation, Table, column_list};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Existing, OnConflict, Options};

/// A unique index over plain columns, of all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// Name of the index.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub primary: bool,
}

/// What of a table bears on rows that conflict with those that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uniqueness {
    /// Unique indexes that can decide, each checked as soon as a row comes.
    pub keys: Vec<UniqueKey>,
    /// For each index that keeps rows apart, whatever else it is made of, columns that are equal in rows that conflict.
    pub apart: Vec<Vec<String>>,
    /// Names of unique and exclusion constraints that may be checked later; the server takes none for a decision.
    pub deferrable: Vec<String>,
    /// Whether it has rules for inserts or updates; the server then refuses to decide.
    pub has_rules: bool,
    /// Columns with an identity.
    pub identities: Vec<String>,
    /// Those of them that only take a value of their own by force, and no update.
    pub identities_always: Vec<String>,
    /// Whether triggers run after an update.
    pub follows_updates: bool,
}

/// How rows are merged into the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    /// Columns whose unique index decides; none where any does.
    pub(crate) key: Vec<String>,
    /// Columns that a row which is there takes from the source's; none where it stays as it is.
    pub(crate) updated: Vec<String>,
    /// Whether identities are given values.
    pub(crate) overriding: bool,
    /// Whether triggers run after an update.
    pub(crate) follows_updates: bool,
    /// Whether two windows may hold rows of one key.
    pub(crate) crosses_windows: bool,
}

impl Merge {
    /// How the rows of `loaded` columns are merged into `table`, as `options` say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] where no key decides, or more than one could; where the server could not do it, or what it did
    /// could not be counted.
    pub(crate) fn try_new(table: &Table, facts: &Uniqueness, loaded: &[String], options: &Options) -> Result<Self> {
        refuse_target(table, facts, options)?;
        let overriding = facts.identities.iter().any(|name| loaded.contains(name));
        let mut merge = Self {
            key: Vec::new(),
            updated: Vec::new(),
            overriding,
            follows_updates: facts.follows_updates,
            crosses_windows: true,
        };
        let (skips, time) = (options.on_conflict != OnConflict::Update, options.time_column.as_ref());
        if skips && options.conflict_key.is_empty() {
            let meets_others = |time| facts.apart.iter().any(|columns| !columns.contains(time));
            merge.crosses_windows = time.is_none_or(meets_others);
        } else {
            merge.key.clone_from(&arbiter(table, facts, loaded, options)?.columns);
            merge.crosses_windows = time.is_none_or(|time| !merge.key.contains(time));
        }
        if skips {
            merge.refuse_skips(options)?;
        } else {
            merge.updated = loaded.iter().filter(|name| !merge.key.contains(name)).cloned().collect();
            merge.refuse_updates(table, facts)?;
        }
        Ok(merge)
    }

    /// Whether rows that are there take the values of the source's.
    pub(crate) fn updates(&self) -> bool {
        !self.updated.is_empty()
    }

    /// What becomes of rows that conflict: `skipped where their (id) is there`.
    pub(crate) fn phrase(&self) -> String {
        match (self.updates(), self.key.as_slice()) {
            (false, []) => "skipped where a unique key of theirs is there".to_owned(),
            (false, key) => format!("skipped where their ({}) is there", column_list(key)),
            (true, key) => format!("put into the row of their ({}) where it is there", column_list(key)),
        }
    }

    /// Whether a row that is skipped may have met a row of another window, which the job may come to delete.
    pub(crate) fn skips_across_windows(&self) -> bool {
        !self.updates() && self.crosses_windows
    }

    fn refuse_skips(&self, options: &Options) -> Result<()> {
        if options.existing() == Existing::Replace && options.time_column.is_some() && self.skips_across_windows() {
            return refuse(
                "--existing replace empties window after window, and with --on-conflict skip a row of one could be left \
                 out for a row of another that is deleted later"
                    .to_owned(),
                "name a key that holds the time column (--conflict-key), or take --on-conflict update, or delete the rows \
                 of the range first and load without --existing replace"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn refuse_updates(&self, table: &Table, facts: &Uniqueness) -> Result<()> {
        if let Some(name) = self.updated.iter().find(|name| facts.identities_always.contains(name)) {
            return refuse(
                format!("column {name} of {} is generated always as identity, and takes no update", table.name),
                format!("leave it out (--ignore {name}), or make it `generated by default`"),
            );
        }
        if self.updated.is_empty() {
            let key = column_list(&self.key);
            return refuse(
                format!("every loaded column is one of the key ({key}), and nothing is left to update"),
                "--on-conflict skip leaves rows as they are whose key is there".to_owned(),
            );
        }
        Ok(())
    }
}

fn refuse<T>(message: String, hint: String) -> Result<T> {
    Err(Error::new(ErrorKind::Schema, message).with_hint(hint))
}

/// Refuses tables for which the server cannot decide, or cannot tell what it did.
fn refuse_target(table: &Table, facts: &Uniqueness, options: &Options) -> Result<()> {
    let (name, skips) = (&table.name, options.on_conflict != OnConflict::Update);
    if table.relation == Relation::View {
        return refuse(
            format!("{name} is a view, of which no unique key is known"),
            "load into the table below it, or without --on-conflict".to_owned(),
        );
    }
    if !table.has_xmin() {
        return refuse(
            format!("rows of {name} are kept by another server or in a way of their own, where none conflicts"),
            "load without --on-conflict, or into a table of this server".to_owned(),
        );
    }
    if facts.has_rules {
        return refuse(
            format!("{name} has rules for inserts or updates, beside which the server decides no conflict"),
            "drop the rules, or load without --on-conflict".to_owned(),
        );
    }
    if skips && options.conflict_key.is_empty() && !facts.deferrable.is_empty() {
        return refuse(
            format!(
                "constraints of {name} that may be checked late decide no conflict: {}",
                facts.deferrable.join(", ")
            ),
            format!("make them not deferrable, or name the key that decides: --conflict-key; {}", candidates(facts)),
        );
    }
    if skips && !table.rewriting_triggers.is_empty() {
        return refuse(
            format!(
                "a trigger may drop rows of {name}, which could not be told from those skipped: {}",
                table.rewriting_triggers.join(", ")
            ),
            "disable it for the load, or load without --on-conflict".to_owned(),
        );
    }
    Ok(())
}

/// The key that decides: the one that is named, else the primary key, else the only one.
fn arbiter<'a>(table: &Table, facts: &'a Uniqueness, loaded: &[String], options: &Options) -> Result<&'a UniqueKey> {
    let wanted = &options.conflict_key;
    let is_fed = |key: &&UniqueKey| key.columns.iter().all(|name| loaded.contains(name));
    if !wanted.is_empty() {
        let same = |key: &&UniqueKey| {
            key.columns.len() == wanted.len() && key.columns.iter().all(|name| wanted.contains(name))
        };
        let found = facts.keys.iter().find(same).filter(is_fed);
        return found.map_or_else(
            || {
                refuse(
                    format!("no unique index of {} over loaded columns is on ({})", table.name, column_list(wanted)),
                    candidates(facts),
                )
            },
            Ok,
        );
    }
    let fed: Vec<&UniqueKey> = facts.keys.iter().filter(is_fed).collect();
    match (fed.iter().find(|key| key.primary), fed.as_slice()) {
        (Some(primary), _) => Ok(primary),
        (None, [only]) => Ok(only),
        (None, []) => refuse(
            format!("no unique index of {} is over loaded columns alone: which rows conflict is not known", table.name),
            candidates(facts),
        ),
        (None, _) => refuse(
            format!("more than one unique index of {} could decide which rows conflict", table.name),
            format!("name the columns of one: --conflict-key; {}", candidates(facts)),
        ),
    }
}

fn candidates(facts: &Uniqueness) -> String {
    let candidate = |key: &UniqueKey| format!("{} ({})", key.name, column_list(&key.columns));
    let list: Vec<String> = facts.keys.iter().map(candidate).collect();
    match list.is_empty() {
        true => {
            "it has none that is checked at once, covers all rows, and is on columns rather than expressions".to_owned()
        }
        false => format!("there are: {}", list.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Shape, TableName};

    fn table(relation: Relation, triggers: &[&str]) -> Table {
        Table {
            name: TableName { schema: "public".to_owned(), name: "t".to_owned() },
            relation,
            columns: Vec::new(),
            in_heaps: relation == Relation::Table,
            unlogged: false,
            rewriting_triggers: triggers.iter().map(ToString::to_string).collect(),
            following_triggers: Vec::new(),
            row_security: false,
            insert_rules: false,
            takes_copy: true,
            indexed: Vec::new(),
            partitions: None,
            shape: Shape::default(),
        }
    }

    fn facts(keys: &[(&str, &[&str], bool)]) -> Uniqueness {
        let key = |(name, columns, primary): &(&str, &[&str], bool)| UniqueKey {
            name: (*name).to_owned(),
            columns: columns.iter().map(ToString::to_string).collect(),
            primary: *primary,
        };
        let apart = keys.iter().map(|(_, columns, _)| columns.iter().map(ToString::to_string).collect()).collect();
        Uniqueness { keys: keys.iter().map(key).collect(), apart, ..Uniqueness::default() }
    }

    fn merge(facts: &Uniqueness, on_conflict: OnConflict, key: &[&str]) -> Result<Merge> {
        let mut options = Options::new("t").with_time_column("ts");
        options.on_conflict = on_conflict;
        options.conflict_key = key.iter().map(ToString::to_string).collect();
        let loaded = ["id", "ts", "v"].map(str::to_owned);
        Merge::try_new(&table(Relation::Table, &[]), facts, &loaded, &options)
    }

    #[test]
    fn the_primary_key_decides_else_the_only_one_of_loaded_columns() {
        use OnConflict::Update;
        let chosen = |keys: &[(&str, &[&str], bool)]| merge(&facts(keys), Update, &[]).unwrap();
        let primary = chosen(&[("u", &["v"], false), ("p", &["id", "ts"], true)]);
        assert_eq!((primary.key, primary.updated), (vec!["id".to_owned(), "ts".to_owned()], vec!["v".to_owned()]));
        assert!(!primary.crosses_windows);
        let only = chosen(&[("p", &["serial"], true), ("u", &["id"], false)]);
        assert_eq!((only.key, only.crosses_windows), (vec!["id".to_owned()], true));
        let both = [("a", ["id"].as_slice(), false), ("b", ["ts"].as_slice(), false)];
        assert_eq!(merge(&facts(&both), Update, &["ts"]).unwrap().key, ["ts"]);
    }

    #[test]
    fn a_key_that_is_not_clear_is_refused_with_the_candidates() {
        use OnConflict::Update;
        let both = facts(&[("a", &["id"], false), ("b", &["ts"], false)]);
        let cases = [
            (merge(&both, Update, &[]), "more than one unique index"),
            (merge(&both, Update, &["v"]), "no unique index"),
            (merge(&facts(&[("b", &["other"], true)]), Update, &[]), "no unique index"),
            (merge(&facts(&[]), Update, &[]), "no unique index"),
            (merge(&facts(&[("p", &["v", "ts", "id"], true)]), Update, &[]), "nothing is left to update"),
        ];
        for (found, words) in cases {
            let error = found.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Schema);
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = merge(&both, Update, &[]).unwrap_err();
        assert!(error.hint().unwrap().contains(r#"a ("id"); b ("ts")"#), "{error:?}");
    }

    #[test]
    fn skipping_needs_no_key_and_takes_one() {
        let none = merge(&facts(&[]), OnConflict::Skip, &[]).unwrap();
        assert!(none.key.is_empty() && !none.updates());
        let one = merge(&facts(&[("u", &["id"], false)]), OnConflict::Skip, &["id"]).unwrap();
        assert_eq!(one.key, ["id"]);
        assert!(!one.updates());
    }

    #[test]
    fn targets_whose_conflicts_could_not_be_counted_are_refused() {
        let mut options = Options::new("t");
        options.on_conflict = OnConflict::Skip;
        let none = Uniqueness::default();
        let rules = Uniqueness { has_rules: true, ..Uniqueness::default() };
        let late = Uniqueness { deferrable: vec!["d".to_owned()], ..Uniqueness::default() };
        for (table, facts) in [
            (table(Relation::View, &[]), &none),
            (table(Relation::Foreign, &[]), &none),
            (table(Relation::Table, &["drops"]), &none),
            (table(Relation::Table, &[]), &rules),
            (table(Relation::Table, &[]), &late),
        ] {
            assert!(Merge::try_new(&table, facts, &[], &options).is_err());
        }
        options.on_conflict = OnConflict::Update;
        let mut identity = facts(&[("p", &["id"], true)]);
        identity.identities_always = vec!["n".to_owned()];
        let loaded = ["id".to_owned(), "n".to_owned()];
        let error = Merge::try_new(&table(Relation::Table, &[]), &identity, &loaded, &options).unwrap_err();
        assert!(error.to_string().contains("takes no update"), "{error}");
    }
}
