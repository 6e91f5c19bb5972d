update pgbackfill.windows w
   set state = 'pending'
  from (select number
          from pgbackfill.windows
         where job_id = $1 and run_id = $2::text::uuid and state = 'loading'
           for update skip locked) mine
 where w.job_id = $1 and w.number = mine.number
