-- Keys, and what end-to-end encrypted conversations need. Keys and hashes are raw bytes, times milliseconds since 1970.

-- This device's own keys, and the account's: `account_private` is NULL until the device is listed. A device whose state
-- turns out to be an old copy is `stopped` for good, with the code that says why. Prekeys with ids below `uploaded_to`
-- are at the server; `looked_at` is when its stock was asked for.
CREATE TABLE own_keys (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  account_id BLOB NOT NULL CHECK (length(account_id) = 16),
  device_id BLOB NOT NULL CHECK (length(device_id) = 16),
  number INTEGER CHECK (number BETWEEN 1 AND 127),
  registration_id INTEGER NOT NULL,
  identity_private BLOB NOT NULL CHECK (length(identity_private) = 32),
  account_private BLOB CHECK (length(account_private) = 32),
  next_account_private BLOB CHECK (length(next_account_private) = 32),
  prekeys BLOB NOT NULL,
  uploaded_to INTEGER NOT NULL DEFAULT 0,
  looked_at INTEGER NOT NULL DEFAULT 0,
  stopped TEXT
) STRICT;

-- Whose keys we know: the newest device list of each account that was checked, and what we think of the account key.
-- `verified_key`: the account key that its owner confirmed in person. `changed_at`: it is another one since then, and
-- nothing is sent until that is accepted; without `verified_key` a change is only told.
CREATE TABLE pins (
  account_id BLOB PRIMARY KEY CHECK (length(account_id) = 16),
  account_key BLOB NOT NULL CHECK (length(account_key) = 33),
  version INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  list BLOB NOT NULL,
  signature BLOB NOT NULL,
  verified_key BLOB CHECK (length(verified_key) = 33),
  changed_at INTEGER,
  asked_at INTEGER NOT NULL DEFAULT 0,
  dormant BLOB NOT NULL DEFAULT x''
) STRICT;

-- Lists that were refused although they were signed: a roll-back or a fork, kept to be shown.
CREATE TABLE evidence (
  account_id BLOB NOT NULL,
  code TEXT NOT NULL,
  list BLOB NOT NULL,
  signature BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account_id, list)
) STRICT;

-- What a person must be told: a key that changed, an entry that was refused, a device that came. `code` is worded by
-- whoever shows it.
CREATE TABLE notices (
  notice INTEGER PRIMARY KEY AUTOINCREMENT,
  code TEXT NOT NULL,
  account_id BLOB,
  device_id BLOB,
  conversation_id BLOB,
  seq INTEGER,
  at INTEGER NOT NULL,
  shown INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One record of sessions for each device that we write to or hear from.
CREATE TABLE sessions (
  account_id BLOB NOT NULL CHECK (length(account_id) = 16),
  device_id BLOB NOT NULL CHECK (length(device_id) = 16),
  identity BLOB NOT NULL CHECK (length(identity) = 33),
  record BLOB NOT NULL,
  begun_at INTEGER NOT NULL,
  renewed_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, device_id)
) STRICT;

-- Every version of a device list that was checked: what an epoch of the past was made of. No row is ever changed.
CREATE TABLE list_versions (
  account_id BLOB NOT NULL CHECK (length(account_id) = 16),
  version INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  list BLOB NOT NULL,
  PRIMARY KEY (account_id, version)
) STRICT;

-- Each encrypted conversation's epochs as we have computed them: the roster, and the versions of the lists that it is
-- made of (packed: for each account 16 || version be64). `seq` is where it was first met in the log; one that only the
-- server's answer to a sending told of has the largest number until then.
CREATE TABLE epochs (
  conversation_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  roster BLOB NOT NULL CHECK (length(roster) = 32),
  listed BLOB NOT NULL,
  PRIMARY KEY (conversation_id, epoch)
) STRICT;

-- Each sending device's newest entry in each encrypted conversation, our own included (only what the server has taken).
CREATE TABLE chains (
  conversation_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  counter INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (conversation_id, device_id)
) STRICT;

-- Sealed entries: hash, and how far we are with opening them: 'open' (entries.body has the content), 'waiting' (no key
-- yet), 'refused' (`code` says why), 'deleted'. Without its key `sealed` is of no use to anybody: it is kept for a
-- restore and for reports. `is_late`: opened after it had waited, so that it is handed out although later ones were.
-- `is_cleared`: its owner knows that its roster does not fit, and writes on all the same.
CREATE TABLE sealed (
  conversation_id BLOB NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  epoch INTEGER NOT NULL,
  roster BLOB NOT NULL,
  device_id BLOB NOT NULL,
  counter INTEGER NOT NULL,
  prev BLOB NOT NULL,
  target BLOB NOT NULL,
  sealed BLOB,
  state TEXT NOT NULL CHECK (state IN ('open', 'waiting', 'refused', 'deleted')),
  code TEXT,
  asked_at INTEGER NOT NULL DEFAULT 0,
  is_late INTEGER NOT NULL DEFAULT 0,
  is_cleared INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (conversation_id, seq)
) STRICT;
CREATE INDEX sealed_hash_idx ON sealed (hash);
CREATE INDEX sealed_counter_idx ON sealed (conversation_id, device_id, counter);
CREATE INDEX sealed_waiting_idx ON sealed (conversation_id, seq) WHERE state = 'waiting';
CREATE INDEX sealed_wordless_idx ON sealed (conversation_id, seq) WHERE state = 'deleted' AND code IS NULL;
CREATE INDEX sealed_mismatch_idx ON sealed (conversation_id, seq) WHERE code = 'roster_mismatch' AND is_cleared = 0;
CREATE INDEX sealed_late_idx ON sealed (conversation_id, seq) WHERE is_late = 1;

-- Content keys: (K, hash) of every entry we could read or were given, and who gave it: one that may not is not believed.
CREATE TABLE content_keys (
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  account_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  content_key BLOB NOT NULL CHECK (length(content_key) = 32),
  at INTEGER NOT NULL,
  PRIMARY KEY (hash, account_id, device_id)
) STRICT;

-- Key requests that we have answered: how often for each entry and device.
CREATE TABLE answered (
  hash BLOB NOT NULL,
  device_id BLOB NOT NULL,
  times INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (hash, device_id)
) STRICT;

-- Payloads that must go out: the exact bytes, until the server has them.
CREATE TABLE payloads (
  payload_id BLOB PRIMARY KEY CHECK (length(payload_id) = 16),
  account_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  type INTEGER NOT NULL,
  body BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;
-- Payloads that were taken in, so that one that comes again is not opened twice.
CREATE TABLE payloads_seen (
  payload_id BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

-- An item for an encrypted conversation waits as its content until its turn comes: then `body` is the finished request
-- (NULL before), and `hash` and `content_key` what it will be stored with.
CREATE TABLE outbox_sealed (
  item INTEGER PRIMARY KEY REFERENCES outbox (item) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  content BLOB NOT NULL,
  target_id BLOB,
  target_hash BLOB,
  is_on INTEGER NOT NULL DEFAULT 1,
  body BLOB,
  epoch INTEGER,
  counter INTEGER,
  hash BLOB,
  content_key BLOB
) STRICT;

ALTER TABLE conversations ADD COLUMN peer_id BLOB;
