-- Row triggers that run before or instead of an insert, on the table or on any of its partitions:
-- of the bits of tgtype, 1 is row, 2 before, 4 insert, 64 instead of.
select distinct t.tgname::text
  from pg_trigger t
 where (t.tgrelid = $1 or t.tgrelid in (select relid from pg_partition_tree($1)))
   and not t.tgisinternal
   and t.tgenabled in ('O', 'A')
   and t.tgtype & 5 = 5
   and t.tgtype & 66 <> 0
 order by 1
