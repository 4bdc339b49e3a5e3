-- name: twins
-- about: The texts that pg_temp.ms5ops_twin (twins.py makes it) gives for the policy's bodies and indexes.
-- timescaledb: >=2.11
-- params: kinds, names, relations, bodies
-- columns: kind text; name text; definition text; problem text
-- budget_ms: 200
SELECT w.kind, w.name, t.definition, t.problem
FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:relations AS text[]), CAST(:bodies AS text[]))
    WITH ORDINALITY w (kind, name, relation, body, place)
CROSS JOIN LATERAL pg_temp.ms5ops_twin(w.kind, w.relation, w.body) t
ORDER BY w.place
