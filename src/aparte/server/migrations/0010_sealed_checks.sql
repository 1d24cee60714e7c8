-- Look through what was there before 0008 for its checks, in a transaction of its own: it reads the whole log and stops
-- nobody meanwhile.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30min';
ALTER TABLE heads VALIDATE CONSTRAINT heads_roster_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_content_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_sealed_check;
ALTER TABLE entries VALIDATE CONSTRAINT entries_content_check;
ALTER TABLE entries VALIDATE CONSTRAINT entries_sealed_check;

-- migrate:down
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE heads DROP CONSTRAINT heads_roster_check;
ALTER TABLE heads ADD CONSTRAINT heads_roster_check
  CHECK ((epoch = 0) = (roster IS NULL) AND (roster IS NULL OR length(roster) = 32)) NOT VALID;
ALTER TABLE messages DROP CONSTRAINT messages_content_check, DROP CONSTRAINT messages_sealed_check;
ALTER TABLE messages ADD CONSTRAINT messages_content_check
  CHECK (num_nonnulls(content, sealed, erased_at) = 1) NOT VALID;
ALTER TABLE messages ADD CONSTRAINT messages_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL) AND num_nulls(target_seq, target_id, target) IN (0, 3)) NOT VALID;
ALTER TABLE entries DROP CONSTRAINT entries_sealed_check, DROP CONSTRAINT entries_content_check;
ALTER TABLE entries ADD CONSTRAINT entries_content_check
  CHECK (num_nonnulls(body, sealed, erased_at) = 1) NOT VALID;
ALTER TABLE entries ADD CONSTRAINT entries_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL)) NOT VALID;
