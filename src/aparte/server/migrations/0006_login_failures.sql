-- Guesses at names that nobody has, counted like guesses at accounts, so that a lock does not tell which names exist.
-- `name_key` is a MAC of the name under the server's key: people type passwords into the wrong field.

-- migrate:up
CREATE TABLE login_failures (
  name_key bytea PRIMARY KEY CHECK (length(name_key) = 32),
  failed_login_attempts integer NOT NULL DEFAULT 0 CHECK (failed_login_attempts >= 0),
  lock_count integer NOT NULL DEFAULT 0 CHECK (lock_count >= 0),
  locked_until timestamptz,
  tried_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);
CREATE INDEX login_failures_tried_at_idx ON login_failures (tried_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON login_failures TO aparte_service;

-- migrate:down
DROP TABLE login_failures;
