-- Windows without rejects are left out by an index of those that have some.
select (j.rows_rejected + coalesce((select sum(w.rejected)
                                      from pgbackfill.windows w
                                     where w.job_id = j.id and w.rejected > 0), 0))::bigint
  from pgbackfill.jobs j
 where j.id = $1
