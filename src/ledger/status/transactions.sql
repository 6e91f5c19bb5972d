-- xmin holds 32 bits: past half of their circle, a row of a later transaction could be taken for one of these.
select coalesce(array_agg(xid::text), '{}') as xids,
       coalesce(pg_snapshot_xmax(pg_current_snapshot())::text::numeric - min(xid::text::numeric) > 2147483647, false) as too_old
  from pgbackfill.batches
 where job_id = $1 and number = $2
