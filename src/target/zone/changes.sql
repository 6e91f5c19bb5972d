-- The offsets of a zone one after another: the first, and each that another moment shows than the one before it.
-- `before` is the last moment that was looked at before.
select before, east
  from (select t - $4 as before, east, lag(east) over (order by t) as former
          from (select t, (extract(epoch from to_timestamp(t) at time zone $1) - t)::int as east
                  from generate_series($2, $3, $4) t) looked) compared
 where former is distinct from east
 order by before
