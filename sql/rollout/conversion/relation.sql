-- name: relation
-- about: The table itself; no row where it does not exist. Sizes of a hypertable are those of its chunks together.
-- timescaledb: >=2.11
-- params: schema, table
-- columns: kind text; owner text; comment text; options text[]; toast_options text[]; tablespace text; access_method text; persistence text; is_part boolean; is_typed boolean; row_security boolean; replica_identity text; default_grants boolean; is_hypertable boolean; rows rows; size_bytes bytes
-- budget_ms: 40
SELECT
    c.relkind::text AS kind,
    pg_get_userbyid(c.relowner)::text AS owner,
    obj_description(c.oid, 'pg_class') AS comment,
    to_json(c.reloptions) AS options,
    to_json(x.reloptions) AS toast_options,
    s.spcname::text AS tablespace,
    a.amname::text AS access_method,
    c.relpersistence::text AS persistence,
    c.relispartition OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
        OR (h.hypertable_name IS NULL AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)) AS is_part,
    c.reloftype <> 0 AS is_typed,
    c.relrowsecurity AS row_security,
    c.relreplident::text AS replica_identity,
    c.relacl IS NULL AS default_grants,
    h.hypertable_name IS NOT NULL AS is_hypertable,
    CASE
        WHEN h.hypertable_name IS NOT NULL
            THEN (SELECT coalesce(sum(greatest(k.reltuples, 0)), 0) FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
                WHERE i.inhparent = c.oid)::bigint
        WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples::bigint
        ELSE coalesce(pg_stat_get_live_tuples(c.oid), 0)
    END AS rows,
    pg_total_relation_size(c.oid) + coalesce(
        (SELECT sum(pg_total_relation_size(i.inhrelid)) FROM pg_inherits i WHERE i.inhparent = c.oid), 0)::bigint AS size_bytes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class x ON x.oid = c.reltoastrelid
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
LEFT JOIN pg_am a ON a.oid = c.relam
LEFT JOIN timescaledb_information.hypertables h ON h.hypertable_schema = n.nspname AND h.hypertable_name = c.relname
WHERE n.nspname = :schema AND c.relname = :table AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
