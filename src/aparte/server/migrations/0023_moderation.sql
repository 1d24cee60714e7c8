-- Word lists, messages that wait for a moderator, and flags.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

CREATE TYPE held_status AS ENUM ('pending', 'approved', 'rejected', 'withdrawn');
CREATE TYPE flag_status AS ENUM ('pending', 'under_review', 'resolved', 'dismissed');
CREATE TYPE flag_reason AS ENUM ('spam', 'abuse', 'violence', 'sexual', 'illegal', 'other');

-- One row a list. That of the server has the id of no conversation, and holds wherever messages are screened.
CREATE TABLE word_lists (
  list_id uuid PRIMARY KEY,
  conversation_id uuid REFERENCES conversations ON DELETE CASCADE,
  words jsonb NOT NULL,
  account_id uuid,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT word_lists_list_check
    CHECK (list_id = coalesce(conversation_id, '00000000-0000-0000-0000-000000000000')),
  CONSTRAINT word_lists_words_check CHECK (jsonb_typeof(words) = 'array' AND jsonb_array_length(words) <= 1000)
);
CREATE INDEX word_lists_conversation_id_idx ON word_lists (conversation_id);
CREATE TRIGGER word_lists_updated_at_trigger BEFORE UPDATE ON word_lists
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- Outside of the log: what waits has no position, so nobody reads, finds or counts it. Changed under the head's lock.
CREATE TABLE held_messages (
  held_id uuid PRIMARY KEY,
  conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id uuid NOT NULL,
  client_message_id uuid NOT NULL,
  digest bigint NOT NULL,
  status held_status NOT NULL DEFAULT 'pending',
  message jsonb,
  words text[] NOT NULL CHECK (cardinality(words) BETWEEN 1 AND 50),
  decided_by uuid,
  decided_at timestamptz,
  reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
  sent_id uuid,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT held_messages_message_check CHECK ((message IS NULL) = (status = 'withdrawn' OR sent_id IS NOT NULL)),
  CONSTRAINT held_messages_decided_check
    CHECK ((decided_at IS NULL) = (status = 'pending') AND (decided_by IS NULL OR decided_at IS NOT NULL)),
  CONSTRAINT held_messages_sent_check CHECK (sent_id IS NULL OR status = 'approved')
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX held_messages_client_key ON held_messages (conversation_id, device_id, client_message_id);
CREATE INDEX held_messages_shown_idx ON held_messages (conversation_id, held_id) WHERE message IS NOT NULL;
CREATE INDEX held_messages_pending_idx ON held_messages (conversation_id) WHERE status = 'pending';
CREATE INDEX held_messages_account_idx ON held_messages (account_id, conversation_id, held_id);
CREATE INDEX held_messages_unsent_idx ON held_messages (decided_at) WHERE status = 'approved' AND sent_id IS NULL;
CREATE INDEX held_messages_decided_at_idx ON held_messages (decided_at) WHERE decided_at IS NOT NULL;

-- How often a message is flagged is counted here and stands nowhere else.
CREATE TABLE flags (
  flag_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  conversation_id uuid NOT NULL,
  message_id uuid NOT NULL,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  reason flag_reason NOT NULL,
  note text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
  status flag_status NOT NULL DEFAULT 'pending',
  is_open boolean NOT NULL GENERATED ALWAYS AS (status IN ('pending', 'under_review')) STORED,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  FOREIGN KEY (conversation_id, message_id) REFERENCES messages
);
CREATE UNIQUE INDEX flags_open_key ON flags (conversation_id, message_id, account_id) WHERE is_open;
CREATE INDEX flags_message_idx ON flags (conversation_id, message_id);
CREATE INDEX flags_account_id_idx ON flags (account_id);
CREATE TRIGGER flags_updated_at_trigger BEFORE UPDATE ON flags
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

GRANT SELECT, INSERT, UPDATE ON word_lists TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON held_messages, flags TO aparte_service;

COMMENT ON TABLE word_lists IS 'Words that are looked for where messages are screened: of one conversation, or of the whole server.';
COMMENT ON COLUMN word_lists.list_id IS 'The conversation''s id; of the server''s own list zeros.';
COMMENT ON COLUMN word_lists.conversation_id IS 'NULL: the server''s own.';
COMMENT ON COLUMN word_lists.words IS 'Objects with text and action, in the order they were given.';
COMMENT ON COLUMN word_lists.account_id IS 'Who wrote it last.';
COMMENT ON COLUMN word_lists.updated_at IS 'Set by trigger.';
COMMENT ON TABLE held_messages IS 'Messages that wait for a moderator, and what became of them. Outside of the log: they have no position.';
COMMENT ON COLUMN held_messages.held_id IS 'UUIDv7 of the moment it was held.';
COMMENT ON COLUMN held_messages.conversation_id IS 'Where it was to be said.';
COMMENT ON COLUMN held_messages.account_id IS 'Who says it.';
COMMENT ON COLUMN held_messages.device_id IS 'From which device.';
COMMENT ON COLUMN held_messages.client_message_id IS 'What the message is known by: however often it is sent, it is stored once.';
COMMENT ON COLUMN held_messages.digest IS 'Stands for what was sent, so that a repeat is known.';
COMMENT ON COLUMN held_messages.status IS 'Approved without sent_id: it is being sent.';
COMMENT ON COLUMN held_messages.message IS 'SendMessage; gone once it stands in the log or is withdrawn.';
COMMENT ON COLUMN held_messages.words IS 'What was found in it: for moderators alone.';
COMMENT ON COLUMN held_messages.decided_by IS 'Who decided; NULL of what was withdrawn.';
COMMENT ON COLUMN held_messages.decided_at IS '30 days later it is forgotten.';
COMMENT ON COLUMN held_messages.reason IS 'Why; the code with which an approved one was refused.';
COMMENT ON COLUMN held_messages.sent_id IS 'The message that it has become.';
COMMENT ON COLUMN held_messages.created_at IS 'When it was held.';
COMMENT ON TABLE flags IS 'Members who tell moderators of a message: one open flag of a person per message.';
COMMENT ON COLUMN flags.flag_id IS 'Made by the server.';
COMMENT ON COLUMN flags.conversation_id IS 'Where.';
COMMENT ON COLUMN flags.message_id IS 'The message.';
COMMENT ON COLUMN flags.account_id IS 'Who tells; moderators of the conversation are not told.';
COMMENT ON COLUMN flags.reason IS 'What is wrong with it.';
COMMENT ON COLUMN flags.note IS 'In the person''s own words.';
COMMENT ON COLUMN flags.status IS 'Where it stands.';
COMMENT ON COLUMN flags.is_open IS 'Follows from status: it counts.';
COMMENT ON COLUMN flags.created_at IS 'When it was first told.';
COMMENT ON COLUMN flags.updated_at IS 'Set by trigger.';

-- migrate:down
-- An older server screens nothing: what waits is lost with the table.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
DROP TABLE flags, held_messages, word_lists;
DROP TYPE flag_reason, flag_status, held_status;
