-- As for the rows of one window (status/transactions.sql), for all batches of a job.
select coalesce((select pg_snapshot_xmax(pg_current_snapshot())::text::numeric - xid::text::numeric > 2147483647
                   from pgbackfill.batches
                  where job_id = $1
                  order by xid
                  limit 1), false)
       or exists (select from pgbackfill.jobs where id = $1 and cluster <> (pg_control_system()).system_identifier)
