-- Numbers of signed requests of other zones, so that none is done twice; kept a little longer than a request holds.
CREATE TABLE delegation (
    jti     TEXT    NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX delegation_expires ON delegation (expires);
-- The accounts under which other zones' users act here.
CREATE TABLE delegated_account (
    account TEXT NOT NULL PRIMARY KEY REFERENCES account (name),
    zone    TEXT NOT NULL,
    remote  TEXT NOT NULL,
    UNIQUE (zone, remote)
) STRICT;
