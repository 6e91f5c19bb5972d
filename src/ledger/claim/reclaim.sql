with former as (
  select w.number, w.state
    from pgbackfill.windows w
   where w.job_id = $1 and w.number = $2 and w.run_id = $3::text::uuid
     for update
)
update pgbackfill.windows w
   set attempt = w.attempt + case former.state when 'loaded' then 0 else 1 end
  from former
 where w.job_id = $1 and w.number = former.number
returning w.number, w.lower, w.upper, w.attempt, w.admitted, w.rows, w.bytes, former.state as former_state
