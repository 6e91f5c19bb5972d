-- What of table $1 runs code of a role that this one does not trust when rows are read, or deleted where $2 says so.
, target as (
  select c.*, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
   where c.oid = to_regclass($1)
),
foreign_code (what, owner) as (
  select 'view ' || name, relowner from target where relkind = 'v'
  union all
  select 'policies of ' || name, relowner from target where row_security_active(oid)
  union all
  select 'rules of ' || name, relowner
    from target
   where $2 and exists (select from pg_rewrite r where r.ev_class = target.oid and r.ev_type = '4')
  union all
  -- of the bits of tgtype, 8 is delete
  select format('trigger %I on %s', t.tgname, t.tgrelid::regclass), p.proowner
    from target
    join pg_trigger t on t.tgrelid = target.oid or t.tgrelid in (select relid from pg_partition_tree(target.oid))
    join pg_proc p on p.oid = t.tgfoid
   where $2 and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 8 = 8
)
select what, quote_ident(pg_get_userbyid(owner)) as owner, (select quote_ident(rolname) from me) as role
  from foreign_code
 where owner not in (select oid from trusted)
 order by what
 limit 1
