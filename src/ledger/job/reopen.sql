update pgbackfill.windows w
   set state = 'pending', source = again.source, admitted = w.admitted and not again.admit, loaded_at = null, error = null,
       run_id = null, rejected = 0
  from unnest($2::bigint[], $3::bytea[], $4::boolean[]) again (number, source, admit)
 where w.job_id = $1 and w.number = again.number
