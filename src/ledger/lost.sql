-- What is left of job $1, run $2 and window $3. Attempts of a window only grow.
select exists (select from pgbackfill.jobs where id = $1) as has_job,
       (select ended_at is not null from pgbackfill.runs where id = $2::text::uuid) as has_ended,
       (select attempt from pgbackfill.windows where job_id = $1 and number = $3) as attempt
