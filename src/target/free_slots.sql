select current_setting('max_connections')::bigint
       - current_setting('superuser_reserved_connections')::bigint
       - (select count(*) from pg_stat_activity where backend_type = 'client backend')
