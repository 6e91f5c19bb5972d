select coalesce(sum(w.rows), 0)::bigint as rows,
       min(w.lower) as lower,
       max(w.upper) as upper,
       (select j.cluster = (pg_control_system()).system_identifier from pgbackfill.jobs j where j.id = $1) as is_here
  from pgbackfill.windows w
 where w.job_id = $1 and w.state = 'loaded' and w.rows > 0
