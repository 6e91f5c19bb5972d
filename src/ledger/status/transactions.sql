-- xmin holds 32 bits: past half of their circle, a row of a later transaction could be taken for one of these. So could any
-- row of another cluster, into which table and ledger were restored.
select coalesce(array_agg(xid::text), '{}') as xids,
       coalesce(sum(rows), 0)::bigint as rows,
       coalesce(sum(rows_updated), 0)::bigint as rows_updated,
       coalesce(pg_snapshot_xmax(pg_current_snapshot())::text::numeric - min(xid::text::numeric) > 2147483647, false) as too_old,
       (select name from pgbackfill.jobs where id = $1) as job,
       count(*) > 0 and exists (select
                                  from pgbackfill.jobs
                                 where id = $1 and cluster <> (pg_control_system()).system_identifier) as elsewhere
  from pgbackfill.batches
 where job_id = $1 and number = $2
