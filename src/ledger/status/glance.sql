select to_char(j.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as created,
       coalesce((select min(lower) from pgbackfill.windows w
                  where w.job_id = j.id and w.state in ('pending', 'loading', 'failed')),
                (select max(upper) from pgbackfill.windows w where w.job_id = j.id)) as frontier,
       coalesce((select sum(w.rows) / 60.0 from pgbackfill.windows w
                  where w.job_id = j.id and w.loaded_at > now() - interval '60 s'), 0)::float8 as rows_per_second
  from pgbackfill.jobs j
 where j.id = $1
