insert into pgbackfill.jobs (name, table_name, target, time_column, key_kind, scope, commit_mode, hashed, unhashed, settings,
                             range_from, range_until,
                             source_rows, rows_before, rows_after, rows_unkeyed, grid, shape, mended, rows_rejected)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12, $13, $14, $15, $16, $17::text::jsonb, $18::text::jsonb,
        $19::text::jsonb, $20)
on conflict (name) do nothing
returning id
