-- Harvest: sources, their runs, what each source said last, and what a run brings before it is applied.

-- Other sources than the one of its current version that say something of a record, one a line; nothing for most.
ALTER TABLE record ADD COLUMN also TEXT;

CREATE TABLE source (
    id           TEXT    NOT NULL PRIMARY KEY,
    origin       TEXT    NOT NULL CHECK (origin IN ('configuration', 'api')),
    settings     TEXT    NOT NULL,
    precedence   INTEGER NOT NULL DEFAULT 0,
    -- Taken out of the configuration, or removed: it runs no more, its records stay.
    retired      INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1)),
    -- The home zone of a source that is a zone, as it said at first; another later is refused.
    zone         TEXT,
    base         TEXT,
    cursor       TEXT,
    failures     INTEGER NOT NULL DEFAULT 0,
    next_run     INTEGER,
    last_success INTEGER,
    created      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX source_zone ON source (zone);

CREATE TABLE harvest_run (
    source    TEXT    NOT NULL REFERENCES source (id),
    number    INTEGER NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'held', 'failed', 'interrupted')),
    -- Who drives it, and when that was last known to live: instead of a flag that nobody takes down after a crash.
    lease     TEXT,
    heartbeat INTEGER,
    report    TEXT    NOT NULL,
    -- Where the source stands when this run is applied.
    cursor    TEXT,
    PRIMARY KEY (source, number)
) STRICT;
CREATE INDEX harvest_run_state ON harvest_run (state);

CREATE TABLE harvest_finding (
    source   TEXT    NOT NULL,
    run      INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    severe   INTEGER NOT NULL CHECK (severe IN (0, 1)),
    document TEXT    NOT NULL,
    PRIMARY KEY (source, run, number)
) STRICT;

CREATE TABLE harvest_unmatched (
    source TEXT    NOT NULL,
    run    INTEGER NOT NULL,
    term   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (source, run, term, value)
) STRICT;

-- What a source said last, by its own key; two kinds of record may share one.
CREATE TABLE said (
    id           INTEGER NOT NULL PRIMARY KEY,
    source       TEXT    NOT NULL REFERENCES source (id),
    key          TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    record       INTEGER NOT NULL REFERENCES record (id),
    revision     INTEGER NOT NULL,
    given_hash   TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    part         TEXT    NOT NULL,
    run          INTEGER NOT NULL,
    first_seen   INTEGER NOT NULL,
    modified     INTEGER NOT NULL,
    gone         INTEGER,
    UNIQUE (source, key, kind)
) STRICT;
CREATE INDEX said_record ON said (record);
CREATE INDEX said_part ON said (source, part);

-- Identifiers that mean the same everywhere, such as a DOI, with the record for which a source gave them.
CREATE TABLE global_identifier (
    identifier TEXT    NOT NULL,
    record     INTEGER NOT NULL REFERENCES record (id),
    source     TEXT    NOT NULL,
    PRIMARY KEY (identifier, record, source)
) STRICT;

-- What a run brings, in pieces while it reads, applied at once when it has ended.
CREATE TABLE staged (
    source       TEXT    NOT NULL,
    run          INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    what         TEXT    NOT NULL CHECK (what IN ('new', 'joined', 'changed', 'same', 'kept', 'gone')),
    key          TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    -- Numbers new records, and everything that changes, from 1: applying adds what the ledger has counted by then.
    fresh        INTEGER,
    change       INTEGER,
    said         INTEGER,
    record       INTEGER,
    -- Whether the record's current version is this source's.
    main         INTEGER NOT NULL DEFAULT 0 CHECK (main IN (0, 1)),
    zone         TEXT,
    identifier   TEXT,
    version      TEXT,
    state        TEXT,
    document     TEXT,
    given_hash   TEXT,
    content_hash TEXT,
    part         TEXT,
    reason       TEXT,
    PRIMARY KEY (source, run, number)
) STRICT;
CREATE INDEX staged_key ON staged (source, run, key, kind);

CREATE TABLE staged_identifier (
    source     TEXT    NOT NULL,
    run        INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    identifier TEXT    NOT NULL,
    PRIMARY KEY (source, run, number, identifier)
) STRICT;

-- Identities that somebody must decide.
CREATE TABLE review (
    number     INTEGER NOT NULL PRIMARY KEY,
    source     TEXT    NOT NULL,
    run        INTEGER NOT NULL,
    code       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    identifier TEXT    NOT NULL,
    records    TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    decided    INTEGER,
    UNIQUE (source, code, key, identifier)
) STRICT;
