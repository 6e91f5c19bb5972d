//! The shape of a table: what of it decides how rows that are sent to it are read and stored.
//!
//! `COPY … (format binary)` has no types in it: the bytes of a bigint are taken for those of a double precision as they are.
//! So a table must keep its shape for as long as encoded rows go into it, and a job for as long as it is resumed.

use serde::{Deserialize, Serialize};

/// What of a table decides how rows that are sent to it are read and stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The server's identifier of the table. A table that was dropped and made anew has another.
    pub oid: u32,
    /// Its name, as people read it; `None` where there is no table with that identifier.
    pub table: Option<String>,
    /// Its columns, in their order.
    pub columns: Vec<ShapeColumn>,
    /// Names of triggers that may change a row as it is inserted, on the table or on any of its partitions; sorted.
    pub triggers: Vec<String>,
    /// Whether policies decide which rows the role may write and see.
    pub row_security: bool,
}

/// A column as [`Shape`] knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeColumn {
    /// Its name, as the catalog spells it.
    pub name: String,
    /// Its type and what else is declared: `numeric(7,4) not null`.
    pub definition: String,
    /// Whether a row may give it no value.
    pub optional: bool,
}

impl Shape {
    /// How `now` differs from this, a phrase for each difference: `column value of public.metrics is now double precision,
    /// and was bigint`. A new column that rows may leave out makes none. Identifiers are not compared.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let before = self.table.as_deref().unwrap_or("the table");
        let Some(name) = now.table.as_deref() else {
            return vec![format!("{before} is gone: it was dropped, and what has its name now is another table")];
        };
        let mut differences = Vec::new();
        if name != before {
            differences.push(format!("{before} is now called {name}"));
        }
        differences.extend(self.columns.iter().filter_map(|column| column.difference(now.column(&column.name), name)));
        let is_new = |column: &&ShapeColumn| !column.optional && self.column(&column.name).is_none();
        differences.extend(now.columns.iter().filter(is_new).map(|column| {
            format!("column {} of {name} is new, {}, and rows must give it a value", column.name, column.definition)
        }));
        let only = |these: &Self, those: &Self| {
            these.triggers.iter().filter(|trigger| !those.triggers.contains(trigger)).cloned().collect::<Vec<_>>()
        };
        let gained = |trigger| format!("trigger {trigger} of {name} is new, and may rewrite rows");
        differences.extend(only(now, self).into_iter().map(gained));
        let lost = |trigger| format!("trigger {trigger} of {name} no longer rewrites rows");
        differences.extend(only(self, now).into_iter().map(lost));
        if self.row_security != now.row_security {
            let state = if now.row_security { "now applies" } else { "no longer applies" };
            differences.push(format!("row security of {name} {state} to this role"));
        }
        differences
    }

    fn column(&self, name: &str) -> Option<&ShapeColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ShapeColumn {
    fn difference(&self, now: Option<&Self>, table: &str) -> Option<String> {
        let Self { name, definition, .. } = self;
        match now {
            None => Some(format!("column {name} of {table} is gone, and was {definition}")),
            Some(now) if now.definition == *definition => None,
            Some(now) => Some(format!("column {name} of {table} is now {}, and was {definition}", now.definition)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        let column = |name: &str, definition: &str| ShapeColumn {
            name: name.to_owned(),
            definition: definition.to_owned(),
            optional: !definition.ends_with("not null"),
        };
        Shape {
            oid: 7,
            table: Some("public.metrics".to_owned()),
            columns: vec![column("ts", "timestamp with time zone not null"), column("value", "bigint")],
            ..Shape::default()
        }
    }

    #[test]
    fn each_difference_is_a_phrase_with_both_sides() {
        let mut now = shape();
        now.columns[1].definition = "double precision".to_owned();
        now.triggers.push("clip".to_owned());
        now.row_security = true;
        assert_eq!(
            shape().differences(&now),
            [
                "column value of public.metrics is now double precision, and was bigint",
                "trigger clip of public.metrics is new, and may rewrite rows",
                "row security of public.metrics now applies to this role",
            ]
        );
        now = shape();
        now.columns.remove(0);
        assert_eq!(
            shape().differences(&now),
            ["column ts of public.metrics is gone, and was timestamp with time zone not null"]
        );
        assert_eq!(shape().differences(&Shape { oid: 7, ..Shape::default() }).len(), 1);
    }

    #[test]
    fn a_new_column_is_a_difference_only_where_rows_must_fill_it() {
        let mut now = shape();
        let new = |optional| ShapeColumn { name: "host".to_owned(), definition: "text not null".to_owned(), optional };
        now.columns.push(new(true));
        assert!(shape().differences(&now).is_empty());
        *now.columns.last_mut().unwrap() = new(false);
        let differences = shape().differences(&now);
        assert_eq!(differences, ["column host of public.metrics is new, text not null, and rows must give it a value"]);
        assert_eq!(serde_json::from_str::<Shape>(&serde_json::to_string(&now).unwrap()).unwrap(), now);
    }
}
