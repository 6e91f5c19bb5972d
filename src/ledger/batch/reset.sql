update pgbackfill.windows
   set admitted = true, batches = 0, rows = 0, bytes = 0, rows_skipped = 0, rows_updated = 0, rejected = 0, row_hash = null
 where job_id = $1 and number = $2
