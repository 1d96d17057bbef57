-- readable since: 1
-- What ties a session to the password that its rep had when it began: a digest of the password's hash, keyed by the
-- session's own id. '' fits no password, so that a session of an older relay ends, but for one through OIDC.
ALTER TABLE page_session ADD COLUMN tie TEXT NOT NULL DEFAULT '';
