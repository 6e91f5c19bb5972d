-- Windows behind a claimed one that nobody has ever begun: no earlier attempt has left anything in them. Those that other
-- workers are just claiming are passed over, but not far.
with fresh as (
  select w.number
    from pgbackfill.windows w
   where w.job_id = $1
     and w.number > $3
     and w.number <= $3 + 4 * $4
     and w.state = 'pending'
     and w.attempt = 0
     -- a run that was ended by another claims nothing more
     and exists (select from pgbackfill.runs r where r.id = $2::text::uuid and r.ended_at is null)
   order by w.number
   limit $4
     for update skip locked
)
update pgbackfill.windows w
   set state = 'loading',
       attempt = w.attempt + 1,
       run_id = $2::text::uuid,
       claimed_at = now(),
       error = null
  from fresh
 where w.job_id = $1 and w.number = fresh.number and w.number > $3 and w.number <= $3 + 4 * $4
returning w.number, w.lower, w.upper, w.attempt, w.admitted
