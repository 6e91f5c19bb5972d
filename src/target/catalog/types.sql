-- The types that a table's columns need, and those that they are made of: bases of domains, elements of arrays, subtypes of
-- ranges, ranges of multiranges (which servers before version 14 do not have), attributes of composite types.
with recursive needed (oid) as (
  select atttypid from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped
  union
  select inner_type
    from needed
    join pg_type t on t.oid = needed.oid
   cross join lateral (
         select t.typbasetype where t.typtype = 'd'
         union all
         select e.oid from pg_type e where e.typarray = t.oid
         union all
         select r.rngsubtype from pg_range r where r.rngtypid = t.oid
         union all
         select r.rngtypid from pg_range r where (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid
         union all
         select a.atttypid from pg_attribute a
          where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) inner_types (inner_type)
)
select t.oid,
       format_type(t.oid, null) as name,
       t.typname::text as plain_name,
       t.typnotnull as not_null,
       case when t.typtype = 'd' then t.typbasetype end as base,
       t.typtypmod as base_modifier,
       (select e.oid from pg_type e where e.typarray = t.oid) as element,
       case when t.typtype = 'e'
            then array(select enumlabel::text from pg_enum where enumtypid = t.oid order by enumsortorder) end as labels,
       -- only ranges that are ordered as their subtype is by default, and whose canonical form, if any, is the server's own
       range.rngsubtype as subtype,
       range.rngcanonical <> 0 as discrete,
       (select r.rngtypid from pg_range r where (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid) as ranges,
       attributes.names as attribute_names,
       attributes.types as attribute_types,
       attributes.modifiers as attribute_modifiers,
       attributes.type_names as attribute_type_names,
       (select e.extname::text
          from pg_depend d
          join pg_extension e on e.oid = d.refobjid
         where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
           and d.refclassid = 'pg_extension'::regclass) as extension,
       current_setting('lc_monetary') as lc_monetary
  from needed
  join pg_type t on t.oid = needed.oid
  left join (select r.*
               from pg_range r
               join pg_opclass c on c.oid = r.rngsubopc
              where c.opcdefault and r.rngcollation = 0
                and (r.rngcanonical = 0
                     or r.rngcanonical::oid in (select p.oid from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace)))
            range on range.rngtypid = t.oid
  left join lateral (
       select array_agg(a.attname::text order by a.attnum) as names,
              array_agg(a.atttypid order by a.attnum) as types,
              array_agg(a.atttypmod order by a.attnum) as modifiers,
              array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) as type_names
         from pg_attribute a
        where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) attributes on t.typtype = 'c'
