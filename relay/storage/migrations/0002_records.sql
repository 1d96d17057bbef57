-- readable since: 1
-- The records that are made in Salesforce, and what is known of recording each message.

-- Since when an attempt has left a delivery held; what somebody holds by hand has none, and does not expire.
ALTER TABLE delivery ADD COLUMN held_at INTEGER;

-- Only a record that waits for the rest of the recipients, once one has the mail, has an instant here.
CREATE INDEX delivery_waiting ON delivery (next_attempt_at) WHERE state = 'waiting' AND next_attempt_at IS NOT NULL;

-- One intended record in Salesforce. `key` is sha256 of rep, Message-ID and the record it stands on. It is 'started'
-- from before the call that makes it until its answer is stored: then it must be looked for before it is made again.
-- 'undone' is for good: nothing with this key is ever made again. It outlives its message and its delivery.
CREATE TABLE record (
    key              TEXT    PRIMARY KEY,
    message          INTEGER NOT NULL,
    delivery         INTEGER NOT NULL,
    login            TEXT    NOT NULL,
    identity         TEXT    NOT NULL,
    object           TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    salesforce_id    TEXT,
    found            INTEGER NOT NULL DEFAULT 0,
    related          TEXT    NOT NULL DEFAULT '[]',
    find_by          TEXT    NOT NULL DEFAULT '{}',
    pending          INTEGER NOT NULL DEFAULT 0,
    summary          TEXT    NOT NULL DEFAULT '',
    reason           TEXT    NOT NULL DEFAULT '',
    starts           INTEGER NOT NULL DEFAULT 0,
    first_started_at INTEGER,
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX record_of_delivery ON record (delivery);
CREATE INDEX record_of_message ON record (message);
CREATE INDEX record_in_salesforce ON record (salesforce_id) WHERE salesforce_id IS NOT NULL;

-- What is known of recording one message, beside its delivery: how it was matched, what went wrong, what is still to come.
CREATE TABLE recording (
    delivery        INTEGER PRIMARY KEY,
    message         INTEGER NOT NULL,
    login           TEXT    NOT NULL,
    why             TEXT    NOT NULL DEFAULT '',
    related_to      TEXT    NOT NULL DEFAULT '[]',
    unmatched       TEXT    NOT NULL DEFAULT '[]',
    unmatched_since INTEGER,
    rematch_at      INTEGER,
    rematches       INTEGER NOT NULL DEFAULT 0,
    late            TEXT    NOT NULL DEFAULT '[]',
    category        TEXT    NOT NULL DEFAULT '',
    kind            TEXT    NOT NULL DEFAULT '',
    code            TEXT    NOT NULL DEFAULT '',
    fault           TEXT    NOT NULL DEFAULT '',
    changed_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX recording_unmatched ON recording (rematch_at) WHERE rematch_at IS NOT NULL;
CREATE INDEX recording_late ON recording (delivery) WHERE late <> '[]';

-- The refresh token that Salesforce gave in place of the one before (rotation): only the newest one works, so it must
-- not be lost. It counts as long as the settings hold the token whose digest `origin` is; another one there begins anew.
CREATE TABLE salesforce_token (
    identity      TEXT    PRIMARY KEY,
    origin        TEXT    NOT NULL,
    refresh_token TEXT    NOT NULL,
    replaced_at   INTEGER NOT NULL
) STRICT;
