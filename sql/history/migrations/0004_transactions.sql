-- What pg_stat_database counted up to each snapshot, since counted_since: what is told are the deltas, never a reset.

CREATE TABLE snapshot_transactions (
    snapshot_id    UUID PRIMARY KEY,
    counted_since  TIMESTAMPTZ,
    committed      BIGINT,
    rolled_back    BIGINT,      -- failed, cancelled and timed-out statements end so, and what was rolled back on purpose
    deadlocks      BIGINT,
    conflicts      BIGINT,      -- cancelled on a standby because of recovery
    sessions_ended BIGINT       -- lost, killed or ended by a fatal error
);
