-- What the process {pid} waits for: one row for each process that it waits for, or one for none.
select me.state,
       concat_ws(' ', me.wait_event_type, me.wait_event) as event,
       wanted.locktype,
       case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end as relation,
       blocker.pid as blocker,
       other.usename,
       coalesce(nullif(other.application_name, ''), other.backend_type) as application,
       other.state as blocker_state,
       greatest(0, extract(epoch from clock_timestamp() - other.state_change))::bigint as seconds
  from pg_stat_activity me
  left join lateral (select l.locktype, l.relation from pg_locks l where l.pid = me.pid and not l.granted limit 1) wanted on true
  -- who waits for a row's last writer holds the right to be the next on that row
  left join lateral (select l.relation from pg_locks l where l.pid = me.pid and l.locktype = 'tuple' limit 1) row_of on true
  left join pg_class c on c.oid = coalesce(wanted.relation, row_of.relation)
  left join pg_namespace n on n.oid = c.relnamespace
  left join lateral (select distinct unnest(pg_blocking_pids(me.pid)) as pid) blocker on true
  left join pg_stat_activity other on other.pid = blocker.pid
 where me.pid = {pid}
 order by blocker.pid
