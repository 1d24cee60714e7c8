-- Rooms and channels in full: what they say to who comes, how they are run, links that lead into them, their end.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

ALTER TABLE conversations
  ADD COLUMN welcome text NOT NULL DEFAULT '',
  ADD COLUMN rules text NOT NULL DEFAULT '',
  ADD COLUMN picture text,
  ADD COLUMN is_nsfw boolean NOT NULL DEFAULT false,
  ADD COLUMN language text NOT NULL DEFAULT 'fr',
  ADD COLUMN slow_mode_seconds integer NOT NULL DEFAULT 0,
  ADD COLUMN ttl_seconds integer,
  ADD COLUMN is_archived boolean NOT NULL DEFAULT false,
  ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';
ALTER TABLE conversations
  ADD CONSTRAINT conversations_welcome_check CHECK (length(welcome) <= 2000) NOT VALID,
  ADD CONSTRAINT conversations_rules_check CHECK (length(rules) <= 4000) NOT VALID,
  ADD CONSTRAINT conversations_picture_check CHECK (length(picture) BETWEEN 1 AND 500) NOT VALID,
  ADD CONSTRAINT conversations_language_check CHECK (language IN ('fr', 'en', 'simple')) NOT VALID,
  ADD CONSTRAINT conversations_slow_mode_check CHECK (slow_mode_seconds BETWEEN 0 AND 3600) NOT VALID,
  ADD CONSTRAINT conversations_ttl_check CHECK (ttl_seconds BETWEEN 5 AND 2419200) NOT VALID,
  ADD CONSTRAINT conversations_metadata_check CHECK (jsonb_typeof(metadata) = 'object') NOT VALID;
COMMENT ON COLUMN conversations.welcome IS 'What somebody new is shown first.';
COMMENT ON COLUMN conversations.rules IS 'By which rules people talk here, in their own words.';
COMMENT ON COLUMN conversations.picture IS 'An https address.';
COMMENT ON COLUMN conversations.is_nsfw IS 'Not for everybody''s eyes.';
COMMENT ON COLUMN conversations.language IS 'By whose rules words are searched: fr, en, or simple (as they are).';
COMMENT ON COLUMN conversations.slow_mode_seconds IS 'How long each member waits between two messages; 0: not at all.';
COMMENT ON COLUMN conversations.ttl_seconds IS 'After how long messages disappear that name no time of their own; NULL: never.';
COMMENT ON COLUMN conversations.is_archived IS 'Read and not written to.';
COMMENT ON COLUMN conversations.metadata IS 'Free JSON; auto_moderate and allow_bots in it change what the server does.';

CREATE OR REPLACE TRIGGER conversations_updated_at_trigger
  BEFORE UPDATE OF name, topic, description, max_members, welcome, rules, picture, is_nsfw, language, slow_mode_seconds,
                   ttl_seconds, is_archived, metadata, deleted_at ON conversations
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- A table of some thousand rows that few things write: its indexes are made in milliseconds.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX conversations_metadata_idx ON conversations USING gin (metadata jsonb_path_ops)
  WHERE deleted_at IS NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX conversations_kind_idx ON conversations (kind, name_key) WHERE is_public AND deleted_at IS NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX conversations_creator_id_idx ON conversations (creator_id) WHERE creator_id IS NOT NULL;

-- Copies of what decides over a send, beside what a send locks anyway. They change with the conversation's own row,
-- under this lock.
ALTER TABLE heads
  ADD COLUMN slow_seconds integer NOT NULL DEFAULT 0,
  ADD COLUMN ttl_seconds integer,
  ADD COLUMN closed smallint NOT NULL DEFAULT 0,
  ADD COLUMN is_screened boolean NOT NULL DEFAULT false;
ALTER TABLE heads ADD CONSTRAINT heads_closed_check CHECK (closed BETWEEN 0 AND 2) NOT VALID;
COMMENT ON COLUMN heads.slow_seconds IS 'conversations.slow_mode_seconds.';
COMMENT ON COLUMN heads.ttl_seconds IS 'conversations.ttl_seconds.';
COMMENT ON COLUMN heads.closed IS '0: open, 1: archived, 2: deleted.';
COMMENT ON COLUMN heads.is_screened IS 'Whether messages pass the word lists: metadata.auto_moderate of a readable conversation.';

-- Links into rooms and channels that the server can read (those of encrypted ones are in the chain: invite_links). The
-- token is with who has the link; here is its hash. A link works while who made it is in and may invite.
CREATE TABLE invites (
  conversation_id uuid NOT NULL REFERENCES conversations,
  invite_id uuid NOT NULL,
  token_hash bytea NOT NULL CONSTRAINT invites_token_key UNIQUE CHECK (length(token_hash) = 32),
  account_id uuid NOT NULL,
  role base_role NOT NULL CHECK (role <> 'owner'),
  expires_at timestamptz,
  uses integer NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND 10000),
  used integer NOT NULL DEFAULT 0 CHECK (used >= 0),
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, invite_id),
  CONSTRAINT invites_uses_left_check CHECK (uses = 0 OR used <= uses)
) WITH (fillfactor = 80);
COMMENT ON TABLE invites IS 'Links into rooms and channels that the server can read.';
COMMENT ON COLUMN invites.conversation_id IS 'Where it leads.';
COMMENT ON COLUMN invites.invite_id IS 'Made by the server; names the link to those who may close it.';
COMMENT ON COLUMN invites.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN invites.account_id IS 'Who made it.';
COMMENT ON COLUMN invites.role IS 'What who comes by it becomes.';
COMMENT ON COLUMN invites.expires_at IS 'NULL: never.';
COMMENT ON COLUMN invites.uses IS 'How many people may come by it; 0: any number.';
COMMENT ON COLUMN invites.used IS 'How many have.';
COMMENT ON COLUMN invites.revoked_at IS 'Closed by a member.';
COMMENT ON COLUMN invites.created_at IS 'When it was made.';

GRANT SELECT, INSERT, UPDATE ON invites TO aparte_service;

-- migrate:down
-- An older server knows neither archive nor screening: it takes what these conversations would have refused.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
DROP TABLE invites;
ALTER TABLE heads DROP COLUMN is_screened, DROP COLUMN closed, DROP COLUMN ttl_seconds, DROP COLUMN slow_seconds;
DROP INDEX conversations_creator_id_idx, conversations_kind_idx, conversations_metadata_idx;
CREATE OR REPLACE TRIGGER conversations_updated_at_trigger
  BEFORE UPDATE OF name, topic, description, max_members ON conversations
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
ALTER TABLE conversations
  DROP COLUMN metadata, DROP COLUMN is_archived, DROP COLUMN ttl_seconds, DROP COLUMN slow_mode_seconds,
  DROP COLUMN language, DROP COLUMN is_nsfw, DROP COLUMN picture, DROP COLUMN rules, DROP COLUMN welcome;
