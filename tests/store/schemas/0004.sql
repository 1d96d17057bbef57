PRAGMA page_size=4096;
BEGIN TRANSACTION;
DROP TABLE IF EXISTS changed_setting;
CREATE TABLE changed_setting (
    login_key   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    value       TEXT    NOT NULL,
    changed_at  INTEGER NOT NULL,
    changed_by  TEXT    NOT NULL,
    PRIMARY KEY (login_key, key)
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS content;
CREATE TABLE content (
    message       INTEGER PRIMARY KEY,
    prefix        BLOB    NOT NULL,
    skips         TEXT    NOT NULL,
    spool_name    TEXT,
    wire          BLOB
) STRICT;
INSERT INTO content VALUES(1,X'52656365697665643A2066726F6D20636C69656E742062792072656C61793B204D6F6E2C2032312053657020323032362031343A31333A3230202B303030300D0A','',NULL,X'5375626A6563743A20546865206F666665720D0A0D0A4465617220637573746F6D65722C0D0A');
INSERT INTO content VALUES(2,X'52656365697665643A2066726F6D20636C69656E742062792072656C61793B204D6F6E2C2032312053657020323032362031343A31333A3230202B303030300D0A','[[5, 9]]','00000000000000000000000000000000',NULL);
INSERT INTO content VALUES(3,X'52656365697665643A2066726F6D20636C69656E742062792072656C61793B204D6F6E2C2032312053657020323032362031343A31333A3230202B303030300D0A','',NULL,X'5375626A6563743A20546865206F666665720D0A0D0A4465617220637573746F6D65722C0D0A');
INSERT INTO content VALUES(4,X'52656365697665643A2066726F6D20636C69656E742062792072656C61793B204D6F6E2C2032312053657020323032362031343A31333A3230202B303030300D0A','',NULL,X'5375626A6563743A20546865206F666665720D0A0D0A4465617220637573746F6D65722C0D0A');
INSERT INTO content VALUES(5,X'52656365697665643A2066726F6D20636C69656E742062792072656C61793B204D6F6E2C2032312053657020323032362031343A31333A3230202B303030300D0A','',NULL,X'5375626A6563743A20546865206F666665720D0A0D0A4465617220637573746F6D65722C0D0A');
CREATE INDEX content_spooled ON content (spool_name) WHERE spool_name IS NOT NULL;
DROP TABLE IF EXISTS delivery;
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
, held_at INTEGER) STRICT;
INSERT INTO delivery VALUES(1,1,'recipient','smtp','customer@example.org',NULL,NULL,'held',0,NULL,1790000000000000,'by hand','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL,NULL);
INSERT INTO delivery VALUES(2,1,'log_copy','smtp','emailtosalesforce@a1b2c3.le.salesforce.com','NEVER',NULL,'queued',0,1790000000000000,1790000000000000,'','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL,NULL);
INSERT INTO delivery VALUES(3,1,'record','salesforce','ana',NULL,NULL,'waiting',0,NULL,1790000000000000,'','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL,NULL);
INSERT INTO delivery VALUES(4,2,'recipient','smtp','customer@example.org',NULL,NULL,'queued',0,1790000000000000,1790000000000000,'','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL,NULL);
INSERT INTO delivery VALUES(5,3,'recipient','smtp','customer@example.org',NULL,NULL,'active',0,1790000000000000,1790000000000000,'','logging.mode (config.yaml:12)',1,0,'us',1790000000000000,'this-boot',NULL);
INSERT INTO delivery VALUES(6,4,'recipient','smtp','customer@example.org',NULL,NULL,'deferred',1,1790000000000000,1790000000000000,'because','logging.mode (config.yaml:12)',1,0,NULL,NULL,NULL,NULL);
INSERT INTO delivery VALUES(7,5,'recipient','smtp','customer@example.org',NULL,NULL,'held',1,NULL,1790000000000000,'because','logging.mode (config.yaml:12)',1,0,NULL,NULL,NULL,1790000000000000);
INSERT INTO delivery VALUES(8,6,'recipient','smtp','customer@example.org',NULL,NULL,'sent',1,NULL,1790000000000000,'because','logging.mode (config.yaml:12)',1,0,NULL,NULL,NULL,NULL);
CREATE INDEX delivery_due ON delivery (transport, next_attempt_at) WHERE state IN ('queued', 'deferred');
CREATE INDEX delivery_of_message ON delivery (message);
CREATE INDEX delivery_waiting ON delivery (next_attempt_at) WHERE state = 'waiting' AND next_attempt_at IS NOT NULL;
DROP TABLE IF EXISTS directory_version;
CREATE TABLE directory_version (
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO directory_version VALUES(1);
DROP TABLE IF EXISTS event;
CREATE TABLE event (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    message INTEGER,
    name    TEXT    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;
INSERT INTO event VALUES(3665920000000000000,1790000000000000,6,'message.closed','{"login":"ana","sent":1,"failed":0,"logged":"none","seconds":1.0}');
CREATE INDEX event_of_message ON event (message) WHERE message IS NOT NULL;
DROP TABLE IF EXISTS locked_setting;
CREATE TABLE locked_setting (
    key         TEXT    PRIMARY KEY,
    locked_at   INTEGER NOT NULL,
    locked_by   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS message;
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
INSERT INTO message VALUES(1,'ana','ana@example.com',0,NULL,NULL,NULL,1790000000000000,NULL,103,0,0,'<1@example.com>','The offer','ana@example.com','192.0.2.7','submission','bcc','1 recipient, log copy added','logging.mode (config.yaml:12)');
INSERT INTO message VALUES(2,'ana','ana@example.com',0,NULL,NULL,NULL,1790000000000000,NULL,61,0,0,'<1@example.com>','The offer','ana@example.com','192.0.2.7','submission','bcc','1 recipient, log copy added','logging.mode (config.yaml:12)');
INSERT INTO message VALUES(3,'ana','ana@example.com',0,NULL,NULL,NULL,1790000000000000,NULL,103,0,0,'<1@example.com>','The offer','ana@example.com','192.0.2.7','submission','bcc','1 recipient, log copy added','logging.mode (config.yaml:12)');
INSERT INTO message VALUES(4,'ana','ana@example.com',0,NULL,NULL,NULL,1790000000000000,NULL,103,0,0,'<1@example.com>','The offer','ana@example.com','192.0.2.7','submission','bcc','1 recipient, log copy added','logging.mode (config.yaml:12)');
INSERT INTO message VALUES(5,'ana','ana@example.com',0,NULL,NULL,NULL,1790000000000000,NULL,103,0,0,'<1@example.com>','The offer','ana@example.com','192.0.2.7','submission','bcc','1 recipient, log copy added','logging.mode (config.yaml:12)');
INSERT INTO message VALUES(6,'ana','ana@example.com',0,NULL,NULL,NULL,1790000000000000,1790000000000000,103,0,0,'<1@example.com>','The offer','ana@example.com','192.0.2.7','submission','bcc','1 recipient, log copy added','logging.mode (config.yaml:12)');
CREATE INDEX message_of_login ON message (login, id) WHERE login IS NOT NULL;
CREATE INDEX message_open ON message (closed_at) WHERE closed_at IS NULL;
DROP TABLE IF EXISTS meta;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('readable_since','1');
INSERT INTO meta VALUES('version','4');
DROP TABLE IF EXISTS page_audit;
CREATE TABLE page_audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    verb        TEXT    NOT NULL,
    about       TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    client      TEXT    NOT NULL
) STRICT;
CREATE INDEX page_audit_at ON page_audit (at);
DROP TABLE IF EXISTS page_code;
CREATE TABLE page_code (
    code_hash   TEXT    PRIMARY KEY,
    purpose     TEXT    NOT NULL,
    login_key   TEXT    NOT NULL,
    subject     TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX page_code_of ON page_code (login_key, purpose);
DROP TABLE IF EXISTS page_filter;
CREATE TABLE page_filter (
    login_key   TEXT    NOT NULL,
    page        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    query       TEXT    NOT NULL,
    PRIMARY KEY (login_key, page, name)
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS page_flow;
CREATE TABLE page_flow (
    state_hash  TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    browser     TEXT    NOT NULL,
    nonce       TEXT    NOT NULL,
    verifier    TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
DROP TABLE IF EXISTS page_identity;
CREATE TABLE page_identity (
    issuer      TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    login_key   TEXT    NOT NULL,
    linked_at   INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS page_mark;
CREATE TABLE page_mark (
    login_key   TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    marked_at   INTEGER NOT NULL,
    PRIMARY KEY (login_key, kind, subject)
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS page_password;
CREATE TABLE page_password (
    login_key   TEXT    PRIMARY KEY,
    encoded     TEXT    NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT;
DROP TABLE IF EXISTS page_session;
CREATE TABLE page_session (
    id_hash     TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    how         TEXT    NOT NULL,
    client      TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
INSERT INTO page_session VALUES('0000000000000000000000000000000000000000000000000000000000000000','ana','password','','',1790000000000000,1790000000000000,1790000000000001);
CREATE INDEX page_session_of ON page_session (login_key);
DROP TABLE IF EXISTS page_token;
CREATE TABLE page_token (
    sha256      TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (login_key, name)
) STRICT;
DROP TABLE IF EXISTS record;
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
CREATE INDEX record_in_salesforce ON record (salesforce_id) WHERE salesforce_id IS NOT NULL;
CREATE INDEX record_of_delivery ON record (delivery);
CREATE INDEX record_of_message ON record (message);
DROP TABLE IF EXISTS recording;
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
CREATE INDEX recording_late ON recording (delivery) WHERE late <> '[]';
CREATE INDEX recording_unmatched ON recording (rematch_at) WHERE rematch_at IS NOT NULL;
DROP TABLE IF EXISTS reminder;
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
CREATE INDEX reminder_in_doubt ON reminder (push_started_at) WHERE push_started_at IS NOT NULL;
CREATE INDEX reminder_of_rep ON reminder (rep, state, due);
CREATE UNIQUE INDEX reminder_of_salesforce ON reminder (salesforce_id) WHERE salesforce_id IS NOT NULL;
CREATE INDEX reminder_to_push ON reminder (next_push_at) WHERE next_push_at IS NOT NULL;
DROP TABLE IF EXISTS reminder_feed;
CREATE TABLE reminder_feed (
    rep         TEXT    PRIMARY KEY,
    sha256      TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL
) STRICT;
DROP TABLE IF EXISTS reminder_history;
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
DROP TABLE IF EXISTS reminder_mark;
CREATE TABLE reminder_mark (
    message  INTEGER NOT NULL
) STRICT;
INSERT INTO reminder_mark VALUES(0);
DROP TABLE IF EXISTS reminder_sync;
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
DROP TABLE IF EXISTS rep;
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
DROP TABLE IF EXISTS rep_address;
CREATE TABLE rep_address (
    compared   TEXT    PRIMARY KEY,
    login_key  TEXT    NOT NULL REFERENCES rep (login_key) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    address    TEXT    NOT NULL
) STRICT;
DROP TABLE IF EXISTS rep_token;
CREATE TABLE rep_token (
    sha256      TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL REFERENCES rep (login_key) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (login_key, name)
) STRICT;
DROP TABLE IF EXISTS revoked_token;
CREATE TABLE revoked_token (
    sha256      TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    revoked_at  INTEGER NOT NULL,
    revoked_by  TEXT    NOT NULL
) STRICT;
DROP TABLE IF EXISTS salesforce_token;
CREATE TABLE salesforce_token (
    identity      TEXT    PRIMARY KEY,
    origin        TEXT    NOT NULL,
    refresh_token TEXT    NOT NULL,
    replaced_at   INTEGER NOT NULL
) STRICT;
DROP TABLE IF EXISTS verified_address;
CREATE TABLE verified_address (
    compared    TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    verified_at INTEGER NOT NULL
) STRICT;
CREATE INDEX verified_address_of ON verified_address (login_key);
COMMIT TRANSACTION;
