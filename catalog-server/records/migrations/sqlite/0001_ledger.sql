-- The ledger's tables. Times are milliseconds since 1970 in UTC; digests are SHA-256 in lower-case hexadecimal;
-- documents are JSON text. Only DDL is written per database: every query runs on SQLite and on PostgreSQL.

-- Sequences are rows under the writer's lock and not the database's own, so that numbers have no gaps and a reader
-- that has seen number n has seen everything before it.
CREATE TABLE counter (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, value) VALUES ('seq', 0), ('record', 0), ('revision', 0), ('audit', 0);

CREATE TABLE account (
    name         TEXT    NOT NULL PRIMARY KEY,
    role         TEXT    NOT NULL CHECK (role IN ('user', 'developer', 'moderator', 'administrator', 'application')),
    display_name TEXT,
    suspended    INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    created      INTEGER NOT NULL
) STRICT;
-- The platform itself acts under this name.
INSERT INTO account (name, role, display_name, created) VALUES ('alidade', 'application', 'Alidade', 0);

CREATE TABLE namespace (
    name    TEXT    NOT NULL PRIMARY KEY,
    owner   TEXT    NOT NULL REFERENCES account (name),
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX namespace_owner ON namespace (owner);

-- One row a record: what everybody sees of it now. Its document is its current revision's, unless `merged` holds
-- what came out when other sources (a moderator's overlay, a harvest) were laid over it.
CREATE TABLE record (
    id         INTEGER NOT NULL PRIMARY KEY,
    zone       TEXT    NOT NULL,
    identifier TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('draft', 'submitted', 'published', 'deprecated', 'withdrawn')),
    version    TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    merged     TEXT,
    seq        INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    modified   INTEGER NOT NULL,
    UNIQUE (zone, identifier)
) STRICT;
CREATE INDEX record_identifier ON record (identifier);
CREATE INDEX record_kind ON record (kind, id);

-- What a source said about a record, never changed and never removed; the newest of (record, source, version) counts.
-- A source that takes a record back writes a revision with `retracted` and no document.
CREATE TABLE revision (
    id           INTEGER NOT NULL PRIMARY KEY,
    record       INTEGER NOT NULL REFERENCES record (id),
    source       TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    document     TEXT,
    content_hash TEXT    NOT NULL,
    retracted    INTEGER NOT NULL DEFAULT 0 CHECK (retracted IN (0, 1)),
    account      TEXT    NOT NULL,
    seq          INTEGER NOT NULL,
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX revision_of ON revision (record, source, version, id);

CREATE TABLE blob (
    digest  TEXT    NOT NULL PRIMARY KEY,
    size    INTEGER NOT NULL,
    -- The bytes of a small blob; a larger one is a file beside the database.
    content BLOB,
    created INTEGER NOT NULL
) STRICT;

-- One row a version: its name is taken for ever, whatever becomes of it.
CREATE TABLE version (
    record       INTEGER NOT NULL REFERENCES record (id),
    version      TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('draft', 'submitted', 'published', 'deprecated', 'withdrawn')),
    revision     INTEGER NOT NULL REFERENCES revision (id),
    content_hash TEXT    NOT NULL,
    digest       TEXT    REFERENCES blob (digest),
    file_name    TEXT,
    source       TEXT    NOT NULL,
    publisher    TEXT    NOT NULL,
    seq          INTEGER NOT NULL,
    published    INTEGER NOT NULL,
    changed      INTEGER NOT NULL,
    reason       TEXT,
    PRIMARY KEY (record, version)
) STRICT;
CREATE INDEX version_digest ON version (digest);

-- What happened to which record, in order; projections and feeds follow it.
CREATE TABLE change_log (
    seq     INTEGER NOT NULL PRIMARY KEY,
    record  INTEGER NOT NULL REFERENCES record (id),
    version TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX change_log_record ON change_log (record, seq);

CREATE TABLE audit (
    number  INTEGER NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    account TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    before  TEXT,
    after   TEXT,
    request TEXT    NOT NULL,
    hash    TEXT    NOT NULL
) STRICT;

CREATE TABLE token (
    id        TEXT    NOT NULL PRIMARY KEY,
    account   TEXT    NOT NULL REFERENCES account (name),
    name      TEXT    NOT NULL,
    hash      TEXT    NOT NULL UNIQUE,
    scopes    TEXT    NOT NULL,
    namespace TEXT,
    created   INTEGER NOT NULL,
    expires   INTEGER,
    last_used INTEGER,
    revoked   INTEGER
) STRICT;
CREATE INDEX token_account ON token (account);

CREATE TABLE session (
    hash      TEXT    NOT NULL PRIMARY KEY,
    account   TEXT    NOT NULL REFERENCES account (name),
    created   INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX session_account ON session (account);

-- Answers already given: a repeated request with the same key gets the same answer for a day.
CREATE TABLE idempotency (
    account TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    request TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    status  INTEGER,
    body    TEXT,
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) STRICT;
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE launch (
    id       TEXT    NOT NULL PRIMARY KEY,
    owner    TEXT    NOT NULL REFERENCES account (name),
    datazone TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    -- 1 until the state is final: what counts against the owner's quota.
    live     INTEGER NOT NULL CHECK (live IN (0, 1)),
    handle   TEXT,
    spec     TEXT    NOT NULL,
    document TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    -- When it came into its state, from where deadlines count: `updated` also moves with its progress.
    entered  INTEGER NOT NULL,
    expires  INTEGER
) STRICT;
CREATE INDEX launch_owner ON launch (owner, created);
CREATE INDEX launch_live ON launch (live, owner);

CREATE TABLE launch_event (
    launch  TEXT    NOT NULL REFERENCES launch (id),
    number  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    message TEXT    NOT NULL,
    PRIMARY KEY (launch, number)
) STRICT;

-- The end of a launch's log, kept when its container is gone; a JSON array of lines.
CREATE TABLE launch_log (
    launch TEXT    NOT NULL PRIMARY KEY REFERENCES launch (id),
    lines  TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT;

CREATE TABLE offer (
    id      TEXT    NOT NULL PRIMARY KEY,
    owner   TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX offer_expires ON offer (expires);

CREATE TABLE my_volume (
    account    TEXT    NOT NULL REFERENCES account (name),
    volume     TEXT    NOT NULL,
    mount_path TEXT,
    added      INTEGER NOT NULL,
    PRIMARY KEY (account, volume)
) STRICT;
