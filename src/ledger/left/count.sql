with open as (
  select w.state,
         w.run_id,
         w.state = 'loading'
         and (w.run_id = $2::text::uuid
              or exists (select from pgbackfill.runs r
                          where r.id = w.run_id and r.ended_at is null and r.lease_until > clock_timestamp())) as is_claimed
    from pgbackfill.windows w
   where w.job_id = $1 and w.state in ('pending', 'loading', 'failed')
)
select count(*) filter (where state <> 'failed' and not is_claimed) as open,
       count(*) filter (where is_claimed and run_id = $2::text::uuid) as own,
       count(*) filter (where is_claimed and run_id <> $2::text::uuid) as elsewhere,
       count(*) filter (where state = 'failed') as failed
  from open
