-- Indexes that keep rows apart, and which of them can decide a conflict: unique, of all rows, on columns alone.
select c.relname::text as name,
       i.indisprimary as is_primary,
       i.indimmediate as is_immediate,
       i.indisexclusion as is_exclusion,
       i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null as decides,
       array(select a.attname::text
               from unnest(i.indkey::int2[]) with ordinality k (number, place)
               join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
              where k.place <= i.indnkeyatts
              order by k.place) as columns
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
 where i.indrelid = $1 and (i.indisunique or i.indisexclusion)
 order by i.indisprimary desc, c.relname
