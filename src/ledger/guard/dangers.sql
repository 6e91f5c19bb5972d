-- What in the ledger could run code of a role that this one does not trust, worst first, each with what to do about it.
, ledger as (
  select oid, nspowner from pg_namespace where nspname = 'pgbackfill'
),
tables as (
  select c.*, format('pgbackfill.%I', c.relname) as name
    from pg_class c
    join ledger on ledger.oid = c.relnamespace
   where c.relname in ('version', 'jobs', 'objects', 'runs', 'windows', 'batches', 'rejects') and c.relkind not in ('i', 'I', 'c')
),
dangers (place, danger, remedy) as (
  select 1, format('schema pgbackfill belongs to role %I', pg_get_userbyid(nspowner)),
         format('connect as role %I; or, if its jobs are not needed, drop schema pgbackfill cascade and have this role or '
                'an administrator make the ledger with pgbackfill init', pg_get_userbyid(nspowner))
    from ledger where nspowner not in (select oid from trusted)
  union all
  select 2, format('%s belongs to role %I', name, pg_get_userbyid(relowner)),
         format('connect as role %I; or, if its jobs are not needed, drop schema pgbackfill cascade and have this role or '
                'an administrator make the ledger with pgbackfill init', pg_get_userbyid(relowner))
    from tables where relowner not in (select oid from trusted)
  union all
  select 3, format('%s is not a plain table', name), 'drop schema pgbackfill cascade, and make the ledger with pgbackfill init'
    from tables
   where relkind <> 'r' or relpersistence <> 'p' or relispartition or relrowsecurity or reloftype <> 0
      or exists (select from pg_inherits i where tables.oid in (i.inhrelid, i.inhparent))
  union all
  select 4, format('trigger %I on %s calls a function of role %I', t.tgname, name, pg_get_userbyid(p.proowner)),
         format('drop trigger %I on %s', t.tgname, name)
    from tables
    join pg_trigger t on t.tgrelid = tables.oid and not t.tgisinternal
    join pg_proc p on p.oid = t.tgfoid
   where p.proowner not in (select oid from trusted)
  union all
  select 5, format('rule %I on %s', r.rulename, name), format('drop rule %I on %s', r.rulename, name)
    from tables
    join pg_rewrite r on r.ev_class = tables.oid
   where relkind = 'r'
  union all
  select 6, format('the default of %s.%I', name, a.attname), format('alter table %s alter %I drop default', name, a.attname)
    from tables
    join pg_attrdef d on d.adrelid = tables.oid
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
   where a.attgenerated <> ''
      or pg_get_expr(d.adbin, d.adrelid) !~ '^([0-9]+|true|false|''[a-z]*''::text|now\(\)|gen_random_uuid\(\)|\(pg_control_system\(\)\)\.system_identifier)$'
  union all
  select 7, format('the type of %s.%I', name, a.attname), 'drop schema pgbackfill cascade, and make the ledger with pgbackfill init'
    from tables
    join pg_attribute a on a.attrelid = tables.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
   where t.typnamespace <> 'pg_catalog'::regnamespace
  union all
  select 8, format('constraint %I on %s', o.conname, o.conrelid::regclass), format('alter table %s drop constraint %I', o.conrelid::regclass, o.conname)
    from tables
    join pg_constraint o on tables.oid = o.conrelid and o.contype in ('c', 'x')
                         or tables.oid = o.confrelid and o.conrelid not in (select oid from tables)
   where pg_get_constraintdef(o.oid)
         <> 'CHECK ((state = ANY (ARRAY[''pending''::text, ''loading''::text, ''loaded''::text, ''skipped''::text, ''failed''::text])))'
  union all
  select 9, format('index %s', i.indexrelid::regclass), format('drop index %s', i.indexrelid::regclass)
    from tables
    join pg_index i on i.indrelid = tables.oid
   where i.indexprs is not null
      or pg_get_expr(i.indpred, i.indrelid) not in ('(ended_at IS NULL)', '(rejected > 0)',
                                                    '(state = ANY (ARRAY[''pending''::text, ''loading''::text, ''failed''::text]))')
  union all
  select distinct 10, format('role %s may add triggers to %s', g.role, name),
         format('revoke trigger, references on all tables in schema pgbackfill from %s', g.role)
    from tables
   cross join lateral (select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as role
                         from aclexplode(tables.relacl) a
                        where a.privilege_type in ('TRIGGER', 'REFERENCES') and a.grantee not in (select oid from trusted)) g
)
select danger, remedy, (select quote_ident(rolname) from me) as role
  from dangers
 order by place, danger
 limit 3
