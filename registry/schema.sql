-- The Registry's database. Invitations are kept as hashes of their random half; change rows are never deleted,
-- since Central reads them in order of seq.
CREATE TABLE invitation (
    secret_hash BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the code's random half
    role TEXT NOT NULL,
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
    expires_at_ms INTEGER NOT NULL,
    made_after_seq INTEGER NOT NULL        -- last change when it was made: older than a revocation, or newer
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
    role TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('registered', 'deregistered', 'revoked')),
    key_sha256 TEXT NOT NULL,              -- '' where an id was revoked that was never registered here
    serial TEXT NOT NULL,                  -- of the newest certificate
    expires_at_ms INTEGER NOT NULL,
    revoked_seq INTEGER NOT NULL,          -- its last revocation in change, 0 none
    city TEXT NOT NULL,                    -- these four: charge points only
    lat REAL NOT NULL,
    lon REAL NOT NULL,
    price_cents_per_kwh INTEGER NOT NULL,
    hosts TEXT NOT NULL,                   -- Central only: names and addresses, comma between
    PRIMARY KEY (role, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX node_key ON node (key_sha256) WHERE status = 'registered';

-- Who an invitation was spent on: a repeat after a lost answer is free.
CREATE TABLE invitation_use (
    secret_hash BLOB NOT NULL REFERENCES invitation (secret_hash),
    role TEXT NOT NULL,
    id TEXT NOT NULL,
    key_sha256 TEXT NOT NULL,
    PRIMARY KEY (secret_hash, role, id, key_sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE barred_key (
    key_sha256 TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('registered', 'renewed', 'deregistered', 'revoked')),
    role TEXT NOT NULL,
    id TEXT NOT NULL,
    key_sha256 TEXT NOT NULL,
    serial TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    city TEXT NOT NULL,
    lat REAL NOT NULL,
    lon REAL NOT NULL,
    price_cents_per_kwh INTEGER NOT NULL
) STRICT;
