-- Scheduled messages and drafts.

-- Content keys that came before their entries: of messages that are due later. Kept for 60 days, and so many of one
-- device at most.
CREATE TABLE early_keys (
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  account_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  content_key BLOB NOT NULL CHECK (length(content_key) = 32),
  at INTEGER NOT NULL,
  PRIMARY KEY (hash, account_id, device_id)
) STRICT;
CREATE INDEX early_keys_device_idx ON early_keys (device_id, at);
CREATE INDEX early_keys_at_idx ON early_keys (at);

-- What is being written and is not at the server yet: NULL once it is to be forgotten there.
CREATE TABLE unsaved_drafts (
  conversation_id BLOB PRIMARY KEY CHECK (length(conversation_id) = 16),
  text TEXT,
  at INTEGER NOT NULL
) STRICT;

-- Scheduled messages stand outside of their devices' chains: a repeat falls by its client id.
CREATE INDEX sealed_unchained_idx ON sealed (conversation_id, seq) WHERE counter = 0;
