insert into pgbackfill.runs (id, job_id, host, pid, process, lease_until)
values (coalesce($6::text::uuid, gen_random_uuid()), $1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
returning id::text
