with former as (
  select w.number, w.state
    from pgbackfill.windows w
   where w.job_id = $1 and w.number = $2 and w.run_id = $3::text::uuid
     -- a run that was ended by another claims nothing more
     and exists (select from pgbackfill.runs r where r.id = $3::text::uuid and r.ended_at is null)
     for update
)
update pgbackfill.windows w
   set attempt = w.attempt + case when former.state in ('loaded', 'skipped') then 0 else 1 end
  from former
 where w.job_id = $1 and w.number = former.number
returning w.number, w.lower, w.upper, w.attempt, w.admitted, w.rows, w.bytes, w.rows_skipped, w.rows_updated,
          former.state as former_state
