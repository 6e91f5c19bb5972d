-- Live runs of other jobs that load the table of job $1, a part of it or what it is a part of, over a common range. Tables
-- are compared as what their names mean now: that is where either job would write. Ranges can only be compared on one column.
with recursive
live as (
  select r.*, j.name, j.target, j.time_column
    from pgbackfill.runs r
    join pgbackfill.jobs j on j.id = r.job_id
   where j.id <> $1 and r.ended_at is null and r.lease_until > clock_timestamp()
),
jobs as (
  select j.id,
         j.time_column,
         parse_ident(j.target) as part,
         (select min(w.lower) from pgbackfill.windows w where w.job_id = j.id) as lower,
         (select max(w.upper) from pgbackfill.windows w where w.job_id = j.id) as upper
    from pgbackfill.jobs j
   where j.id = $1 or j.id in (select job_id from live)
),
lineage (id, first, oid) as (
  select jobs.id, c.oid, c.oid
    from jobs
    join pg_namespace n on n.nspname = part[1]
    join pg_class c on c.relnamespace = n.oid and c.relname = part[2]
  union
  select lineage.id, lineage.first, i.inhparent from pg_inherits i join lineage on lineage.oid = i.inhrelid
)
select live.id::text,
       live.name as job,
       live.host,
       live.pid,
       live.process,
       to_char(live.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since,
       ceil(extract(epoch from live.lease_until - clock_timestamp()))::bigint as lease_seconds
  from live
  join jobs other on other.id = live.job_id
  join jobs mine on mine.id = $1
 where exists (select
                 from lineage a
                 join lineage b on b.first = a.oid
                where (a.id, b.id) in ((mine.id, other.id), (other.id, mine.id)))
   and (mine.time_column is null
        or other.time_column is null
        or mine.time_column <> other.time_column
        or mine.lower < other.upper and other.lower < mine.upper)
 order by live.started_at
