select id, name, table_name, target, time_column, key_kind, scope, commit_mode, hashed, unhashed, settings::text as settings,
       grid::text as grid, shape::text as shape, mended::text as mended,
       range_from, range_until,
       source_rows, rows_before, rows_after, rows_unkeyed, rows_rejected
  from pgbackfill.jobs
 where name = $1
