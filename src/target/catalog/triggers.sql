-- Triggers of an insert, on the table or on any of its partitions, and whether they may change a row on its way in: those do
-- that run for each row before or instead of the insert. Those that run after it find the row stored.
-- A trigger fires where it is enabled for the session's session_replication_role, which a role or a database may set.
-- Of the bits of tgtype, 1 is row, 2 before, 4 insert, 64 instead of.
select t.tgname::text as name,
       bool_or(t.tgtype & 1 = 1 and t.tgtype & 66 <> 0) as rewriting,
       bool_or(t.tgtype & 66 = 0) as following
  from pg_trigger t
 where (t.tgrelid = $1 or t.tgrelid in (select relid from pg_partition_tree($1)))
   and not t.tgisinternal
   and t.tgenabled::text in ('A', case current_setting('session_replication_role') when 'replica' then 'R' else 'O' end)
   and t.tgtype & 4 = 4
 group by 1
 order by 1
