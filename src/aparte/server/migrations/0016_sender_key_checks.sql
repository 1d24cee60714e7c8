-- Look through what was there before 0013 for its check, in a transaction of its own: it reads the sets and stops nobody
-- meanwhile.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30min';
ALTER TABLE message_key_sets VALIDATE CONSTRAINT message_key_sets_one_check;

-- migrate:down
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE message_key_sets DROP CONSTRAINT message_key_sets_one_check;
ALTER TABLE message_key_sets ADD CONSTRAINT message_key_sets_one_check
  CHECK (num_nonnulls(envelopes, group_key) = 1) NOT VALID;
