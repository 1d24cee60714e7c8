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

-- What the server says that an epoch is made of (packed as in `epochs`; version 0: a member whose key was reset). Not
-- believed: it only tells which versions to try.
CREATE TABLE epoch_hints (
  conversation_id BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  statement INTEGER NOT NULL,
  listed BLOB NOT NULL,
  PRIMARY KEY (conversation_id, epoch)
) STRICT;

-- The epoch in which a group can be written to without looking at anybody's list: gone with every change of a pin, of
-- its statements or of its epochs.
CREATE TABLE ready_epochs (
  conversation_id BLOB PRIMARY KEY,
  epoch INTEGER NOT NULL
) STRICT;

-- When a device whose entry did not fit our lists was last sent them.
CREATE TABLE disagreements (
  device_id BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

-- The signatures of a version, so that it can be shown to others; NULL where an older Aparté has kept it without.
-- `resets`: how often the account key was replaced without the signature of the one before, up to this version; -1 for
-- accounts of which an older Aparté has seen another key without keeping which kind of change it was.
ALTER TABLE list_versions ADD COLUMN signature BLOB;
ALTER TABLE list_versions ADD COLUMN previous_signature BLOB;
ALTER TABLE list_versions ADD COLUMN resets INTEGER NOT NULL DEFAULT 0;
UPDATE list_versions SET resets = -1
 WHERE account_id IN (SELECT account_id FROM list_versions GROUP BY account_id
                      HAVING count(DISTINCT substr(list, 35, 33)) > 1);
CREATE INDEX list_versions_key_idx ON list_versions (account_id, substr(list, 35, 33));

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
  at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, link_id)
) STRICT;

-- Entries from before one's time, opened with keys that a member has passed on: who that was. `is_linked`: the hashes of
-- the sender's own later entries lead to it, so that it is no longer that member's word. They are history alone, and no
-- entry that came to this device itself is ever checked against them. One that is refused as 'passed_over' has no key:
-- it is kept for its place between others.
ALTER TABLE sealed ADD COLUMN passed_by BLOB;
ALTER TABLE sealed ADD COLUMN is_linked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sealed_passed_idx ON sealed (conversation_id, seq) WHERE passed_by IS NOT NULL;
CREATE INDEX sealed_target_idx ON sealed (target);
CREATE INDEX entries_said_idx ON entries (conversation_id, kind, seq) WHERE kind IN (6, 7);

-- To whom something is to be passed on: what the group says of itself; with `history`, after that, what was said before
-- `before_seq`. What was passed on to whom is not passed on twice.
CREATE TABLE passing_due (
  conversation_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  history INTEGER NOT NULL,
  before_seq INTEGER NOT NULL,
  look_at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, account_id)
) STRICT;
CREATE TABLE passed_to (
  conversation_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (conversation_id, account_id, hash)
) STRICT;

-- From which entries on the hashes must still be followed back into what was passed on.
CREATE TABLE passed_links (
  conversation_id BLOB NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, seq)
) STRICT;

-- What was passed on to this device and is not taken in yet: triples, or the object that has them.
CREATE TABLE passed_offers (
  offer INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  triples BLOB,
  object_id BLOB,
  object_key BLOB,
  sha256 BLOB,
  at INTEGER NOT NULL
) STRICT;

-- Who has asked for the key of an entry that is not in the store yet: our own ones come back with the log.
CREATE TABLE key_questions (
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  device_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (hash, device_id)
) STRICT;
CREATE INDEX key_questions_device_idx ON key_questions (device_id);
