-- Windows are numbered in their order, so that one look at an index finds the first that is open, or the last; their
-- counts take one pass over all.
select to_char(j.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as created,
       coalesce((select lower from pgbackfill.windows
                  where job_id = j.id and state in ('pending', 'loading', 'failed') order by number limit 1),
                (select upper from pgbackfill.windows
                  where job_id = j.id order by number desc limit 1)) as frontier,
       w.*
  from pgbackfill.jobs j,
       lateral (select count(*) as windows,
                       count(*) filter (where state = 'loaded') as loaded,
                       count(*) filter (where state = 'skipped') as skipped,
                       count(*) filter (where state = 'failed') as failed,
                       coalesce(sum(rows) filter (where state = 'loaded'), 0)::bigint as rows,
                       coalesce(sum(rows_skipped) filter (where state = 'loaded'), 0)::bigint as rows_skipped,
                       coalesce(sum(rows_updated) filter (where state = 'loaded'), 0)::bigint as rows_updated,
                       (coalesce(sum(rejected), 0) + j.rows_rejected)::bigint as rejected,
                       coalesce(sum(rows) filter (where loaded_at > now() - interval '60 s') / 60.0, 0)::float8
                         as rows_per_second
                  from pgbackfill.windows
                 where job_id = j.id) w
 where j.id = $1
