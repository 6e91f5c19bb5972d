select distinct a.attname::text
  from pg_index i
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
 where i.indrelid = $1 and i.indisvalid and i.indpred is null
