-- The ledger of pgbackfill: what each job has loaded, written in the same transactions as the rows themselves.
--
-- A role that loads needs: usage on this schema; select, insert, update, delete on its tables; and on the target
-- select, insert and, where windows are cleared, delete. `create` on the database is needed only to make the ledger.
-- A load that lacks any of this says so at once, with the statements that grant it.

create schema if not exists pgbackfill;

comment on schema pgbackfill is 'Ledger of the pgbackfill loader. Dropping it forgets what was loaded.';

-- Tables of another version would be taken for these below, and written to as if they were.
do $$
begin
  if pg_catalog.to_regclass('pgbackfill.jobs') is not null and pg_catalog.to_regclass('pgbackfill.version') is null then
    raise exception 'schema pgbackfill holds the ledger of another version of pgbackfill';
  end if;
end $$;

-- One row, which each version of pgbackfill that changes these tables counts up.
create table if not exists pgbackfill.version (
  version integer primary key
);

insert into pgbackfill.version select 4 where not exists (select from pgbackfill.version);

create table if not exists pgbackfill.jobs (
  id            bigint generated always as identity primary key,
  name          pg_catalog.text not null unique,
  table_name    pg_catalog.text not null,               -- as people read it
  target        pg_catalog.text not null,               -- as SQL spells it, quoted
  time_column   pg_catalog.text,
  key_kind      pg_catalog.text,                        -- how the bounds of windows are read
  scope         pg_catalog.text,                        -- predicate that narrows check, delete and verify
  commit_mode   pg_catalog.text not null,
  hashed        pg_catalog.text[] not null,             -- columns that take part in the row hash, in COPY order
  unhashed      pg_catalog.text[] not null,             -- columns that do not
  settings      pg_catalog.jsonb not null,              -- what decides which rows are loaded
  grid          pg_catalog.jsonb,                       -- where windows may begin and end, as it was drawn at the first run
  shape         pg_catalog.jsonb not null,              -- the table as it was when the job began
  range_from    bigint,                      -- the range as it was resolved at the first run
  range_until   bigint,
  source_rows   bigint not null,
  rows_before   bigint not null,             -- source rows before the range
  rows_after    bigint not null,             -- source rows at or after the completion point
  rows_unkeyed  bigint not null,             -- source rows whose time is null or infinite
  mended        pg_catalog.jsonb not null,              -- what was mended in delimited text, and how often
  rows_rejected bigint not null,             -- source rows of no window because they, or their time, cannot be read
  created_at    pg_catalog.timestamptz not null default pg_catalog.now(),
  counted       boolean not null default false, -- rows in the table were counted, and add up, since any was loaded
  -- whose transaction ids those of the batches are: after a dump and restore they are nobody's
  cluster       bigint not null default (pg_catalog.pg_control_system()).system_identifier
);

create table if not exists pgbackfill.objects (
  job_id   bigint not null references pgbackfill.jobs on delete cascade,
  uri      pg_catalog.text not null,
  bytes    bigint not null,
  version  pg_catalog.text not null,
  header   pg_catalog.bytea,                            -- what stands before its records, once one of them is rejected
  primary key (job_id, uri)
);

create table if not exists pgbackfill.runs (
  id          pg_catalog.uuid primary key default pg_catalog.gen_random_uuid(),
  job_id      bigint not null references pgbackfill.jobs on delete cascade,
  host        pg_catalog.text not null,
  pid         integer not null,
  process     pg_catalog.text not null,                 -- tells this process from a later one with the same number
  started_at  pg_catalog.timestamptz not null default pg_catalog.now(),
  lease_until pg_catalog.timestamptz not null,          -- by this server's clock
  ended_at    pg_catalog.timestamptz
);

create index if not exists runs_job on pgbackfill.runs (job_id) where ended_at is null;

create table if not exists pgbackfill.windows (
  job_id     bigint not null references pgbackfill.jobs on delete cascade,
  number     bigint not null,                -- chronological, from 0
  lower      bigint not null,                -- first key inside
  upper      bigint not null,                -- first key after it
  source     pg_catalog.bytea not null,                 -- fingerprint of the objects that may hold its rows
  state      pg_catalog.text not null default 'pending'
             check (state operator(pg_catalog.=) any (array['pending', 'loading', 'loaded', 'skipped', 'failed'])),
  run_id     pg_catalog.uuid,                           -- who claimed it last
  attempt    integer not null default 0,
  admitted   boolean not null default false, -- the check of rows that were there before is done
  batches    integer not null default 0,
  rows       bigint not null default 0,
  bytes      bigint not null default 0,
  rows_skipped bigint not null default 0,    -- source rows left out for a row of their key that was there; not in rows
  rows_updated bigint not null default 0,    -- those whose values a row that was there took; in rows
  rejected   bigint not null default 0,
  row_hash   pg_catalog.bytea,
  claimed_at pg_catalog.timestamptz,
  loaded_at  pg_catalog.timestamptz,
  error      pg_catalog.text,
  primary key (job_id, number)
) with (fillfactor = 70);                    -- every batch updates its window's row: keep the new version on the page

create index if not exists windows_open on pgbackfill.windows (job_id, number) where state operator(pg_catalog.=) any (array['pending', 'loading', 'failed']);

create index if not exists windows_rejecting on pgbackfill.windows (job_id) where rejected operator(pg_catalog.>) 0;

-- Transaction ids stand in rows of their own: an array in the window's row would be rewritten by every batch.
create table if not exists pgbackfill.batches (
  job_id  bigint not null,
  number  bigint not null,
  attempt integer not null,
  batch   integer not null,
  xid     pg_catalog.xid8 not null,                     -- rows of this batch carry its low 32 bits in xmin
  rows    bigint not null,
  bytes   bigint not null,
  rows_skipped bigint not null default 0,
  rows_updated bigint not null default 0,
  primary key (job_id, number, attempt, batch),
  -- windows are numbered anew where a source that changed brings some in between
  foreign key (job_id, number) references pgbackfill.windows on delete cascade on update cascade
);

-- Source rows that were not loaded. Those of a window come and go with the rows of its batches; those of none are found
-- before anything is loaded, and are entered with the job.
create table if not exists pgbackfill.rejects (
  id          bigint generated always as identity primary key,
  job_id      bigint not null references pgbackfill.jobs on delete cascade,
  number      bigint,                        -- the window; null where the row belongs to none
  attempt     integer,
  batch       integer,
  object      pg_catalog.text not null,
  record      bigint not null,               -- in the object, from 1
  byte        bigint,                        -- offset in the object
  column_name pg_catalog.text,                          -- null where the record as a whole is at fault
  reason      pg_catalog.text not null,
  sqlstate    pg_catalog.text,
  raw         pg_catalog.bytea not null,                -- the record as it stood, without its line end
  raw_cut     boolean not null,              -- it was longer
  foreign key (job_id, number) references pgbackfill.windows on delete cascade on update cascade
);

create index if not exists rejects_window on pgbackfill.rejects (job_id, number);
