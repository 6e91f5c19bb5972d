select count(*) as windows,
       count(*) filter (where state = 'loaded') as loaded,
       count(*) filter (where state = 'skipped') as skipped,
       count(*) filter (where state = 'failed') as failed,
       coalesce(sum(rows) filter (where state = 'loaded'), 0)::bigint as rows
  from pgbackfill.windows
 where job_id = $1
