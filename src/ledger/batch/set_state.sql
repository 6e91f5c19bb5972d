update pgbackfill.windows
   set state = $5, error = $6
 where job_id = $1 and number = $2 and run_id = $3::text::uuid and attempt = $4 and state = 'loading'
