-- Alerts: those that stand, what happened to them, who muted what, what is to be sent, and the last evaluations.
-- Instants are ISO 8601 texts in UTC.

-- One row while a condition is pending, open or acknowledged; gone when it is over (its events stay).
CREATE TABLE alert (
    environment     TEXT NOT NULL,
    key             TEXT NOT NULL,
    rule            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    severity        TEXT NOT NULL,
    worst           TEXT NOT NULL,           -- the gravest severity that has been told, or accepted
    sentence        TEXT NOT NULL,
    next_step       TEXT NOT NULL,
    page            TEXT NOT NULL,
    value           REAL,
    threshold       REAL,
    unit            TEXT NOT NULL,
    level           REAL,
    further_from    REAL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'open', 'acknowledged')),
    first_seen_at   TEXT NOT NULL,
    opened_at       TEXT,
    seen_at         TEXT NOT NULL,
    times_seen      INTEGER NOT NULL,
    times_missed    INTEGER NOT NULL,
    told_at         TEXT,
    acknowledged_at TEXT,
    acknowledged_by TEXT,
    reason          TEXT,
    accepted_from   REAL,                    -- the level from which an accepted condition alarms again
    PRIMARY KEY (environment, key)
);

CREATE TABLE alert_event (
    id          INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    at          TEXT NOT NULL,
    severity    TEXT NOT NULL,
    subject     TEXT NOT NULL,
    sentence    TEXT NOT NULL,
    value       REAL,
    threshold   REAL,
    unit        TEXT NOT NULL,
    actor       TEXT,
    reason      TEXT
);
CREATE INDEX alert_event_by_environment ON alert_event (environment, id);
CREATE TRIGGER alert_event_stays BEFORE UPDATE ON alert_event
BEGIN SELECT raise(ABORT, 'what happened to an alert is never changed'); END;
CREATE TRIGGER alert_event_remains BEFORE DELETE ON alert_event
BEGIN SELECT raise(ABORT, 'what happened to an alert is never deleted'); END;

-- key null: the whole environment. until null: until somebody ends it.
CREATE TABLE mute (
    id          INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    key         TEXT,
    muted_by    TEXT NOT NULL,
    muted_at    TEXT NOT NULL,
    until       TEXT,
    reason      TEXT NOT NULL,
    ended_at    TEXT,
    ended_by    TEXT
);
CREATE INDEX mute_by_environment ON mute (environment, ended_at);

-- What is to be sent to whom. No address is kept here: channel is its name in ms5ops.toml.
CREATE TABLE notice (
    id           INTEGER PRIMARY KEY,
    environment  TEXT NOT NULL,
    key          TEXT NOT NULL,
    channel      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    severity     TEXT NOT NULL,
    title        TEXT NOT NULL,
    body         TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_try_at  TEXT,                       -- null: nothing more is tried
    delivered_at TEXT,
    failure      TEXT
);
CREATE INDEX notice_due ON notice (next_try_at);
CREATE INDEX notice_by_channel ON notice (channel, id);

-- The last evaluation of each environment. not_judged: JSON object, rule to the reason; figures: JSON, what was read.
CREATE TABLE evaluation (
    environment TEXT PRIMARY KEY,
    origin      TEXT NOT NULL,
    at          TEXT NOT NULL,
    evaluations INTEGER NOT NULL,
    judged      INTEGER NOT NULL,
    not_judged  TEXT NOT NULL,
    figures     TEXT NOT NULL
);
