-- Central's database, version 1. Energy in watt-milliseconds unless a name says _wh; times in ms since 1970 (UTC).
CREATE TABLE charge_point (
    id TEXT PRIMARY KEY,
    city TEXT NOT NULL,
    lat REAL NOT NULL,
    lon REAL NOT NULL,
    price_cents_per_kwh INTEGER NOT NULL,
    max_power_w INTEGER NOT NULL,
    speed REAL NOT NULL,
    holds INTEGER NOT NULL,
    key_epoch INTEGER NOT NULL,
    key_sha256 TEXT NOT NULL,
    revoked INTEGER NOT NULL,
    registered INTEGER NOT NULL,
    plugged INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE node (
    role INTEGER NOT NULL,
    id TEXT NOT NULL,
    key_sha256 TEXT NOT NULL,
    revoked INTEGER NOT NULL,
    registered INTEGER NOT NULL,
    PRIMARY KEY (role, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE session (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    cp_id TEXT NOT NULL,
    driver_id TEXT NOT NULL,
    state INTEGER NOT NULL,
    stop_reason INTEGER NOT NULL,
    reason TEXT NOT NULL,
    requested_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER NOT NULL,
    settling_since_ms INTEGER NOT NULL,
    energy_wms INTEGER NOT NULL CHECK (energy_wms >= 0),
    target_wh INTEGER NOT NULL,
    energy_wh INTEGER NOT NULL,
    cost_cents INTEGER NOT NULL,
    price_cents_per_kwh INTEGER NOT NULL,
    pending_stop INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    -- A request is answered once: a repeat finds this row.
    UNIQUE (driver_id, request_id)
) WITHOUT ROWID, STRICT;
CREATE INDEX session_open ON session (is_open) WHERE is_open = 1;
CREATE INDEX session_by_cp ON session (cp_id, id);
CREATE INDEX session_by_driver ON session (driver_id, id);
CREATE INDEX session_by_end ON session (ended_at_ms) WHERE ended_at_ms >= 0;

CREATE TABLE telemetry_key (
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    key BLOB NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    superseded_at_ms INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    declared_last_sequence INTEGER NOT NULL,
    send_sequence_reserved INTEGER NOT NULL,
    PRIMARY KEY (owner, epoch)
) WITHOUT ROWID, STRICT;

-- Hash chain: each row's hash covers the hash of the one before it.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_action ON audit (action, seq);

-- The newest signed head of the chain, one row a transaction that audited something; only the last ones are kept.
CREATE TABLE audit_head (
    seq INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE kafka_offset (
    cluster_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (cluster_id, topic, partition)
) WITHOUT ROWID, STRICT;

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE curve (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    power_w INTEGER NOT NULL,
    energy_wms INTEGER NOT NULL,
    soc_permille INTEGER NOT NULL,
    PRIMARY KEY (session_id, at_ms)
) WITHOUT ROWID, STRICT;
CREATE INDEX curve_by_time ON curve (at_ms);

CREATE TABLE weather (
    city TEXT PRIMARY KEY,
    temperature_c REAL NOT NULL,
    alert INTEGER NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    source TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    generation INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
