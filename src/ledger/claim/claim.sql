with oldest as (
  select w.number
    from pgbackfill.windows w
   where w.job_id = $1
     and (w.state = 'pending'
          or w.state = 'loading'
             and not exists (select from pgbackfill.runs r
                              where r.id = w.run_id and r.ended_at is null and r.lease_until > now()))
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
returning w.number, w.lower, w.upper, w.attempt, w.admitted
