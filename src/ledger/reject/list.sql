declare pgbackfill_rejects no scroll cursor for
select r.object, r.record, r.byte, r.column_name, r.reason, r.sqlstate, r.raw, r.raw_cut, w.lower, w.upper
  from pgbackfill.rejects r
  left join pgbackfill.windows w on w.job_id = r.job_id and w.number = r.number
 where r.job_id = $1 and ($2::text is null or r.object = $2)
 order by r.object collate "C", r.record, r.id
