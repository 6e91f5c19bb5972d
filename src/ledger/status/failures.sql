select lower, upper, error
  from pgbackfill.windows
 where job_id = $1 and state = 'failed'
 order by number
 limit 20
