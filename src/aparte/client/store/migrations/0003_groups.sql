-- Groups: signed membership, sender keys, invite links. Keys and hashes are raw bytes, times milliseconds since 1970.

-- The membership statements of each group, checked, in order from 1 without gap.
CREATE TABLE statements (
  conversation_id BLOB NOT NULL,
  number INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  statement BLOB NOT NULL,
  signature BLOB NOT NULL,
  link_signature BLOB,
  PRIMARY KEY (conversation_id, number)
) STRICT;

-- Statements that were refused although they were signed by somebody entitled: a fork, kept to be shown.
CREATE TABLE statement_evidence (
  conversation_id BLOB NOT NULL,
  code TEXT NOT NULL,
  statement BLOB NOT NULL,
  signature BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, statement)
) STRICT;

-- The newest membership statement that an epoch stands on; 0 where there are none.
ALTER TABLE epochs ADD COLUMN statement INTEGER NOT NULL DEFAULT 0;

-- How often the account key was replaced without the signature of the one before, up to this version.
ALTER TABLE list_versions ADD COLUMN resets INTEGER NOT NULL DEFAULT 0;

-- The sender-key chain that this device sends to a group with. `first_counter` is that of the first entry under it;
-- `roster` the one whose devices all have it, NULL while that was not looked at; `look_at` when those whose bundle was
-- unusable are tried again.
CREATE TABLE own_chains (
  conversation_id BLOB PRIMARY KEY,
  chain_id INTEGER NOT NULL,
  record BLOB NOT NULL,
  first_counter INTEGER NOT NULL,
  roster BLOB,
  look_at INTEGER
) STRICT;

-- Who was given that chain, under which account key, and the envelope until an entry has committed it: type 0 is an
-- empty one, for a device whose bundle was unusable. `is_due`: the device has shown that it lacks the chain.
CREATE TABLE chain_devices (
  conversation_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  account_key BLOB NOT NULL,
  type INTEGER NOT NULL,
  body BLOB NOT NULL,
  made_at INTEGER NOT NULL,
  uploaded_at INTEGER NOT NULL DEFAULT 0,
  is_committed INTEGER NOT NULL DEFAULT 0,
  is_due INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (conversation_id, device_id)
) STRICT;
CREATE INDEX chain_devices_due_idx ON chain_devices (conversation_id, device_id) WHERE is_committed = 0;

-- The chains of other devices: one record of the newest five for each.
CREATE TABLE sender_chains (
  conversation_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (conversation_id, device_id)
) STRICT;

-- Invite links that this device has made: the seed that is behind the # of the link.
CREATE TABLE invite_links (
  conversation_id BLOB NOT NULL,
  link_id BLOB NOT NULL CHECK (length(link_id) = 16),
  seed BLOB NOT NULL CHECK (length(seed) = 16),
  token BLOB NOT NULL CHECK (length(token) = 16),
  PRIMARY KEY (conversation_id, link_id)
) STRICT;
