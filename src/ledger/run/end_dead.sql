update pgbackfill.runs r
   set ended_at = clock_timestamp()
  from (select id
          from pgbackfill.runs
         where id = $1::text::uuid and ended_at is null
           for update skip locked) dead
 where r.id = dead.id
