-- Runs whose lease ran out an hour ago: of a job that is complete, they have nothing left to do. A run that was frozen for less
-- is to find out for itself that all is loaded.
update pgbackfill.runs r
   set ended_at = clock_timestamp()
  from (select id
          from pgbackfill.runs
         where job_id = $1 and ended_at is null and lease_until <= clock_timestamp() - interval '1 hour'
           for update skip locked) expired
 where r.id = expired.id
