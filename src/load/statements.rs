//! How a table's rows are put in and taken out: the SQL of a job, made once.
//!
//! These statements run in the session's own search path, for the table's triggers; so every name in them is qualified,
//! down to operators.

use super::layout::Route;
use crate::encode::CopyFormat;
use crate::ledger::JobRecord;
use crate::model::{KeyKind, Window};
use crate::schema::{Merge, Table, column_list, quote_identifier, scope_predicate, time_predicate, written_by};
use crate::target::{SearchPath, rewritten, xid_array};

/// The SQL of one job.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    /// The table, as SQL spells it.
    table: String,
    /// The loaded columns in COPY order, as SQL spells them.
    columns: String,
    time: Option<Time>,
    scope: Option<String>,
    format: CopyFormat,
    staged: bool,
    /// How rows are put beside those of their key, where the load is told.
    merge: Option<Merge>,
    /// The columns that take part in the row hash, as SQL spells them.
    hashed: String,
    /// Triggers that may change rows once they are stored.
    followed: bool,
    /// Whether an insert does what a COPY does, so that rows can be tried by one.
    probed: bool,
}

#[derive(Debug, Clone)]
struct Time {
    name: String,
    kind: KeyKind,
}

/// Where rows are put before `insert … select`, for relations that COPY cannot write to.
const STAGE: &str = "pgbackfill_stage";

/// Where rows are put that are tried in parts, and the column that numbers them.
const PROBE_STAGE: &str = "pgbackfill_probe";
const PROBE_NUMBER: &str = "pgbackfill_probe_number";

/// Columns that a table can have.
const COLUMNS_MAX: usize = 1600;

/// Counts rows that are updated, and rows of the job's own that are not.
pub(super) const UPDATED: &str = "pgbackfill_updated";
pub(super) const OWN: &str = "pgbackfill_own";

impl Statements {
    pub(crate) fn new(
        table: &Table,
        route: &Route,
        time: Option<(&str, KeyKind)>,
        scope: Option<String>,
        merge: Option<Merge>,
    ) -> Self {
        let follows_updates = merge.as_ref().is_some_and(|merge| merge.updates() && merge.follows_updates);
        Self {
            table: table.name.sql(),
            columns: column_list(&route.columns),
            hashed: column_list(route.hashed_columns()),
            time: time.map(|(name, kind)| Time { name: name.to_owned(), kind }),
            scope,
            format: route.format,
            staged: !table.takes_copy || merge.is_some(),
            merge,
            // Rules are for inserts alone; and the stage has a column more.
            probed: !(table.insert_rules && table.takes_copy)
                && route.columns.len() < COLUMNS_MAX
                && !route.columns.iter().any(|name| name == PROBE_NUMBER),
            followed: table.has_xmin()
                && (!table.following_triggers.is_empty() || !table.rewriting_triggers.is_empty() || follows_updates),
        }
    }

    /// Those of a job that is in the ledger, for taking its rows out.
    pub(crate) fn of_job(job: &JobRecord) -> Self {
        let time = job.time_column.clone().zip(job.key_kind).map(|(name, kind)| Time { name, kind });
        let format = CopyFormat::Binary;
        Self {
            table: job.target.clone(),
            columns: String::new(),
            hashed: String::new(),
            merge: None,
            time,
            scope: job.scope.clone(),
            format,
            staged: false,
            followed: false,
            probed: false,
        }
    }

    /// The time column's name, if there is one.
    pub(crate) fn time_column(&self) -> Option<&str> {
        self.time.as_ref().map(|time| time.name.as_str())
    }

    /// The time column and what it holds, if there is one.
    pub(crate) fn time(&self) -> Option<(&str, KeyKind)> {
        self.time.as_ref().map(|time| (time.name.as_str(), time.kind))
    }

    /// The table, as SQL spells it.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// The COPY of a batch.
    pub(crate) fn copy_in(&self) -> String {
        if self.staged { self.copy_into(&format!("pg_temp.{STAGE}")) } else { self.copy_into(&self.table) }
    }

    fn copy_into(&self, into: &str) -> String {
        let format = match self.format {
            CopyFormat::Binary => "binary",
            CopyFormat::Text => "text",
        };
        format!("copy {into} ({}) from stdin (format {format})", self.columns)
    }

    /// What makes the stage before a COPY, if rows go through one.
    pub(crate) fn before_copy(&self) -> Option<String> {
        let Self { table, columns, .. } = self;
        self.staged.then(|| {
            format!("create temporary table {STAGE} on commit drop as select {columns} from {table} with no data")
        })
    }

