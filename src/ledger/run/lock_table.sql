-- One lock for each relation without a parent that the table is, or is a part of. In one order, so that two never wait for
-- each other.
with recursive lineage (oid) as (
  select c.oid
    from parse_ident($1) name
    join pg_namespace n on n.nspname = name[1]
    join pg_class c on c.relnamespace = n.oid and c.relname = name[2]
  union
  select i.inhparent from pg_inherits i join lineage on lineage.oid = i.inhrelid
)
select pg_advisory_xact_lock(hashtextextended('pgbackfill table ' || root, 0))
  from (select l.oid::text as root
          from lineage l
         where not exists (select from pg_inherits i where i.inhrelid = l.oid)
         order by 1
        offset 0) roots
