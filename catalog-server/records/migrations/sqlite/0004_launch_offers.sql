-- Offers of one plan hold one place in their owner's quota together; an offer lives for minutes, so none is carried over.
DROP TABLE offer;
CREATE TABLE offer (
    id      TEXT    NOT NULL PRIMARY KEY,
    plan    TEXT    NOT NULL,
    owner   TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    -- GPUs that it would grant: they are held too.
    gpus    INTEGER NOT NULL,
    made    INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX offer_expires ON offer (expires);
CREATE INDEX offer_owner ON offer (owner, made);
-- What was asked for and which offer answered it, as JSON: what a launch is repeated from.
ALTER TABLE launch ADD COLUMN asked TEXT;
