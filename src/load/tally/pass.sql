-- What a pass over the job's rows reads: bytes of the table with its partitions or children, and whether an index or the
-- partitions find the rows of a range of time. $1 is the table, $2 the time column, $3 the job.
with recursive tree (oid) as (
  select to_regclass($1)::oid
  union all
  select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
)
select coalesce((select sum(pg_relation_size(oid)) from tree), 0)::bigint as table_bytes,
       coalesce((select sum(bytes) from pgbackfill.windows where job_id = $3), 0)::bigint as loaded_bytes,
       exists (select
                 from pg_attribute a
                where a.attrelid = to_regclass($1)
                  and a.attname = $2
                  and (exists (select
                                 from pg_index i
                                where i.indrelid = a.attrelid
                                  and i.indisvalid
                                  and i.indpred is null
                                  and i.indkey[0] = a.attnum)
                       or exists (select
                                    from pg_partitioned_table p
                                   where p.partrelid = a.attrelid
                                     and p.partstrat = 'r'
                                     and p.partattrs[0] = a.attnum))) as is_served
