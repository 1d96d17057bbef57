-- readable since: 1
-- A record that was asked for more than once: an earlier call, whose answer was lost, may yet be carried out. At `look_at`
-- it is looked for once more. `answered` is the id that the last call answered; it is deleted once `other`, a record
-- like it in everything, has taken its place.
CREATE TABLE record_doubt (
    key      TEXT    PRIMARY KEY,
    answered TEXT    NOT NULL,
    other    TEXT,
    look_at  INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX record_doubt_due ON record_doubt (look_at);
