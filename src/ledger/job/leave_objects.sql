delete from pgbackfill.objects o
 where o.job_id = $1
   and not exists (select from unnest($2::text[], $3::text[]) kept (uri, version)
                    where kept.uri = o.uri and kept.version = o.version)
