-- Windows that a claim would get: open, and nobody holds their rows. Their locks end with this statement's transaction.
select count(*)
  from (select
          from pgbackfill.windows w
         where w.job_id = $1
           and w.state in ('pending', 'loading')
           and (w.state = 'pending'
                or w.run_id <> $2::text::uuid
                   and not exists (select from pgbackfill.runs r
                                    where r.id = w.run_id and r.ended_at is null and r.lease_until > clock_timestamp()))
           for update skip locked) free
