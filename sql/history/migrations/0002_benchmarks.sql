-- Benchmark runs: a header, a result per benchmark, every sample. Never changed once stored.
-- Values are in the result's unit; other times are milliseconds. See ms5ops/benchmark/records.py.

CREATE TABLE benchmark_run (
    run_id       UUID PRIMARY KEY,
    source       TEXT NOT NULL,
    environment  TEXT NOT NULL,
    origin       TEXT NOT NULL CHECK (origin IN ('measured', 'simulated', 'replayed')),
    label        TEXT,
    actor        TEXT NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ NOT NULL,
    anchor       TIMESTAMPTZ NOT NULL,
    suite_hash   TEXT NOT NULL,
    seed         BIGINT NOT NULL,
    is_quick     BOOLEAN NOT NULL,
    is_partial   BOOLEAN NOT NULL,
    is_summary   BOOLEAN NOT NULL,
    note         TEXT,
    surroundings JSON                     -- null: an imported summary that does not tell them
);

CREATE TABLE benchmark_result (
    run_id           UUID NOT NULL,
    benchmark        TEXT NOT NULL,
    place            BIGINT NOT NULL,     -- from 0, in the order of the run
    kind             TEXT NOT NULL,
    group_name       TEXT,
    about            TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    message          TEXT,
    unit             TEXT NOT NULL,
    higher_is_better BOOLEAN NOT NULL,
    samples          BIGINT NOT NULL,
    row_count        BIGINT,
    text_hash        TEXT,
    target_p95       DOUBLE,
    twin             TEXT,
    mean             DOUBLE,
    median           DOUBLE,
    minimum          DOUBLE,
    maximum          DOUBLE,
    p95              DOUBLE,
    p99              DOUBLE,
    details          JSON NOT NULL,
    PRIMARY KEY (run_id, benchmark)
);

CREATE TABLE benchmark_sample (
    run_id     UUID NOT NULL,
    benchmark  TEXT NOT NULL,
    ordinal    BIGINT NOT NULL,
    taken_at   TIMESTAMPTZ NOT NULL,
    value      DOUBLE NOT NULL,
    execute_ms DOUBLE,
    fetch_ms   DOUBLE,
    client     BIGINT NOT NULL
);                                        -- no key: an index over every sample would be larger than the samples
