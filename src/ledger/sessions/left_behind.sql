select a.pid,
       a.application_name as application,
       to_char(coalesce(a.xact_start, a.backend_start) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since
  from pgbackfill.runs r
  join pg_stat_activity a on a.application_name = 'pgbackfill/' || r.id
 where r.job_id = $1
   and r.id <> $2::text::uuid
   and (r.ended_at is not null or r.lease_until <= clock_timestamp())
   and a.datname = current_database()
 order by a.pid
