PRAGMA page_size=4096;
BEGIN TRANSACTION;
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
) STRICT;
INSERT INTO delivery VALUES(1,1,'recipient','smtp','customer@example.org',NULL,NULL,'held',0,NULL,1790000000000000,'by hand','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL);
INSERT INTO delivery VALUES(2,1,'log_copy','smtp','emailtosalesforce@a1b2c3.le.salesforce.com','NEVER',NULL,'queued',0,1790000000000000,1790000000000000,'','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL);
INSERT INTO delivery VALUES(3,1,'record','salesforce','ana',NULL,NULL,'waiting',0,NULL,1790000000000000,'','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL);
INSERT INTO delivery VALUES(4,2,'recipient','smtp','customer@example.org',NULL,NULL,'queued',0,1790000000000000,1790000000000000,'','logging.mode (config.yaml:12)',0,0,NULL,NULL,NULL);
INSERT INTO delivery VALUES(5,3,'recipient','smtp','customer@example.org',NULL,NULL,'active',0,1790000000000000,1790000000000000,'','logging.mode (config.yaml:12)',1,0,'us',1790000000000000,'this-boot');
INSERT INTO delivery VALUES(6,4,'recipient','smtp','customer@example.org',NULL,NULL,'deferred',1,1790000000000000,1790000000000000,'because','logging.mode (config.yaml:12)',1,0,NULL,NULL,NULL);
INSERT INTO delivery VALUES(7,5,'recipient','smtp','customer@example.org',NULL,NULL,'held',1,NULL,1790000000000000,'because','logging.mode (config.yaml:12)',1,0,NULL,NULL,NULL);
INSERT INTO delivery VALUES(8,6,'recipient','smtp','customer@example.org',NULL,NULL,'sent',1,NULL,1790000000000000,'because','logging.mode (config.yaml:12)',1,0,NULL,NULL,NULL);
CREATE INDEX delivery_due ON delivery (transport, next_attempt_at) WHERE state IN ('queued', 'deferred');
CREATE INDEX delivery_of_message ON delivery (message);
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
CREATE INDEX message_open ON message (closed_at) WHERE closed_at IS NULL;
DROP TABLE IF EXISTS meta;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('readable_since','1');
INSERT INTO meta VALUES('version','1');
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
COMMIT TRANSACTION;
