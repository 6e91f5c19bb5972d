-- The rows of each transaction of job $1, as recorded and as found in one pass. One transaction may have written rows of
-- several windows: these are compared together. Table and range are put in before it is sent. Never name their marks in
-- a comment: a name may hold the end of a line.
with recorded as (
  select xid::xid as id, sum(rows) as rows, array_agg(distinct number order by number) as numbers
    from pgbackfill.batches
   where job_id = $1
   group by pgbackfill.batches.xid
),
found as (
  select xmin as id, count(*) as rows
    from {table}
   where {range} and xmin in (select xid::xid from pgbackfill.batches where job_id = $1)
   group by 1
)
select numbers, sum(recorded.rows)::bigint as loaded, coalesce(sum(found.rows), 0)::bigint as found
  from recorded
  left join found using (id)
 group by numbers
having bool_or(recorded.rows <> coalesce(found.rows, 0))
 order by numbers
