update pgbackfill.windows
   set state = 'pending'
 where job_id = $1 and run_id = $2::text::uuid and state = 'loading'
