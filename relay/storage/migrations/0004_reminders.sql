-- readable since: 1
-- Reminders kept in step with Salesforce Tasks.

-- A reminder. `rep` is the compared form of the login whose it is; `due` is a plain date. `changed` tells (JSON) when
-- which field was changed here last, and `base` (JSON) what both sides had when they were last in step. Where
-- `next_push_at` stands Salesforce is to be told something. `push_started_at`: a create whose answer is not known.
CREATE TABLE reminder (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    rep             TEXT    NOT NULL,
    title           TEXT    NOT NULL,
    details         TEXT    NOT NULL DEFAULT '',
    due             TEXT,
    priority        TEXT    NOT NULL DEFAULT 'normal',
    state           TEXT    NOT NULL DEFAULT 'open',
    kind            TEXT    NOT NULL DEFAULT '',
    person_id       TEXT,
    person_name     TEXT    NOT NULL DEFAULT '',
    person_email    TEXT    NOT NULL DEFAULT '',
    message         INTEGER,
    origin          TEXT    NOT NULL,
    made_by         TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    changed         TEXT    NOT NULL DEFAULT '{}',
    deleted_at      INTEGER,
    link            TEXT    NOT NULL,
    reason          TEXT    NOT NULL DEFAULT '',
    salesforce_id   TEXT,
    owner_id        TEXT,
    base            TEXT,
    seen_at         INTEGER NOT NULL DEFAULT 0,
    gone_at         INTEGER,
    push_key        TEXT    NOT NULL,
    push_started_at INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_push_at    INTEGER
) STRICT;

CREATE UNIQUE INDEX reminder_of_salesforce ON reminder (salesforce_id) WHERE salesforce_id IS NOT NULL;

-- The dated lists, and what is open.
CREATE INDEX reminder_of_rep ON reminder (rep, state, due);

CREATE INDEX reminder_to_push ON reminder (next_push_at) WHERE next_push_at IS NOT NULL;

-- Creates whose answer was lost: what Salesforce shows is compared with them.
CREATE INDEX reminder_in_doubt ON reminder (push_started_at) WHERE push_started_at IS NOT NULL;

-- What stood on the side that did not win, and what was cut: nothing that somebody wrote is lost without a line here.
CREATE TABLE reminder_history (
    id        INTEGER PRIMARY KEY,
    reminder  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    field     TEXT    NOT NULL,
    kept      TEXT    NOT NULL,
    lost      TEXT    NOT NULL,
    winner    TEXT    NOT NULL,
    why       TEXT    NOT NULL
) STRICT;

CREATE INDEX reminder_history_of ON reminder_history (reminder);

-- One rep's synchronisation: `running` whether it is on. Instants of Salesforce's clock: watermark, deletions_until.
CREATE TABLE reminder_sync (
    rep             TEXT    PRIMARY KEY,
    running         INTEGER NOT NULL DEFAULT 0,
    switched_at     INTEGER NOT NULL DEFAULT 0,
    ran_before      INTEGER NOT NULL DEFAULT 0,
    first_done      INTEGER NOT NULL DEFAULT 0,
    watermark       INTEGER,
    deletions_until INTEGER,
    asked           INTEGER NOT NULL DEFAULT 0,
    answered        INTEGER NOT NULL DEFAULT 0,
    answer          TEXT    NOT NULL DEFAULT '{}',
    storm           INTEGER NOT NULL DEFAULT 0,
    done            INTEGER NOT NULL DEFAULT 0,
    total           INTEGER,
    last_run_at     INTEGER,
    last_tally      TEXT    NOT NULL DEFAULT '{}',
    trouble         TEXT    NOT NULL DEFAULT ''
) STRICT;

-- The calendar feed of a rep: the SHA-256 (hex) of the token in its address.
CREATE TABLE reminder_feed (
    rep         TEXT    PRIMARY KEY,
    sha256      TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL
) STRICT;

-- Up to which message control addresses (task+3d@) were looked for.
CREATE TABLE reminder_mark (
    message  INTEGER NOT NULL
) STRICT;

INSERT INTO reminder_mark (message) VALUES (0);
