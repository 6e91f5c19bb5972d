select from pgbackfill.windows
 where job_id = $1 and number = $2 and run_id = $3::text::uuid and attempt = $4 and state = 'loading'
   for update
