with oldest as (
  select w.number
    from pgbackfill.windows w
   where w.job_id = $1
     and w.number >= $3
     and w.state in ('pending', 'loading')
     and (w.state = 'pending'
          -- what a run has claimed itself is its workers', however late its lease is
          or w.run_id <> $2::text::uuid
             and not exists (select from pgbackfill.runs r
                              where r.id = w.run_id and r.ended_at is null and r.lease_until > clock_timestamp()))
     -- a run that was ended by another claims nothing more
     and exists (select from pgbackfill.runs r where r.id = $2::text::uuid and r.ended_at is null)
   order by w.number
   limit 1
     for update skip locked
)
update pgbackfill.windows w
   set state = 'loading',
       attempt = w.attempt + 1,
       run_id = $2::text::uuid,
       claimed_at = now(),
       error = null
  from oldest
 where w.job_id = $1 and w.number = oldest.number
returning w.number, w.lower, w.upper, w.attempt, w.admitted,
          (select o.number
             from pgbackfill.windows o
            where o.job_id = $1 and o.number >= $3 and o.state in ('pending', 'loading', 'failed')
            order by o.number
            limit 1) as floor
