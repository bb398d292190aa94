-- What a source gave that could not be read, without so much as a key: it may hide records, which therefore stay.

CREATE TABLE harvest_fault (
    source      TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    -- The file that it stands in; nothing where records move from page to page.
    part        TEXT,
    -- The run that first met it: a record that was seen after that is hidden by something else.
    first       INTEGER NOT NULL,
    PRIMARY KEY (source, fingerprint)
) STRICT;

CREATE TABLE staged_fault (
    source      TEXT    NOT NULL,
    run         INTEGER NOT NULL,
    fingerprint TEXT    NOT NULL,
    part        TEXT,
    -- Nothing for one that is not there any more.
    first       INTEGER,
    PRIMARY KEY (source, run, fingerprint)
) STRICT;

-- The run since which the source does not show the record, although it is not known to be gone.
ALTER TABLE said ADD COLUMN missing INTEGER;
