-- What this transaction has done so far to a table and to the partitions and children below it, by the counters that the
-- server keeps for its statistics.
with recursive family (member) as (
  select to_regclass($1)::oid
  union
  select i.inhrelid from family join pg_inherits i on i.inhparent = family.member
)
select coalesce(sum(pg_stat_get_xact_tuples_inserted(member)), 0)::bigint as inserted,
       coalesce(sum(pg_stat_get_xact_tuples_updated(member) + pg_stat_get_xact_tuples_deleted(member)), 0)::bigint as changed
  from family
