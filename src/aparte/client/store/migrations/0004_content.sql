-- What encrypted conversations of every kind say beside words: how long messages stay, and what hangs together.

-- Whose members follow from signed statements: groups, encrypted rooms and channels.
ALTER TABLE conversations ADD COLUMN has_chain INTEGER
  GENERATED ALWAYS AS (encryption_mode = 'e2ee' AND kind NOT IN ('direct', 'self')) VIRTUAL;

-- Messages that disappear: at `expires_at`, NULL for what counts from being read (`is_from_reading`) and was not read
-- here yet, and then after `lasts` milliseconds. A row goes with what the message said; its place in the log stays.
CREATE TABLE expiring (
  conversation_id BLOB NOT NULL,
  seq INTEGER NOT NULL,
  lasts INTEGER NOT NULL,
  is_from_reading INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (conversation_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX expiring_at_idx ON expiring (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX expiring_unread_idx ON expiring (conversation_id, seq) WHERE expires_at IS NULL;

-- What was ever pinned.
CREATE INDEX entries_pins_idx ON entries (conversation_id, target_seq, seq) WHERE kind = 5;
