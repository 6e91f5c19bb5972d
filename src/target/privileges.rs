//! What a job needs of its role: asked for at once, so that a person grants it all at once, before anything is written.

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::TableName;

/// What a job does to the table, beside what it does to the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Needs<'a> {
    pub(crate) table: &'a TableName,
    /// Columns that rows give a value.
    pub(crate) inserted: Vec<String>,
    /// Columns that rows which are there take from those that are loaded.
    pub(crate) updated: Vec<String>,
    /// Columns that a clear, a check or a verification reads; `xmin` may be one.
    pub(crate) read: Vec<String>,
    pub(crate) delete: bool,
    /// Whether rows go through a temporary table.
    pub(crate) stage: bool,
}

/// What the role lacks for a job; there is at least one privilege in it.
#[derive(Debug, Clone)]
pub(crate) struct Lacking {
    role: String,
    /// Each with what it is on, both as SQL spells them.
    privileges: Vec<(String, String)>,
}

impl Needs<'_> {
    /// What of this the role lacks. Asks for rights on the ledger too, or for that to make it.
    pub(crate) async fn lacking(&self, session: &Session) -> Result<Option<Lacking>> {
        let Self { table, inserted, updated, read, delete, stage } = self;
        let sql = include_str!("privileges/lacking.sql");
        let rows = session.query(sql, &[&table.schema, &table.name, inserted, read, delete, stage, updated]).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let privileges = rows.iter().map(|row| (row.get("privilege"), row.get("object"))).collect();
        Ok(Some(Lacking { role: first.get("role"), privileges }))
    }
}

impl Lacking {
    /// Everything that is lacking, in one phrase.
    pub(crate) fn phrase(&self) -> String {
        let on = |(privilege, object): &(String, String)| format!("{privilege} on {object}");
        format!("role {} lacks {}", self.role, self.privileges.iter().map(on).collect::<Vec<_>>().join("; "))
    }

    /// The statements that mend it, a line for each.
    pub(crate) fn grants(&self) -> String {
        let grant = |(privilege, object): &(String, String)| format!("grant {privilege} on {object} to {};", self.role);
        self.privileges.iter().map(grant).collect::<Vec<_>>().join("\n")
    }

    /// Whether the ledger is missing, and the role cannot make it.
    fn makes_ledger(&self) -> bool {
        self.privileges.iter().any(|(privilege, _)| privilege == "create")
    }

    pub(crate) fn into_error(self) -> Error {
        let instead = if self.makes_ledger() {
            "\ninstead of `create`, an administrator can make the ledger, with the output of `pgbackfill init --print`"
        } else {
            ""
        };
        Error::new(ErrorKind::Permission, self.phrase())
            .with_hint(format!("an administrator can grant it:\n{}{instead}", self.grants()))
    }
}

/// What is lacking where not even the table's schema may be looked into, and which columns are loaded is not known yet.
pub(crate) async fn of_hidden_table(session: &Session, name: &str) -> Result<Option<Lacking>> {
    let row = session.query_one("select parse_ident($1)", &[&name]).await?;
    let parts: Vec<String> = row.get(0);
    let [schema, table] = parts.as_slice() else { return Ok(None) };
    let table = TableName { schema: schema.clone(), name: table.clone() };
    let sql = "select coalesce(array_agg(a.attname::text), '{}')
                 from pg_attribute a
                 join pg_class c on c.oid = a.attrelid
                 join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''";
    let columns: Vec<String> = session.query_one(sql, &[&table.schema, &table.name]).await?.get(0);
    let (inserted, read) = (columns.clone(), columns);
    Needs { table: &table, inserted, updated: Vec::new(), read, delete: true, stage: false }.lacking(session).await
}
