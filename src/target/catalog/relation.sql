select c.oid,
       n.nspname::text as schema,
       c.relname::text as name,
       c.relkind::text as kind,
       -- bit 3 of the set of commands that a relation supports is insert
       pg_relation_is_updatable(c.oid, true) & 8 <> 0 as insertable,
       -- The server stores no row where none of a view's INSTEAD OF triggers fires, and reports no error.
       exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgtype & 68 = 68)
       and not exists (select
                         from pg_trigger t
                        where t.tgrelid = c.oid
                          and t.tgtype & 68 = 68
                          and t.tgenabled::text in ('A', case current_setting('session_replication_role') when 'replica' then 'R' else 'O' end)) as loses_rows,
       c.relpersistence = 'u' as unlogged,
       -- whether every row stands in a heap, and so carries the id of the transaction that wrote it
       c.relkind in ('r', 'p')
       and not exists (select
                         from pg_class part
                         left join pg_am method on method.oid = part.relam
                        where (part.oid = c.oid or part.oid in (select relid from pg_partition_tree(c.oid)))
                          and part.relkind <> 'p'
                          and method.amname is distinct from 'heap') as in_heaps,
       -- COPY refuses row-level security, and takes only those views that a trigger fills
       case when c.relkind = 'v'
            then exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgtype & 68 = 68)
            else not row_security_active(c.oid) end as takes_copy,
       -- rules that say what an insert is to do beside itself, or instead; COPY does not know them
       c.relkind in ('r', 'p')
       and exists (select from pg_rewrite rule where rule.ev_class = c.oid and rule.ev_type = '3') as insert_rules
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where c.oid = $1
