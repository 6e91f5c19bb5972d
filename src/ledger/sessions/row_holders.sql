-- Whoever locked a row or wrote a new version of it has left the id of its transaction as the row's xmax, and holds a lock on
-- that id until its end. A row that several hold at once is not found so: no run of ours shares one.
select distinct
       a.pid,
       a.application_name as application,
       to_char(coalesce(a.xact_start, a.backend_start) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since
  from pgbackfill.windows w
  join pg_locks l on l.locktype = 'transactionid' and l.granted and l.transactionid = w.xmax
  join pg_stat_activity a on a.pid = l.pid
 where w.job_id = $1
   and w.state in ('pending', 'loading')
   and (w.state = 'pending'
        or not exists (select from pgbackfill.runs r
                        where r.id = w.run_id and r.ended_at is null and r.lease_until > clock_timestamp()))
 order by a.pid
