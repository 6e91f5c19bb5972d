-- Leaf partitions of a table by ranges of one column that may be emptied by truncate instead of delete: nobody would miss
-- what only a delete does. Whether they hold nothing but the job's rows is seen under a lock.
select c.oid, n.nspname::text as schema, c.relname::text as name, bound[1] as lower, bound[2] as upper
  from pg_partitioned_table p
  join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0] and a.attname = $2
  join pg_class root on root.oid = p.partrelid
  join pg_namespace root_schema on root_schema.oid = root.relnamespace
  join pg_inherits i on i.inhparent = p.partrelid
  join pg_class c on c.oid = i.inhrelid and c.relkind = 'r'
  join pg_namespace n on n.oid = c.relnamespace
 cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.+)\) TO \((.+)\)$') bound
 where p.partrelid = to_regclass($1)
   and p.partstrat = 'r'
   and p.partnatts = 1
   and bound is not null
   and has_table_privilege(c.oid, 'truncate')
   -- policies hide rows from a count, and not from truncate
   and not row_security_active(c.oid)
   and not exists (select from pg_constraint f where f.contype = 'f' and f.confrelid in (c.oid, p.partrelid))
   -- of the bits of tgtype, 8 is delete and 32 truncate
   and not exists (select
                     from pg_trigger t
                    where t.tgrelid in (c.oid, p.partrelid)
                      and not t.tgisinternal
                      and t.tgenabled <> 'D'
                      and t.tgtype & 40 <> 0)
   and not exists (select from pg_rewrite r where r.ev_class in (c.oid, p.partrelid) and r.ev_type = '4')
   -- a subscriber may be sent deletes and no truncates
   and not exists (select
                     from pg_publication_tables t
                    where (t.schemaname, t.tablename) in ((n.nspname, c.relname), (root_schema.nspname, root.relname)))
