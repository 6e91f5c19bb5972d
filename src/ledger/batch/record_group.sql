-- Marks whole windows as loaded, in the transaction that copied their rows. It admits them too, and each has its own entry.
-- They are in order and near each other: the range keeps the server from reading all windows of the job.
with entry as (
  select *
    from unnest($3::bigint[], $4::integer[], $5::bigint[], $6::bigint[], $7::bytea[]) as e (number, attempt, rows, bytes, row_hash)
),
held as (
  update pgbackfill.windows w
     set state = 'loaded', loaded_at = now(), admitted = true, batches = (e.rows > 0)::integer, rows = e.rows,
         bytes = e.bytes, row_hash = e.row_hash, rows_skipped = 0, rows_updated = 0, rejected = 0
    from entry e
   where w.job_id = $1
     and w.number = e.number
     and w.number >= ($3::bigint[])[1]
     and w.number <= ($3::bigint[])[cardinality($3::bigint[])]
     and w.run_id = $2::text::uuid
     and w.attempt = e.attempt
     and w.state = 'loading'
  returning w.job_id, w.number, w.attempt, w.batches, w.rows, w.bytes
)
insert into pgbackfill.batches (job_id, number, attempt, batch, xid, rows, bytes)
select job_id, number, attempt, batches, pg_current_xact_id(), rows, bytes
  from held
