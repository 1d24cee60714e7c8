-- What PostgreSQL's catalog says of the database, in words by which two can be compared: (kind, name, what).
-- Left out: monthly partitions, which depend on the day of the migration, and what belongs to extensions and dbmate.
WITH
extension_parts AS (SELECT objid FROM pg_depend WHERE deptype = 'e'),
classes AS (
  SELECT c.* FROM pg_class c
   WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname <> 'schema_migrations'
     AND c.oid NOT IN (SELECT objid FROM extension_parts)
),
functions AS (
  SELECT p.* FROM pg_proc p
   WHERE p.pronamespace = 'public'::regnamespace AND p.oid NOT IN (SELECT objid FROM extension_parts)
),
said AS (
  SELECT 'table' AS kind, relname::text AS name,
         concat_ws(' ', relkind, array_to_string(reloptions, ' '), pg_get_partkeydef(oid),
                   CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) END) AS what
    FROM classes WHERE relkind IN ('r', 'p', 'v', 'S')
  UNION ALL
  SELECT 'column', c.relname || '.' || a.attname,
         concat_ws(' ', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
                   CASE WHEN a.attnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(e.adbin, e.adrelid),
                   nullif(a.attidentity::text, ''), nullif(a.attgenerated::text, ''))
    FROM pg_attribute a JOIN classes c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v')
    LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
   WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  -- NOT NULL is a constraint of its own from PostgreSQL 18 on; columns tell it already.
  SELECT 'constraint', c.relname || '.' || x.conname, pg_get_constraintdef(x.oid)
    FROM pg_constraint x JOIN classes c ON c.oid = x.conrelid WHERE x.conparentid = 0 AND x.contype <> 'n'
  UNION ALL
  SELECT 'index', c.relname || '.' || i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM pg_index i JOIN classes c ON c.oid = i.indrelid
  UNION ALL
  SELECT 'trigger', c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN classes c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'type', t.typname::text, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = 'public'::regnamespace GROUP BY t.typname
  UNION ALL
  SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid) FROM functions
  UNION ALL
  SELECT 'grant on table', c.relname || ' to ' || x.grantee::regrole,
         string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type)
    FROM classes c CROSS JOIN LATERAL aclexplode(c.relacl) x WHERE x.grantee <> c.relowner GROUP BY 2
  UNION ALL
  SELECT 'grant on function', p.oid::regprocedure || ' to ' || x.grantee::regrole, x.privilege_type
    FROM functions p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
   WHERE x.grantee <> p.proowner
  UNION ALL
  SELECT 'grant on schema', n.nspname || ' to ' || x.grantee::regrole,
         string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type)
    FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) x
   WHERE n.oid = 'public'::regnamespace AND x.grantee <> n.nspowner GROUP BY 2
  UNION ALL
  SELECT 'default privilege', defaclobjtype::text, defaclacl::text FROM pg_default_acl
  UNION ALL
  SELECT 'word', concat_ws('.', c.relname, a.attname), coalesce(col_description(c.oid, a.attnum), '')
    FROM classes c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE c.relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT 'word', relname, coalesce(obj_description(oid, 'pg_class'), '') FROM classes WHERE relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT 'word', oid::regprocedure::text, coalesce(obj_description(oid, 'pg_proc'), '') FROM functions
  UNION ALL
  SELECT 'extension', extname::text, '' FROM pg_extension
)
SELECT kind, name, what FROM said
