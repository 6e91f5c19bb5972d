-- Connections that this role may have here, and how many of them are free, by each limit that binds it.
with me as (
  select oid, rolsuper, rolconnlimit from pg_roles where rolname = session_user
),
here as (
  select oid, datconnlimit from pg_database where datname = current_database()
),
limits (what, name, most, used) as (
  select 'server', '',
         current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
         - coalesce(current_setting('reserved_connections', true)::bigint, 0),
         (select count(*) from pg_stat_activity where backend_type = 'client backend')
  union all
  select 'role', session_user::text, rolconnlimit,
         (select count(*) from pg_stat_activity where usesysid = me.oid)
    from me
   where not rolsuper and rolconnlimit >= 0
  union all
  select 'database', current_database()::text, datconnlimit,
         (select count(*) from pg_stat_activity where datid = here.oid)
    from here, me
   where not rolsuper and datconnlimit >= 0
)
select what, name, most, most - used as free
  from limits
 order by most