    /// What does away with the stage, where another is to be made in the same transaction.
    pub(crate) fn drop_stage(&self) -> Option<String> {
        self.staged.then(|| format!("drop table pg_temp.{STAGE}"))
    }

    /// Whether rows go through a stage.
    pub(crate) fn is_staged(&self) -> bool {
        self.staged
    }

    /// What makes the stage whose rows are tried in parts, if rows can be tried so.
    pub(crate) fn make_probe_stage(&self) -> Option<String> {
        let Self { table, columns, .. } = self;
        self.probed.then(|| {
            format!(
                "create temporary table {PROBE_STAGE} on commit drop as select {columns} from {table} with no data; \
                 alter table pg_temp.{PROBE_STAGE} \
                 add column {PROBE_NUMBER} bigint generated always as identity primary key"
            )
        })
    }

    /// What empties it. In the transaction that made it, it keeps its file.
    pub(crate) fn empty_probe_stage() -> String {
        format!("truncate pg_temp.{PROBE_STAGE}")
    }

    /// The COPY into it.
    pub(crate) fn fill_probe_stage(&self) -> String {
        self.copy_into(&format!("pg_temp.{PROBE_STAGE}"))
    }

    /// The numbers of its rows, in their order.
    pub(crate) fn probe_numbers() -> String {
        format!("select coalesce(array_agg({PROBE_NUMBER} order by {PROBE_NUMBER}), '{{}}') from pg_temp.{PROBE_STAGE}")
    }

    /// What tries the rows with these numbers.
    pub(crate) fn probe(&self, first: i64, last: i64) -> String {
        let Self { table, columns, .. } = self;
        let conflict = self.merge.as_ref().map(|merge| conflict_action(merge, None)).unwrap_or_default();
        format!(
            "insert into {table} as stored ({columns}) overriding system value select {columns} from pg_temp.{PROBE_STAGE} \
             where {PROBE_NUMBER} operator(pg_catalog.>=) {first} and {PROBE_NUMBER} operator(pg_catalog.<=) {last} order by {PROBE_NUMBER}{conflict}"
        )
    }

    /// How rows are put beside those of their key, where the load is told.
    pub(crate) fn merge(&self) -> Option<&Merge> {
        self.merge.as_ref()
    }

    /// Columns of each row that [`Self::merge_in`] returns.
    pub(crate) fn returns_hashed(&self) -> bool {
        !self.hashed.is_empty()
    }

    /// What moves rows from the stage to the table, and returns those that are stored as a binary COPY: with their hashed
    /// columns, or one for show where there are none. `own` selects transaction ids of the job, whose rows are not updated.
    ///
    /// A row that is updated takes a number of the sequence [`UPDATED`], and one of the job's own a number of [`OWN`]: the
    /// server tells of no returned row which it was, least of all on a partitioned table.
    pub(crate) fn merge_in(&self, merge: &Merge, own: &str) -> String {
        let Self { table, columns, .. } = self;
        let force = if merge.overriding { " overriding system value" } else { "" };
        let next = |name| format!("pg_catalog.nextval('pg_temp.{name}'::pg_catalog.regclass)");
        let updated = format!("{} operator(pg_catalog.>) 0", next(UPDATED));
        let counted = match merge.crosses_windows {
            true => format!(
                "case when stored.xmin::pg_catalog.text::bigint operator(pg_catalog.=) any ({own}) \
                 then {} operator(pg_catalog.<) 0 else {updated} end",
                next(OWN)
            ),
            false => updated,
        };
        let conflict = conflict_action(merge, Some(&counted));
        let returned = if self.returns_hashed() { &self.hashed } else { "true" };
        format!(
            "copy (insert into {table} as stored ({columns}){force} select {columns} from pg_temp.{STAGE} \
            {conflict} returning {returned}) to stdout (format binary)"
        )
    }

    /// What moves rows from the stage to the table, if they go through one.
    pub(crate) fn after_copy(&self) -> Option<String> {
        let Self { table, columns, .. } = self;
        (self.staged && self.merge.is_none())
            .then(|| format!("insert into {table} ({columns}) select {columns} from pg_temp.{STAGE}"))
    }

    /// The search path for a statement about all rows of a window. One with a predicate of the user's is pinned, or others
    /// could decide what that means.
    pub(crate) fn path(&self) -> SearchPath {
        if self.scope.is_some() { SearchPath::Pinned } else { SearchPath::Own }
    }

