select a.attname::text as name,
       a.atttypid as type,
       a.atttypmod as modifier,
       format_type(a.atttypid, a.atttypmod) as type_name,
       a.attnotnull as not_null,
       case when a.attgenerated <> '' then 'generated'
            when a.attidentity <> '' then 'identity'
            when a.atthasdef or t.typdefault is not null then 'default'
            else 'null' end as when_absent
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
 where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
 order by a.attnum
