-- Where this file mirrors a folder that several hosts share: which of the folder's bundles are in it.

CREATE TABLE mirrored_bundle (
    name TEXT PRIMARY KEY
);
