-- Looked up in the catalog: to name a table in a schema that the role may not use is an error.
select coalesce(bool_or(c.relname = 'batches'), false) as is_made,
       coalesce(bool_or(c.relname = 'version'), false) as has_version,
       coalesce(bool_and(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')), false) as is_readable
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'pgbackfill' and c.relkind = 'r'
