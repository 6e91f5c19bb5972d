with held as (
  update pgbackfill.windows
     set batches = $6, rows = $7, bytes = $8, row_hash = $9, rows_skipped = $12, rows_updated = $13, rejected = $16,
         state = case when $5 then 'loaded' else state end,
         loaded_at = case when $5 then now() end
   where job_id = $1 and number = $2 and run_id = $3::text::uuid and attempt = $4 and state = 'loading'
  returning job_id, number, attempt
)
insert into pgbackfill.batches (job_id, number, attempt, batch, xid, rows, bytes, rows_skipped, rows_updated)
select job_id, number, attempt, $6, pg_current_xact_id(), $10, $11, $14, $15
  from held
