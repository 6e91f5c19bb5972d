-- Tables below $1 whose deletes ($2) or updates ($3) are published, and which have no replica identity for that; or whose
-- publications have row filters or column lists (PostgreSQL 15 and later), about which the server is to be asked.
-- A partition is published with each of the tables above it.
with recursive tree (oid) as (
  select $1::oid
  union
  select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
),
lineage (leaf, oid) as (
  select c.oid, c.oid
    from tree
    join pg_class c on c.oid = tree.oid
   where c.relkind = 'r' and c.relpersistence = 'p'
  union
  select lineage.leaf, i.inhparent
    from lineage
    join pg_class c on c.oid = lineage.oid and c.relispartition
    join pg_inherits i on i.inhrelid = lineage.oid
)
select n.nspname::text as schema,
       leaf.relname::text as name,
       leaf.relreplident = 'f'
       or exists (select
                    from pg_index i
                   where i.indrelid = leaf.oid and i.indisvalid and i.indimmediate
                     and case leaf.relreplident
                         when 'd' then i.indisprimary
                         when 'i' then i.indisreplident
                         else false end) as has_identity,
       array_agg(distinct p.pubname::text order by p.pubname::text) as publications
  from pg_publication p
  join pg_publication_tables listed on listed.pubname = p.pubname
  join pg_namespace listed_in on listed_in.nspname = listed.schemaname
  join pg_class c on c.relname = listed.tablename and c.relnamespace = listed_in.oid
  join lineage on lineage.oid = c.oid
  join pg_class leaf on leaf.oid = lineage.leaf
  join pg_namespace n on n.oid = leaf.relnamespace
 where $2 and p.pubdelete or $3 and p.pubupdate
 group by leaf.oid, n.nspname, leaf.relname, leaf.relreplident
 order by 1, 2
