-- What the role lacks: a line for each privilege, with the statement that grants it. $1 and $2 name the table, $3 holds the
-- columns that are inserted into, $4 those that are read back, $5 asks for delete and $6 for temporary tables,
-- $7 holds the columns that are updated.
with target as (
  select c.oid, n.oid as schema, n.nspname, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
   where n.nspname = $1 and c.relname = $2
),
ledger as (
  select n.oid as schema, exists (select from pg_class c where c.relnamespace = n.oid and c.relname = 'batches') as is_made
    from pg_namespace n
   where n.nspname = 'pgbackfill'
),
-- By column, for a grant may name some: the role lacks those that no grant to it or to its roles covers.
columns as (
  select t.name, wanted.privilege, count(*) = cardinality(wanted.columns) as lacks_all,
         string_agg(quote_ident(a.attname), ', ' order by a.attnum) as list
    from target t
   cross join (values (1, 'insert', $3::text[]), (2, 'select', $4::text[]), (3, 'update', $7::text[])) wanted (place, privilege, columns)
    join pg_attribute a on a.attrelid = t.oid and a.attname = any (wanted.columns) and not a.attisdropped
   where not has_column_privilege(t.oid, a.attnum, wanted.privilege)
   group by t.name, wanted.place, wanted.privilege, wanted.columns
),
-- A default that takes the next number of a sequence does so as the role. Materialized, for the question after the right is an
-- error where it is asked of anything else.
sequences as materialized (
  select distinct s.oid, format('%I.%I', n.nspname, s.relname) as name
    from target t
    join pg_attrdef d on d.adrelid = t.oid
    join pg_attribute a on a.attrelid = t.oid and a.attnum = d.adnum and a.attname <> all ($3::text[])
    join pg_depend on pg_depend.classid = 'pg_attrdef'::regclass and pg_depend.objid = d.oid
                  and pg_depend.refclassid = 'pg_class'::regclass
    join pg_class s on s.oid = pg_depend.refobjid and s.relkind = 'S'
    join pg_namespace n on n.oid = s.relnamespace
),
lacking (place, privilege, object) as (
  select 1, 'create', format('database %I', current_database())
   where not exists (select from ledger) and not has_database_privilege(current_database(), 'create')
  union all
  select 2, 'create', 'schema pgbackfill'
    from ledger where not is_made and not has_schema_privilege(schema, 'create')
  union all
  select 3, 'usage', 'schema pgbackfill'
    from ledger where not has_schema_privilege(schema, 'usage')
  union all
  select 4, 'select, insert, update, delete', 'all tables in schema pgbackfill'
    from ledger
   where is_made
     and exists (select
                   from pg_class c
                  cross join unnest(case c.relname when 'version' then array['select']
                                    else array['select', 'insert', 'update', 'delete'] end) privilege
                  where c.relnamespace = ledger.schema and c.relkind = 'r'
                    and not has_table_privilege(c.oid, privilege))
  union all
  select 5, 'usage', format('schema %I', nspname)
    from target where not has_schema_privilege(schema, 'usage')
  union all
  select 6, privilege || case when lacks_all then '' else format(' (%s)', list) end, name
    from columns
  union all
  select 7, 'delete', name
    from target where $5 and not has_table_privilege(oid, 'delete')
  union all
  select 8, 'usage', 'sequence ' || name
    from sequences where not has_sequence_privilege(oid, 'usage, update')
  union all
  select 9, 'temporary', format('database %I', current_database())
   where $6 and not has_database_privilege(current_database(), 'temporary')
)
select privilege, object, quote_ident(current_user) as role
  from lacking
 order by place, object, privilege
