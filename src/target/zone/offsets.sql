-- The offset of a zone at each moment, in the order of the moments.
select (extract(epoch from to_timestamp(t) at time zone $1) - t)::int as east
  from unnest($2) with ordinality as asked (t, position)
 order by position
