select a.attname::text as column, bound[1] as lower, bound[2] as upper
  from pg_partitioned_table p
  join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
  join pg_inherits i on i.inhparent = p.partrelid
  join pg_class c on c.oid = i.inhrelid
 cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.+)\) TO \((.+)\)$') bound
 where p.partrelid = $1 and p.partstrat = 'r' and p.partnatts = 1 and bound is not null
