update pgbackfill.runs
   set lease_until = clock_timestamp() + make_interval(secs => $2)
 where id = $1::text::uuid and ended_at is null
