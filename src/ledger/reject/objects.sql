select r.object, r.rows, o.header
  from (select object, count(*) as rows from pgbackfill.rejects where job_id = $1 group by object) r
  left join pgbackfill.objects o on o.job_id = $1 and o.uri = r.object
 order by r.object collate "C"
