with recursive needed (oid) as (
  select atttypid from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped
  union
  select inner_type
    from needed
    join pg_type t on t.oid = needed.oid
   cross join lateral (
         select t.typbasetype where t.typtype = 'd'
         union all
         select e.oid from pg_type e where e.typarray = t.oid) inner_types (inner_type)
)
select t.oid,
       format_type(t.oid, null) as name,
       t.typnamespace = 'pg_catalog'::regnamespace as builtin,
       t.typnotnull as not_null,
       case when t.typtype = 'd' then t.typbasetype end as base,
       t.typtypmod as base_modifier,
       (select e.oid from pg_type e where e.typarray = t.oid) as element,
       case when t.typtype = 'e'
            then array(select enumlabel::text from pg_enum where enumtypid = t.oid order by enumsortorder) end as labels
  from needed
  join pg_type t on t.oid = needed.oid
