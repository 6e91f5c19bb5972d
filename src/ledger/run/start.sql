insert into pgbackfill.runs (job_id, host, pid, process, lease_until)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
returning id::text
