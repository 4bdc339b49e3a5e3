-- The journal of Phase 4 in the database that it changes: what was planned, done and undone, by whom and when.
-- Nothing is ever deleted; events cannot be changed either. Times are the server's.

CREATE TABLE ms5ops.deployment (
    id              uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    status          text NOT NULL CHECK (status IN
                        ('planned', 'running', 'paused', 'failed', 'done', 'rolled back', 'cancelled')),
    direction       text NOT NULL DEFAULT 'apply' CHECK (direction IN ('apply', 'rollback')),
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz,
    environment     text NOT NULL,
    actor           text NOT NULL,
    db_role         text NOT NULL DEFAULT current_user,
    host            text NOT NULL,
    pid             integer NOT NULL,
    tool_version    text NOT NULL,
    server_versions jsonb NOT NULL,
    plan            jsonb NOT NULL,
    plan_hash       text NOT NULL,
    state_hash      text NOT NULL,
    policy_hash     text NOT NULL,
    before_state    jsonb,
    note            text
);
COMMENT ON TABLE ms5ops.deployment IS 'One plan that was applied. direction and status together say how far it is; note is the last reason.';

CREATE TABLE ms5ops.operation (
    deployment  uuid NOT NULL REFERENCES ms5ops.deployment (id),
    ordinal     integer NOT NULL,
    key         text NOT NULL,
    phase       integer NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN
                    ('pending', 'running', 'done', 'failed', 'skipped', 'undoing', 'undone')),
    started_at  timestamptz,
    finished_at timestamptz,
    undone_at   timestamptz,
    attempts    integer NOT NULL DEFAULT 0,
    progress    jsonb NOT NULL DEFAULT '{}',
    error       text,
    before      jsonb,
    PRIMARY KEY (deployment, ordinal),
    UNIQUE (deployment, key)
);
COMMENT ON COLUMN ms5ops.operation.progress IS 'How far a running operation is: fraction (0 to 1), statement, message, undo_statement.';

CREATE TABLE ms5ops.piece (
    deployment uuid NOT NULL,
    ordinal    integer NOT NULL,
    piece      text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (deployment, ordinal, piece),
    FOREIGN KEY (deployment, ordinal) REFERENCES ms5ops.operation (deployment, ordinal)
);
COMMENT ON TABLE ms5ops.piece IS 'The parts of a long operation that were done: the chunks that it compressed.';

CREATE TABLE ms5ops.event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    deployment uuid REFERENCES ms5ops.deployment (id),
    operation  text,
    actor      text NOT NULL,
    level      text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    message    text NOT NULL
);
CREATE INDEX event_deployment ON ms5ops.event (deployment, id);

CREATE TABLE ms5ops.request (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment uuid NOT NULL REFERENCES ms5ops.deployment (id),
    kind       text NOT NULL CHECK (kind IN ('pause', 'resume', 'cancel')),
    actor      text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    handled_at timestamptz
);
COMMENT ON TABLE ms5ops.request IS 'What someone asked of a running deployment; it obeys between two operations or pieces.';

CREATE TABLE ms5ops.lease (
    one_row       boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    token         uuid,
    deployment    uuid,
    actor         text,
    host          text,
    pid           integer,
    backend_pid   integer,
    taken_at      timestamptz,
    heartbeat_at  timestamptz
);
COMMENT ON TABLE ms5ops.lease IS 'Who may change this database now (token NULL: nobody). Whoever changes anything locks this row FOR KEY SHARE first and finds its own token, so that a holder that was thought dead cannot go on.';
INSERT INTO ms5ops.lease DEFAULT VALUES;

CREATE FUNCTION ms5ops.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal keeps what happened: % on ms5ops.% is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ms5ops.event
    FOR EACH STATEMENT EXECUTE FUNCTION ms5ops.refuse_change();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ms5ops.piece
    FOR EACH STATEMENT EXECUTE FUNCTION ms5ops.refuse_change();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON ms5ops.deployment
    FOR EACH STATEMENT EXECUTE FUNCTION ms5ops.refuse_change();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON ms5ops.operation
    FOR EACH STATEMENT EXECUTE FUNCTION ms5ops.refuse_change();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON ms5ops.request
    FOR EACH STATEMENT EXECUTE FUNCTION ms5ops.refuse_change();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON ms5ops.lease
    FOR EACH STATEMENT EXECUTE FUNCTION ms5ops.refuse_change();

GRANT USAGE ON SCHEMA ms5ops TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA ms5ops TO pg_monitor;
