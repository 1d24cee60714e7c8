-- Look through what was there before 0017 to 0019 for their checks, in a transaction of its own: it reads and stops nobody
-- meanwhile.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30min';
ALTER TABLE members VALIDATE CONSTRAINT members_role_id_fkey;
ALTER TABLE members VALIDATE CONSTRAINT members_overrides_check;
ALTER TABLE members VALIDATE CONSTRAINT members_silenced_check;
ALTER TABLE members VALIDATE CONSTRAINT members_silence_reason_check;
ALTER TABLE members VALIDATE CONSTRAINT members_nickname_check;
ALTER TABLE members VALIDATE CONSTRAINT members_ban_reason_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_welcome_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_rules_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_picture_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_language_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_slow_mode_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_ttl_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_metadata_check;
ALTER TABLE heads VALIDATE CONSTRAINT heads_closed_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_sealed_check;

-- migrate:down
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE members
  DROP CONSTRAINT members_role_id_fkey,
  DROP CONSTRAINT members_overrides_check,
  DROP CONSTRAINT members_silenced_check,
  DROP CONSTRAINT members_silence_reason_check,
  DROP CONSTRAINT members_nickname_check,
  DROP CONSTRAINT members_ban_reason_check;
ALTER TABLE members
  ADD CONSTRAINT members_role_id_fkey FOREIGN KEY (conversation_id, role_id) REFERENCES conversation_roles
    ON DELETE SET NULL (role_id) NOT VALID,
  ADD CONSTRAINT members_overrides_check CHECK (jsonb_typeof(overrides) = 'object') NOT VALID,
  ADD CONSTRAINT members_silenced_check CHECK ((silenced_until IS NULL) = (silenced_by IS NULL)
    AND (silenced_until IS NULL) = (silence_reason IS NULL)) NOT VALID,
  ADD CONSTRAINT members_silence_reason_check CHECK (length(silence_reason) <= 500) NOT VALID,
  ADD CONSTRAINT members_nickname_check CHECK (length(nickname) BETWEEN 1 AND 100) NOT VALID,
  ADD CONSTRAINT members_ban_reason_check CHECK (length(ban_reason) <= 500
    AND (ban_reason IS NULL OR banned_at IS NOT NULL)) NOT VALID;
ALTER TABLE conversations
  DROP CONSTRAINT conversations_welcome_check,
  DROP CONSTRAINT conversations_rules_check,
  DROP CONSTRAINT conversations_picture_check,
  DROP CONSTRAINT conversations_language_check,
  DROP CONSTRAINT conversations_slow_mode_check,
  DROP CONSTRAINT conversations_ttl_check,
  DROP CONSTRAINT conversations_metadata_check;
ALTER TABLE conversations
  ADD CONSTRAINT conversations_welcome_check CHECK (length(welcome) <= 2000) NOT VALID,
  ADD CONSTRAINT conversations_rules_check CHECK (length(rules) <= 4000) NOT VALID,
  ADD CONSTRAINT conversations_picture_check CHECK (length(picture) BETWEEN 1 AND 500) NOT VALID,
  ADD CONSTRAINT conversations_language_check CHECK (language IN ('fr', 'en', 'simple')) NOT VALID,
  ADD CONSTRAINT conversations_slow_mode_check CHECK (slow_mode_seconds BETWEEN 0 AND 3600) NOT VALID,
  ADD CONSTRAINT conversations_ttl_check CHECK (ttl_seconds BETWEEN 5 AND 2419200) NOT VALID,
  ADD CONSTRAINT conversations_metadata_check CHECK (jsonb_typeof(metadata) = 'object') NOT VALID;
ALTER TABLE heads
  DROP CONSTRAINT heads_closed_check;
ALTER TABLE heads
  ADD CONSTRAINT heads_closed_check CHECK (closed BETWEEN 0 AND 2) NOT VALID;
ALTER TABLE messages
  DROP CONSTRAINT messages_sealed_check;
ALTER TABLE messages
  ADD CONSTRAINT messages_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL) AND (target_seq IS NULL) = (target_id IS NULL)
  AND (target IS NOT NULL) = (target_id IS NOT NULL AND epoch IS NOT NULL)) NOT VALID;
