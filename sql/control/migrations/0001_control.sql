-- What people decided about rollouts: policy sets, plans that were kept, trials, approvals, runs, verified states.
-- Instants are ISO 8601 texts in UTC, documents are JSON.

CREATE TABLE policy_version (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    author TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_at TEXT NOT NULL,
    based_on INTEGER REFERENCES policy_version
);
CREATE TRIGGER policy_version_stays BEFORE UPDATE ON policy_version
BEGIN SELECT raise(ABORT, 'a saved policy set is never changed'); END;
CREATE TRIGGER policy_version_remains BEFORE DELETE ON policy_version
BEGIN SELECT raise(ABORT, 'a saved policy set is never deleted'); END;

-- The newest row of an environment counts; version 0 is the set that comes with ms5ops.
CREATE TABLE in_force (
    id INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    version INTEGER NOT NULL,
    chosen_by TEXT NOT NULL,
    chosen_at TEXT NOT NULL
);

CREATE TABLE kept_plan (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    environment TEXT NOT NULL,
    author TEXT NOT NULL,
    provider TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_at TEXT NOT NULL,
    policy_version INTEGER,
    policy_text TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    state_hash TEXT NOT NULL,
    operations INTEGER NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX kept_plan_by_environment ON kept_plan (environment, number);

CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    plan TEXT NOT NULL REFERENCES kept_plan,
    tried_by TEXT NOT NULL,
    tried_at TEXT NOT NULL,
    locked_seconds REAL NOT NULL,
    results TEXT NOT NULL
);

-- subject: 'plan <id>' or 'rollback <id of the deployment>'; hash: of exactly what was approved.
CREATE TABLE approval (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    hash TEXT NOT NULL,
    approver TEXT NOT NULL,
    provider TEXT NOT NULL,
    comment TEXT NOT NULL,
    approved_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    withdrawn_at TEXT,
    withdrawn_by TEXT
);
CREATE INDEX approval_by_subject ON approval (subject);

CREATE TABLE run (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    environment TEXT NOT NULL,
    plan TEXT REFERENCES kept_plan,
    deployment TEXT,
    actor TEXT NOT NULL,
    provider TEXT NOT NULL,
    options TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER,
    stage TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,
    message TEXT,
    checks TEXT
);
CREATE INDEX run_by_environment ON run (environment, asked_at);

-- What a database was when a deployment, or its rollback, had ended and was checked.
CREATE TABLE verified_state (
    id INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    source TEXT NOT NULL,
    deployment TEXT NOT NULL,
    deployment_number INTEGER NOT NULL,
    verified_at TEXT NOT NULL,
    state_hash TEXT NOT NULL,
    policy_text TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX verified_state_by_source ON verified_state (source, id);
