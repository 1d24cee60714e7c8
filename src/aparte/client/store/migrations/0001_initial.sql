-- What a profile knows. Ids are 16 bytes, times milliseconds since 1970, bodies MessagePack.

CREATE TABLE profile (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  server TEXT NOT NULL,
  account_id BLOB NOT NULL CHECK (length(account_id) = 16),
  device_id BLOB NOT NULL CHECK (length(device_id) = 16),
  username TEXT NOT NULL,
  is_confirmed INTEGER NOT NULL DEFAULT 0,
  is_started INTEGER NOT NULL DEFAULT 0,
  marker TEXT NOT NULL DEFAULT '',
  state_rev INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE tokens (
  one INTEGER PRIMARY KEY CHECK (one = 1) REFERENCES profile (one),
  access_token TEXT NOT NULL,
  access_expires_at INTEGER NOT NULL,
  refresh_token TEXT NOT NULL
) STRICT;

CREATE TABLE conversations (
  conversation_id BLOB PRIMARY KEY CHECK (length(conversation_id) = 16),
  kind TEXT NOT NULL,
  encryption_mode TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  topic TEXT NOT NULL,
  description TEXT NOT NULL,
  role TEXT,
  cursor_seq INTEGER NOT NULL,
  cursor_id BLOB NOT NULL CHECK (length(cursor_id) = 16),
  listened_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX conversations_name_key_idx ON conversations (name_key);

CREATE TABLE entries (
  conversation_id BLOB NOT NULL REFERENCES conversations ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  id BLOB NOT NULL CHECK (length(id) = 16),
  kind INTEGER NOT NULL,
  at INTEGER NOT NULL,
  account_id BLOB NOT NULL,
  device_id BLOB,
  client_message_id BLOB,
  ordinal INTEGER,
  target_seq INTEGER,
  target_id BLOB,
  body BLOB,
  PRIMARY KEY (conversation_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_target_idx ON entries (conversation_id, target_seq, seq) WHERE target_seq IS NOT NULL;

CREATE TABLE people (
  account_id BLOB PRIMARY KEY CHECK (length(account_id) = 16),
  username TEXT NOT NULL,
  display_name TEXT NOT NULL
) STRICT;

CREATE TABLE account_state (
  key TEXT PRIMARY KEY,
  rev INTEGER NOT NULL,
  value BLOB
) STRICT;

-- What was asked to be sent: the exact bytes of the request, until the server has answered for good. An answered item
-- stays until whoever waits for the answer has taken it.
CREATE TABLE outbox (
  item INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation_id BLOB NOT NULL CHECK (length(conversation_id) = 16),
  client_message_id BLOB NOT NULL UNIQUE CHECK (length(client_message_id) = 16),
  body BLOB NOT NULL,
  queued_at INTEGER NOT NULL,
  outcome TEXT,
  answer BLOB
) STRICT;
CREATE INDEX outbox_pending_idx ON outbox (conversation_id, item) WHERE outcome IS NULL;
