select count(*) as windows,
       count(*) filter (where state = 'loaded') as loaded,
       count(*) filter (where state = 'skipped') as skipped,
       count(*) filter (where state = 'failed') as failed,
       coalesce(sum(rows) filter (where state = 'loaded'), 0)::bigint as rows,
       coalesce(sum(rows_skipped) filter (where state = 'loaded'), 0)::bigint as rows_skipped,
       coalesce(sum(rows_updated) filter (where state = 'loaded'), 0)::bigint as rows_updated,
       (coalesce(sum(rejected), 0) + (select rows_rejected from pgbackfill.jobs where id = $1))::bigint as rejected
  from pgbackfill.windows
 where job_id = $1
