-- The roles that this one trusts. Other statements go on from here.
with me as (
  select oid, rolname, rolsuper from pg_roles where rolname = current_user
),
trusted as (
  select r.oid
    from pg_roles r, me
   where r.rolsuper
      or r.oid = me.oid
      or r.oid = (select datdba from pg_database where datname = current_database())
      or not me.rolsuper and pg_has_role(me.oid, r.oid, 'member')
)
