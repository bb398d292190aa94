-- What somebody decided of an identity, so that it is remembered and can be taken back.

ALTER TABLE review ADD COLUMN decision TEXT CHECK (decision IN ('same', 'apart'));
ALTER TABLE review ADD COLUMN decided_by TEXT;
-- Of `same`: the record that became a tombstone, the one that it is now part of, and what went from one to the other, as JSON.
ALTER TABLE review ADD COLUMN loser INTEGER REFERENCES record (id);
ALTER TABLE review ADD COLUMN winner INTEGER REFERENCES record (id);
ALTER TABLE review ADD COLUMN moved TEXT;
CREATE INDEX review_loser ON review (loser);
-- Before this, to decide left both apart.
UPDATE review SET decision = 'apart' WHERE decided IS NOT NULL;
