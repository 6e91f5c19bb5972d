-- What else bears on conflicts. Of the bits of tgtype, 2 is before, 16 update, 64 instead of; of rules, 2 is update, 3 insert.
select exists (select from pg_rewrite rule where rule.ev_class = $1 and rule.ev_type in ('2', '3')) as has_rules,
       array(select attname::text from pg_attribute
              where attrelid = $1 and attidentity <> '' and not attisdropped) as identities,
       array(select attname::text from pg_attribute
              where attrelid = $1 and attidentity = 'a' and not attisdropped) as identities_always,
       exists (select
                 from pg_trigger t
                where (t.tgrelid = $1 or t.tgrelid in (select relid from pg_partition_tree($1)))
                  and not t.tgisinternal
                  and t.tgenabled::text in ('A', case current_setting('session_replication_role') when 'replica' then 'R' else 'O' end)
                  and t.tgtype & 66 = 0
                  and t.tgtype & 16 = 16) as follows_updates
