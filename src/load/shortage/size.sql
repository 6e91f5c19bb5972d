-- Bytes that a table takes with its partitions or chunks, their indexes and toasted values.
with recursive tree (oid) as (
  select to_regclass($1)::oid
  union all
  select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
)
select sum(pg_total_relation_size(oid))::bigint from tree
