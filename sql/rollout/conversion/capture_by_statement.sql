-- name: capture_by_statement
-- about: Template: the body of the function that logs the keys of changed rows of a plain table. An update logs both keys.
-- columns: none
-- budget_ms: 1
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO {log} ({log_columns}) SELECT {columns} FROM ms5ops_new;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO {log} ({log_columns}) SELECT {columns} FROM ms5ops_old;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO {log} ({log_columns}) SELECT {columns} FROM ms5ops_old UNION SELECT {columns} FROM ms5ops_new;
    ELSE
        INSERT INTO {log} (truncated) VALUES (true);
    END IF;
    RETURN NULL;
END
