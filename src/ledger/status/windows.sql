select number, lower, upper, state, attempt, rows, bytes, row_hash, error, source
  from pgbackfill.windows
 where job_id = $1
 order by number
