-- What of a table decides how rows sent to it are read and stored, a line for each part. A table that is gone has none.
-- Partitions are found without locking them all, for this runs in every batch.
with recursive tree (oid) as (
  select $1::oid
  union all
  select i.inhrelid
    from tree
    join pg_class parent on parent.oid = tree.oid and parent.relkind = 'p'
    join pg_inherits i on i.inhparent = parent.oid
)
select 'table' as part, n.nspname::text as name, c.relname::text as definition, row_security_active(c.oid) as flag,
       0 as position
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where c.oid = $1
union all
-- Names of types do not depend on the search path: only those of pg_catalog stand without their schema.
select 'column',
       a.attname,
       case when coalesce(e.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace
            then format_type(a.atttypid, a.atttypmod)
            else format('%I.%I%s', tn.nspname, coalesce(e.typname, t.typname), case when e.oid is not null then '[]' end)
                 || case when a.atttypmod >= 0 then format(' (modifier %s)', a.atttypmod) else '' end
       end
       || case when a.attnotnull then ' not null' else '' end
       || case when a.attgenerated <> '' then ' generated' when a.attidentity <> '' then ' identity' else '' end,
       not a.attnotnull or a.atthasdef or a.attidentity <> '',
       a.attnum
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  left join pg_type e on e.typarray = t.oid
  join pg_namespace tn on tn.oid = coalesce(e.typnamespace, t.typnamespace)
 where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
union all
-- Row triggers that run before or instead of an insert: of the bits of tgtype, 1 is row, 2 before, 4 insert, 64 instead of.
select distinct 'trigger', t.tgname, '', false, 0
  from tree
  join pg_trigger t on t.tgrelid = tree.oid
 where not t.tgisinternal
   and t.tgenabled::text in ('A', case current_setting('session_replication_role') when 'replica' then 'R' else 'O' end)
   and t.tgtype & 5 = 5
   and t.tgtype & 66 <> 0
 order by position, name
