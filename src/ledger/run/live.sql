select r.id::text,
       j.name as job,
       r.host,
       r.pid,
       r.process,
       to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since,
       ceil(extract(epoch from r.lease_until - clock_timestamp()))::bigint as lease_seconds
  from pgbackfill.runs r
  join pgbackfill.jobs j on j.id = r.job_id
 where r.job_id = $1 and r.ended_at is null and r.lease_until > clock_timestamp()
 order by r.started_at
