-- Who may use the console, who is signed in, failed tries, and the audit log. Instants are ISO 8601 in UTC.

CREATE TABLE account (
    provider      TEXT NOT NULL,             -- local, or oidc for those whom an identity provider vouched for
    name          TEXT NOT NULL,
    role          TEXT,                      -- of a local account; an oidc account's follows from its groups
    password_hash TEXT,                      -- argon2id; null for oidc
    must_change   INTEGER NOT NULL DEFAULT 0,
    one_time_ends TEXT,                      -- until when a one-time password is good
    disabled_at   TEXT,
    subject       TEXT,                      -- oidc: the token's sub, which no other person ever has
    groups        TEXT,                      -- oidc: JSON list, from the newest token that was seen
    issued_at     REAL,                      -- oidc: when that token was issued, seconds since 1970
    expires_at    REAL,                      -- oidc: until when it vouches
    created_at    TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    last_sign_in  TEXT,
    PRIMARY KEY (provider, name)
);

CREATE TABLE session (
    token_hash TEXT PRIMARY KEY,             -- SHA-256 of the cookie's token: the token itself is kept nowhere
    name       TEXT NOT NULL,                -- of a local account
    created_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    address    TEXT NOT NULL
);
CREATE INDEX session_name ON session (name);

-- Failed tries by key (of an address and a name, or of a name alone): see ms5ops/access/throttle.py.
CREATE TABLE failed_try (
    key          TEXT PRIMARY KEY,
    tries        INTEGER NOT NULL,
    last_at      TEXT NOT NULL,
    closed_until TEXT
);

-- Where somebody has signed in from before: an address, or a browser with a device cookie.
CREATE TABLE known_place (
    name    TEXT NOT NULL,
    place   TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (name, place)
);

CREATE TABLE audit_entry (
    number   INTEGER PRIMARY KEY,
    entry    TEXT NOT NULL,                  -- canonical JSON, as it was signed
    mac      TEXT NOT NULL                   -- HMAC-SHA256 over the mac before it and the entry
);

-- Against accidents; who means to tamper is found out by the chain.
CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log is never shortened'); END;
CREATE TRIGGER audit_entry_as_it_is BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;
