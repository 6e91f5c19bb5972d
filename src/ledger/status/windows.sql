select number, lower, upper, state, attempt, rows, bytes, rows_skipped, rows_updated, rejected, row_hash, error, source
  from pgbackfill.windows
 where job_id = $1
 order by number
