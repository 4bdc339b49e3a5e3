-- name: forget_job_runs
-- about: Takes the job runs of the strides out of the engine's own job history, once they are kept in the console's: between two strides no job could run, and the server would seem to have been late by days.
-- columns: none
-- budget_ms: 100
DELETE FROM _timescaledb_internal.bgw_job_stat_history
