-- Local passwords, identities at identity providers, one-time links, groups, and what a session shows of itself.

-- A password is kept as argon2id's PHC string, which holds its own salt and cost.
CREATE TABLE password (
    account TEXT    NOT NULL PRIMARY KEY REFERENCES account (name),
    phc     TEXT    NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

-- A link that lets its bearer choose a password, once.
CREATE TABLE ticket (
    hash    TEXT    NOT NULL PRIMARY KEY,
    account TEXT    NOT NULL REFERENCES account (name),
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX ticket_account ON ticket (account);

-- Who somebody is at an identity provider: its issuer and its subject there, never an e-mail address.
CREATE TABLE identity (
    issuer  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    account TEXT    NOT NULL REFERENCES account (name),
    created INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;
CREATE INDEX identity_account ON identity (account);

-- Who belongs to a namespace (its developers) or to a team. An invitation is a row that is not accepted yet; `source`
-- is `local`, or the identity provider whose claims put the account there and may take it away again.
CREATE TABLE team (
    name    TEXT    NOT NULL PRIMARY KEY,
    title   TEXT,
    created INTEGER NOT NULL
) STRICT;
CREATE TABLE member (
    kind     TEXT    NOT NULL CHECK (kind IN ('namespace', 'team')),
    name     TEXT    NOT NULL,
    account  TEXT    NOT NULL REFERENCES account (name),
    rank     TEXT    NOT NULL CHECK (rank IN ('owner', 'member')),
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    source   TEXT    NOT NULL,
    added    INTEGER NOT NULL,
    PRIMARY KEY (kind, name, account)
) STRICT;
CREATE INDEX member_account ON member (account, kind, accepted);
INSERT INTO member (kind, name, account, rank, accepted, source, added)
    SELECT 'namespace', name, owner, 'owner', 1, 'local', created FROM namespace;

-- A program that asks for a token on a device without a browser (RFC 8628).
CREATE TABLE device (
    hash    TEXT    NOT NULL PRIMARY KEY,
    code    TEXT    NOT NULL UNIQUE,
    client  TEXT    NOT NULL,
    scopes  TEXT    NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
    account TEXT,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX device_expires ON device (expires);

-- Names a session for ending it, says how it began, and holds what a provider needs to end it there too.
ALTER TABLE session ADD COLUMN id TEXT;
ALTER TABLE session ADD COLUMN agent TEXT;
ALTER TABLE session ADD COLUMN method TEXT NOT NULL DEFAULT 'token';
UPDATE session SET id = substr(hash, 1, 16);
