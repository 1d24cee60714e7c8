-- Sealed objects: what members of encrypted conversations leave for each other, in files beside the database.

-- migrate:up
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- The file of `blob_id` was written before the row, under a name that is never used again.
CREATE TABLE objects (
  conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
  object_id uuid NOT NULL,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  blob_id uuid NOT NULL,
  size integer NOT NULL CHECK (size BETWEEN 1 AND 262144),
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, object_id)
);
CREATE UNIQUE INDEX objects_blob_id_key ON objects (blob_id);
CREATE INDEX objects_account_id_idx ON objects (account_id, created_at);
CREATE INDEX objects_created_at_idx ON objects (created_at);

GRANT SELECT, INSERT, DELETE ON objects TO aparte_service;

-- migrate:down
DROP TABLE objects;