    /// Deletes rows in `window`: those that the given transactions wrote, or all within the scope.
    pub(crate) fn delete(&self, window: &Window, written_by: Option<&[u64]>) -> String {
        format!("delete from {} where {}", self.table, self.predicate(window, written_by))
    }

    /// Whether `window` holds a row within the scope. Without a time column the window is the whole table.
    pub(crate) fn occupied(&self, window: &Window) -> String {
        self.occupied_any(std::slice::from_ref(window))
    }

    /// Whether one of `windows` does.
    pub(crate) fn occupied_any(&self, windows: &[Window]) -> String {
        let predicates = windows.iter().map(|window| format!("({})", self.predicate(window, None)));
        format!("select exists (select from {} where {})", self.table, predicates.collect::<Vec<_>>().join(" or "))
    }

    /// Deletes rows that the given transactions wrote, wherever a trigger has moved them.
    pub(crate) fn delete_anywhere(&self, written_by: &[u64]) -> String {
        format!("delete from {} where {}", self.table, self::written_by(&xid_array(written_by)))
    }

    /// Counts rows that the given transactions wrote: those in `window`, or wherever they are.
    pub(crate) fn count_written(&self, window: Option<&Window>, written_by: &[u64]) -> String {
        let rows = match window {
            Some(window) => self.predicate(window, Some(written_by)),
            None => self::written_by(&xid_array(written_by)),
        };
        format!("select pg_catalog.count(*) from {} where {rows}", self.table)
    }

    /// Compares the rows that carry ids of the job `$1` with its batches: those in `range`, or wherever they are. A line for
    /// each set of windows whose transactions wrote other numbers of rows than recorded.
    pub(crate) fn tally(&self, range: Option<&Window>) -> String {
        let range = range.and_then(|range| self.time_predicate(range)).unwrap_or_else(|| "true".to_owned());
        // Put in between the parts of the text, not into it: a name may hold a mark.
        let (head, tail) = include_str!("tally/compare.sql").split_once("{table}").expect("the text has this mark");
        let (between, tail) = tail.split_once("{range}").expect("the text has this mark");
        format!("{head}{}{between}{range}{tail}", self.table)
    }

    /// Whether rows, those in `window` or wherever they are, carry the transaction id of a change of the table's definition
    /// that is younger than transaction `newest`: then ALTER TABLE rewrote them. `$1` is the table.
    pub(crate) fn rewritten(&self, window: Option<&Window>, newest: u64) -> String {
        let rows = window.and_then(|window| self.time_predicate(window)).unwrap_or_else(|| "true".to_owned());
        rewritten(&self.table, &rows, newest)
    }

    /// Counts rows in `window` that the transaction that asks wrote.
    pub(crate) fn count_own(&self, window: &Window) -> String {
        let time = self.time_predicate(window).map_or_else(String::new, |time| format!("{time} and "));
        let own = "xmin operator(pg_catalog.=) pg_catalog.pg_current_xact_id()::pg_catalog.xid";
        format!("select pg_catalog.count(*) from {} where {time}{own}", self.table)
    }

    /// The table as SQL spells it, where triggers may change rows once they are stored.
    pub(crate) fn followed_table(&self) -> Option<&str> {
        self.followed.then_some(self.table.as_str())
    }

    fn time_predicate(&self, window: &Window) -> Option<String> {
        match (window, &self.time) {
            (Window::Time { start, end }, Some(time)) => Some(time_predicate(&time.name, time.kind, *start, *end)),
            _ => None,
        }
    }

    fn predicate(&self, window: &Window, written_by: Option<&[u64]>) -> String {
        let time = self.time_predicate(window);
        let rows = match written_by {
            Some(xids) => Some(self::written_by(&xid_array(xids))),
            None => self.scope.as_deref().map(scope_predicate),
        };
        let parts: Vec<String> = time.into_iter().chain(rows).collect();
        if parts.is_empty() { "true".to_owned() } else { parts.join(" and ") }
    }
}

/// What becomes of a row whose key is there; it is updated where `condition` holds.
fn conflict_action(merge: &Merge, condition: Option<&str>) -> String {
    let key = if merge.key.is_empty() { String::new() } else { format!(" ({})", column_list(&merge.key)) };
    if !merge.updates() {
        return format!(" on conflict{key} do nothing");
    }
    let set = |name: &String| format!("{0} = excluded.{0}", quote_identifier(name));
    let set = merge.updated.iter().map(set).collect::<Vec<_>>().join(", ");
    let condition = condition.map(|condition| format!(" where {condition}")).unwrap_or_default();
    format!(" on conflict{key} do update set {set}{condition}")
}
