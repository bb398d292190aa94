-- Those who are on their way to an identity provider and back, so that a restart loses nobody, and which of the provider's
-- sessions began one of ours, so that the provider can end it.

CREATE TABLE departure (
    -- SHA-256 of the state that the way back brings along.
    hash     TEXT    NOT NULL PRIMARY KEY,
    provider TEXT    NOT NULL,
    -- SHA-256 of what the browser keeps in a cookie.
    cookie   TEXT    NOT NULL,
    nonce    TEXT    NOT NULL,
    verifier TEXT    NOT NULL,
    next     TEXT    NOT NULL,
    expires  INTEGER NOT NULL
) STRICT;
CREATE INDEX departure_expires ON departure (expires);

ALTER TABLE session ADD COLUMN provider_session TEXT;

-- Signatures of packages that other zones hand on with their records, as JSON, with what was signed; looked at again whenever
-- they are shown.
CREATE TABLE foreign_signature (
    zone       TEXT NOT NULL,
    identifier TEXT NOT NULL,
    version    TEXT NOT NULL,
    said       TEXT NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (zone, identifier, version)
) STRICT;
