//! Which source column feeds which target column: by name, and never by guess.

use arrow_schema::DataType;

use super::{Column, Table, WhenAbsent};
use crate::error::{Error, ErrorKind, Result, escaped, listed, shortened};
use crate::options::MappingRules;

/// The columns of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectColumns {
    /// URI of the object, for messages.
    pub object: String,
    /// Columns in it, with their types; text for CSV.
    pub columns: Vec<(String, DataType)>,
    /// Columns in the names of its folders; used only where the target has them and the object has not.
    pub path_columns: Vec<String>,
}

/// Target columns that are fed, each with the name of its source column, in the target's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The pairs.
    pub columns: Vec<MappedColumn>,
}

/// A target column and what feeds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedColumn {
    /// Name of the source column.
    pub source: String,
    /// Type of the source column.
    pub source_type: DataType,
    /// Whether it stands in the names of folders rather than in the object.
    pub in_path: bool,
    /// The target column.
    pub target: Column,
}

impl Mapping {
    /// Maps the columns of one object to those of `table`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] that lists both sides, where a column is missing, extra or ambiguous.
    pub fn try_new(table: &Table, source: &ObjectColumns, rules: &MappingRules) -> Result<Self> {
        check_rules(table, source, rules)?;
        let mut faults = Vec::new();
        let mut columns: Vec<MappedColumn> = Vec::new();
        for (name, data_type) in source.columns.iter().filter(|(name, _)| !rules.ignored.contains(name)) {
            match find_target(table, name, rules) {
                Ok(target) => columns.push(MappedColumn {
                    source: name.clone(),
                    source_type: data_type.clone(),
                    in_path: false,
                    target: target.clone(),
                }),
                Err(fault) => faults.push(fault),
            }
        }
        add_path_columns(&mut columns, table, source, rules);
        columns.sort_by_key(|mapped| table.columns.iter().position(|column| column.name == mapped.target.name));
        faults.extend(columns.windows(2).filter_map(fed_twice));
        faults.extend(table.columns.iter().filter_map(|column| missing(column, &columns, rules)));
        if faults.is_empty() { Ok(Self { columns }) } else { Err(refuse(table, source, &faults)) }
    }

    /// Whether both feed the same target columns, so that their rows can go into one COPY.
    #[must_use]
    pub fn feeds_same(&self, other: &Self) -> bool {
        let names =
            |mapping: &Self| mapping.columns.iter().map(|mapped| mapped.target.name.clone()).collect::<Vec<_>>();
        names(self) == names(other)
    }
}

/// Rules that name no column are mistakes of the hand that wrote them.
fn check_rules(table: &Table, source: &ObjectColumns, rules: &MappingRules) -> Result<()> {
    let in_source = |name: &String| {
        source.columns.iter().any(|(each, _)| each == name) || source.path_columns.iter().any(|each| each == name)
    };
    let fault = |text: String| Err(refuse(table, source, &[text]));
    if let Some((name, _)) = rules.renames.iter().find(|(name, _)| !in_source(name)) {
        return fault(format!("--map names source column {name}, which is not there"));
    }
    if let Some((_, name)) = rules.renames.iter().find(|(_, name)| table.column(name).is_none()) {
        return fault(format!("--map names target column {name}, which is not there"));
    }
    match rules.ignored.iter().find(|name| !in_source(name) && table.column(name).is_none()) {
        Some(name) => fault(format!("--ignore names column {name}, which is on neither side")),
        None => Ok(()),
    }
}

/// The target of a source column: as the rules say, else of equal name, else of a name equal but for case.
fn find_target<'t>(table: &'t Table, source: &str, rules: &MappingRules) -> Result<&'t Column, String> {
    let renamed = rules.renames.iter().find(|(name, _)| name == source);
    let wanted = renamed.map_or(source, |(_, target)| target.as_str());
    let found = table.column(wanted).map_or_else(|| find_alike(table, source, wanted), Ok)?;
    if found.when_absent == WhenAbsent::Generated {
        return Err(format!("target column {} is generated and takes no value", found.name));
    }
    Ok(found)
}

fn find_alike<'t>(table: &'t Table, source: &str, wanted: &str) -> Result<&'t Column, String> {
    let mut alike = table.columns.iter().filter(|column| column.name.eq_ignore_ascii_case(wanted));
    match (alike.next(), alike.next()) {
        (Some(column), None) => Ok(column),
        (Some(one), Some(two)) => Err(format!("source column {source} could feed {} or {}", one.name, two.name)),
        (None, _) => Err(format!("source column {source} has no column in the table")),
    }
}

fn add_path_columns(columns: &mut Vec<MappedColumn>, table: &Table, source: &ObjectColumns, rules: &MappingRules) {
    for name in source.path_columns.iter().filter(|name| !rules.ignored.contains(name)) {
        let Ok(target) = find_target(table, name, rules) else { continue };
        if columns.iter().all(|mapped| mapped.target.name != target.name) {
            columns.push(MappedColumn {
                source: name.clone(),
                source_type: DataType::Utf8,
                in_path: true,
                target: target.clone(),
            });
        }
    }
}

fn fed_twice(pair: &[MappedColumn]) -> Option<String> {
    let [one, two] = pair else { return None };
    (one.target.name == two.target.name)
        .then(|| format!("target column {} is fed by both {} and {}", one.target.name, one.source, two.source))
}

