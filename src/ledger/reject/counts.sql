-- A reason shows the value that it is about, by which no two would be alike.
-- But where a constraint is broken, the server's words quote its name, and values follow.
select case when sqlstate ~ '^(23|44)' then split_part(reason, ': ', 1)
            else regexp_replace(regexp_replace(reason, '"(\\.|[^"\\])*"…?', '"…"', 'g'), '^-?[0-9][0-9.eE+-]*…?(?= )', '…')
       end as reason,
       column_name,
       count(*) as rows
  from pgbackfill.rejects
 where job_id = $1 and ($2::text is null or object = $2)
 group by 1, 2
 order by 3 desc, 1, 2
