select id::text,
       host,
       pid,
       process,
       to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since,
       ceil(extract(epoch from lease_until - now()))::bigint as lease_seconds
  from pgbackfill.runs
 where job_id = $1 and ended_at is null and lease_until > now()