/// A target column that nothing feeds, and that would be null though nobody said so.
fn missing(column: &Column, columns: &[MappedColumn], rules: &MappingRules) -> Option<String> {
    let fed = columns.iter().any(|mapped| mapped.target.name == column.name);
    if fed || column.when_absent != WhenAbsent::Null {
        return None;
    }
    if column.not_null {
        return Some(format!(
            "target column {} is not null, has no default, and no source column feeds it",
            column.name
        ));
    }
    (!rules.ignored.contains(&column.name))
        .then(|| format!("target column {} has no column in the source", column.name))
}

/// The first faults, and how many more there are.
fn told(faults: &[String]) -> String {
    let shown: Vec<_> = faults.iter().take(FAULTS_SHOWN).map(|fault| shortened(fault, FAULT_BYTES_MAX)).collect();
    match faults.len() - shown.len() {
        0 => shown.join("; "),
        more => format!("{}; and {more} more faults", shown.join("; ")),
    }
}

/// Faults of a mapping that one error names, and the longest of them in bytes: a name may have a megabyte.
const FAULTS_SHOWN: usize = 10;
const FAULT_BYTES_MAX: usize = 400;

fn refuse(table: &Table, source: &ObjectColumns, faults: &[String]) -> Error {
    let here = listed(source.columns.iter().map(|(name, _)| name.as_str()));
    let there = listed(table.columns.iter().map(|column| column.name.as_str()));
    Error::new(ErrorKind::Schema, format!("columns do not fit: {}", told(faults)))
        .at_object(source.object.clone())
        .with_hint(format!(
            "source has: {}\n{} has: {}\n`--map source=target` pairs names, `--ignore column` leaves one out",
            here,
            escaped(&table.name.to_string()),
            there
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{PgKind, PgType, Relation, TableName};

    fn column(name: &str) -> Column {
        Column {
            name: name.into(),
            ty: PgType { oid: 25, name: "text".into(), kind: PgKind::Text },
            not_null: false,
            when_absent: WhenAbsent::Null,
        }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table {
            name: TableName { schema: "public".into(), name: "t".into() },
            relation: Relation::Table,
            columns,
            in_heaps: true,
            unlogged: false,
            rewriting_triggers: Vec::new(),
            shape: crate::schema::Shape::default(),
            following_triggers: Vec::new(),
            row_security: false,
            insert_rules: false,
            takes_copy: true,
            indexed: Vec::new(),
            partitions: None,
        }
    }

    fn source(names: &[&str]) -> ObjectColumns {
        let columns = names.iter().map(|name| ((*name).to_owned(), DataType::Utf8)).collect();
        ObjectColumns { object: "a.csv".into(), columns, path_columns: vec!["month".into()] }
    }

    fn map(table: &Table, names: &[&str], rules: &MappingRules) -> Result<Vec<(String, String)>> {
        let mapping = Mapping::try_new(table, &source(names), rules)?;
        Ok(mapping.columns.into_iter().map(|mapped| (mapped.source, mapped.target.name)).collect())
    }

    fn pair(source: &str, target: &str) -> (String, String) {
        (source.to_owned(), target.to_owned())
    }

    #[test]
    fn columns_meet_by_name_whatever_their_order_or_case() {
        let table = table(vec![column("a"), column("B")]);
        assert_eq!(map(&table, &["b", "a"], &MappingRules::default()).unwrap(), [pair("a", "a"), pair("b", "B")]);
    }

    #[test]
    fn rules_rename_and_ignore() {
        let table = table(vec![column("a"), column("b")]);
        let rules = MappingRules { renames: vec![pair("x", "a")], ignored: vec!["y".into(), "b".into()] };
        assert_eq!(map(&table, &["x", "y"], &rules).unwrap(), [pair("x", "a")]);
    }

    #[test]
    fn a_folder_column_is_used_where_the_table_has_it() {
        let table = table(vec![column("a"), column("month")]);
        assert_eq!(map(&table, &["a"], &MappingRules::default()).unwrap(), [pair("a", "a"), pair("month", "month")]);
    }

    #[test]
    fn extra_missing_and_ambiguous_columns_are_errors_that_list_both_sides() {
        let table = table(vec![column("a"), column("b"), column("A")]);
        let error = map(&table, &["a", "zz"], &MappingRules::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("zz has no column in the table"), "{text}");
        assert!(text.contains("b has no column in the source"), "{text}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("source has: a, zz") && hint.contains("public.t has: a, b, A"), "{hint}");
        let two = super::tests::table(vec![column("x"), column("X"), column("y")]);
        assert!(
            map(&two, &["x", "X", "Y", "y"], &MappingRules::default()).unwrap_err().to_string().contains("fed by both")
        );
    }

    #[test]
    fn defaults_may_be_left_out_and_generated_columns_must_be() {
        let mut id = column("id");
        (id.when_absent, id.not_null) = (WhenAbsent::Default, true);
        let mut twice = column("twice");
        twice.when_absent = WhenAbsent::Generated;
        let table = table(vec![id, column("a"), twice]);
        assert_eq!(map(&table, &["a"], &MappingRules::default()).unwrap(), [pair("a", "a")]);
        let error = map(&table, &["a", "twice"], &MappingRules::default()).unwrap_err();
        assert!(error.to_string().contains("generated"));
    }
}
