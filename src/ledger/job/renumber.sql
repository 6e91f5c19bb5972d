-- Below zero at first, where no number can meet one that is still taken. A run that thaws must not take a window for the
-- one that had its number before.
update pgbackfill.windows w
   set number = -1 - moved.becomes, lower = moved.lower, upper = moved.upper, run_id = null
  from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) moved (number, becomes, lower, upper)
 where w.job_id = $1 and w.number = moved.number
