//! Why rows of a job may not be found: ALTER TABLE wrote them anew.

/// A statement that says whether one of the rows that `predicate` selects was written by a change of the table's definition
/// which is younger than transaction `newest`. `table` is as SQL spells it, and is `$1` too.
///
/// A type that changes, or a column that is added with a volatile default, makes the server write every row anew, under the
/// id of that transaction; so do the entries of the catalog that it writes.
pub(crate) fn rewritten(table: &str, predicate: &str, newest: u64) -> String {
    let newest = newest & u64::from(u32::MAX);
    format!(
        "with recursive tree (oid) as (
           select to_regclass($1)::oid
           union all
           select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
         )
         select exists (select
                          from {table}
                         where {predicate}
                           and age(xmin) < age('{newest}'::xid)
                           and xmin in (select c.xmin from pg_class c where c.oid in (select oid from tree)
                                        union all
                                        select a.xmin from pg_attribute a where a.attrelid in (select oid from tree)))"
    )
}
