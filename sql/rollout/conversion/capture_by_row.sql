-- name: capture_by_row
-- about: Template: as capture_by_statement, for a hypertable: before TimescaleDB 2.18 it takes no transition tables.
-- columns: none
-- budget_ms: 1
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO {log} (truncated) VALUES (true);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO {log} ({log_columns}) VALUES ({old_columns});
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO {log} ({log_columns}) VALUES ({new_columns});
    END IF;
    RETURN NULL;
END
