-- readable since: 1
-- Instants are UTC microseconds, states, roles and transports are text. STRICT: a wrong type is an error, not a surprise.

-- A message that was accepted. `id` is its queue id as a number, so that the newest is always at the end.
CREATE TABLE message (
    id            INTEGER PRIMARY KEY,
    login         TEXT,
    reverse_path  TEXT    NOT NULL,
    smtputf8      INTEGER NOT NULL,
    body          TEXT,
    ret           TEXT,
    envid         TEXT,
    accepted_at   INTEGER NOT NULL,
    closed_at     INTEGER,
    octets        INTEGER NOT NULL,
    has_8bit      INTEGER NOT NULL,
    utf8_header   INTEGER NOT NULL,
    message_id    TEXT,
    subject       TEXT    NOT NULL,
    header_from   TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    listener      TEXT    NOT NULL,
    mode          TEXT    NOT NULL,
    why           TEXT    NOT NULL,
    rule          TEXT    NOT NULL
) STRICT;

-- The messages with an open delivery: what the queue is, whatever the age of the rest.
CREATE INDEX message_open ON message (closed_at) WHERE closed_at IS NULL;

-- What is sent for a message. Apart from it, since it goes when the message is closed and is read at an attempt only.
CREATE TABLE content (
    message       INTEGER PRIMARY KEY,
    prefix        BLOB    NOT NULL,
    skips         TEXT    NOT NULL,
    spool_name    TEXT,
    wire          BLOB
) STRICT;

CREATE INDEX content_spooled ON content (spool_name) WHERE spool_name IS NOT NULL;

-- One target of one message.
CREATE TABLE delivery (
    id              INTEGER PRIMARY KEY,
    message         INTEGER NOT NULL,
    role            TEXT    NOT NULL,
    transport       TEXT    NOT NULL,
    target          TEXT    NOT NULL,
    notify          TEXT,
    orcpt           TEXT,
    state           TEXT    NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    created_at      INTEGER NOT NULL,
    reason          TEXT    NOT NULL DEFAULT '',
    rule            TEXT    NOT NULL DEFAULT '',
    fence           INTEGER NOT NULL DEFAULT 0,
    delay_warned    INTEGER NOT NULL DEFAULT 0,
    lease_owner     TEXT,
    lease_until     INTEGER,
    lease_boot      TEXT
) STRICT;

CREATE INDEX delivery_of_message ON delivery (message);

-- Only what may be claimed is in this index: a delivery that is attempted at once and sent never touches it.
CREATE INDEX delivery_due ON delivery (transport, next_attempt_at) WHERE state IN ('queued', 'deferred');

-- The mail log. `id` is at least at * 2048 and grows, so that a span of time is a span of ids and needs no index.
CREATE TABLE event (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    message INTEGER,
    name    TEXT    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;

CREATE INDEX event_of_message ON event (message) WHERE message IS NOT NULL;

-- A rep entered by `relay user add`; those of the settings file are not here. `login_key` is the compared form.
CREATE TABLE rep (
    login_key            TEXT    PRIMARY KEY,
    login                TEXT    NOT NULL,
    name                 TEXT    NOT NULL DEFAULT '',
    password             TEXT,
    email_to_salesforce  TEXT,
    mode                 TEXT,
    salesforce_user_id   TEXT,
    salesforce_username  TEXT,
    language             TEXT    NOT NULL DEFAULT 'en',
    time_zone            TEXT    NOT NULL DEFAULT 'UTC',
    web_role             TEXT    NOT NULL DEFAULT 'rep',
    disabled             INTEGER NOT NULL DEFAULT 0,
    created_at           INTEGER NOT NULL
) STRICT;

-- An acceptable address of a rep: as it was written, and in its compared form.
CREATE TABLE rep_address (
    compared   TEXT    PRIMARY KEY,
    login_key  TEXT    NOT NULL REFERENCES rep (login_key) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    address    TEXT    NOT NULL
) STRICT;

-- An app password of a rep: its name and the SHA-256 (hex) it is known by.
CREATE TABLE rep_token (
    sha256      TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL REFERENCES rep (login_key) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (login_key, name)
) STRICT;

-- Grows with each change of the three tables above, so that a running service sees it.
CREATE TABLE directory_version (
    version  INTEGER NOT NULL
) STRICT;

INSERT INTO directory_version (version) VALUES (1);
