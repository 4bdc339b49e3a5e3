-- The checks after a deployment as they stood when the snapshot was taken, also where nothing was deployed yet. None
-- where the snapshot could not make them, and of snapshots from before this table.

CREATE TABLE snapshot_check (
    snapshot_id UUID NOT NULL,
    name        TEXT NOT NULL,
    place       BIGINT NOT NULL,      -- from 0, in their order
    title       TEXT NOT NULL,
    expected    TEXT NOT NULL,
    found       TEXT NOT NULL,
    verdict     TEXT NOT NULL CHECK (verdict IN ('passed', 'failed', 'could not check')),
    advice      TEXT NOT NULL,
    PRIMARY KEY (snapshot_id, name)
);
