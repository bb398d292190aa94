-- Governance: for whom and from where a change came, signatures of packages, what their publishers acknowledged, keys of
-- namespaces, and notices to the people concerned.

-- For whom an account acted when not for itself, with which credential, and the prefix of the address it came from.
ALTER TABLE audit ADD COLUMN behalf     TEXT;
ALTER TABLE audit ADD COLUMN credential TEXT;
ALTER TABLE audit ADD COLUMN address    TEXT;
CREATE INDEX audit_account ON audit (account, number);

-- The signature that came with a package, as JSON, and the codes of warnings that its publisher took responsibility for.
ALTER TABLE version ADD COLUMN signature    TEXT;
ALTER TABLE version ADD COLUMN acknowledged TEXT;
CREATE INDEX version_state ON version (state, seq) WHERE state IN ('draft', 'submitted');

CREATE TABLE namespace_key (
    id         TEXT    NOT NULL PRIMARY KEY,
    namespace  TEXT    NOT NULL REFERENCES namespace (name),
    name       TEXT    NOT NULL,
    -- Multibase of the multicodec ed25519-pub, as `sec:publicKeyMultibase` has it.
    public_key TEXT    NOT NULL,
    account    TEXT    NOT NULL REFERENCES account (name),
    created    INTEGER NOT NULL,
    revoked    INTEGER,
    UNIQUE (namespace, public_key)
) STRICT;

-- What somebody should know. The recipient is an account, or `@moderator` for everybody who moderates.
CREATE TABLE notice (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    recipient  TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    what       TEXT    NOT NULL,
    zone       TEXT    NOT NULL,
    identifier TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    message    TEXT,
    account    TEXT    NOT NULL
) STRICT;
CREATE INDEX notice_recipient ON notice (recipient, number);

-- Up to where an account has read its notices.
CREATE TABLE notice_read (
    account TEXT    NOT NULL PRIMARY KEY REFERENCES account (name),
    number  INTEGER NOT NULL
) STRICT;
