insert into pgbackfill.rejects (job_id, number, attempt, batch, object, record, byte, column_name, reason, sqlstate, raw,
                                raw_cut)
select $1, $2, $3, $4, r.*
  from unnest($5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::bytea[], $12::boolean[]) r
