-- What `collect` stores: one snapshot a call, with its parts. Bytes are bytes, durations are seconds.

CREATE TABLE snapshot (
    snapshot_id         UUID PRIMARY KEY,
    source              TEXT NOT NULL,       -- which database: see ms5ops/environments.py, source_id
    environment         TEXT NOT NULL,       -- the name in ms5ops.toml at the time
    origin              TEXT NOT NULL CHECK (origin IN ('measured', 'simulated', 'replayed')),
    taken_at            TIMESTAMPTZ NOT NULL,
    tool_version        TEXT NOT NULL,
    postgres_version    TEXT NOT NULL,
    timescaledb_version TEXT NOT NULL,
    database_bytes      BIGINT
);

CREATE TABLE snapshot_table (
    snapshot_id              UUID NOT NULL,
    schema_name              TEXT NOT NULL,
    table_name               TEXT NOT NULL,
    kind                     TEXT NOT NULL,
    row_count                BIGINT,
    chunks                   BIGINT,
    compressed_chunks        BIGINT,
    size_bytes               BIGINT,
    uncompressed_bytes       BIGINT,      -- what it would take had nothing been compressed
    backlog_chunks           BIGINT,
    backlog_bytes            BIGINT,
    PRIMARY KEY (snapshot_id, schema_name, table_name)
);

CREATE TABLE snapshot_job (
    snapshot_id           UUID NOT NULL,
    job_id                BIGINT NOT NULL,
    kind                  TEXT NOT NULL,
    target                TEXT,
    scheduled             BOOLEAN NOT NULL,
    state                 TEXT NOT NULL,
    total_runs            BIGINT,
    total_failures        BIGINT,
    consecutive_failures  BIGINT,
    overdue_seconds       DOUBLE,
    PRIMARY KEY (snapshot_id, job_id)
);

CREATE TABLE snapshot_aggregate (
    snapshot_id    UUID NOT NULL,
    schema_name    TEXT NOT NULL,
    aggregate_name TEXT NOT NULL,
    size_bytes     BIGINT,
    lag_seconds    DOUBLE,
    PRIMARY KEY (snapshot_id, schema_name, aggregate_name)
);

-- TimescaleDB trims job_history after a month: runs are kept here, each once.
CREATE TABLE job_run (
    source      TEXT NOT NULL,
    job_id      BIGINT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    succeeded   BOOLEAN,
    message     TEXT,
    PRIMARY KEY (source, job_id, started_at)
);
