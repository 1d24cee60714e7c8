-- Messages that are due later: written by one process when their time has come, once, whoever dies meanwhile.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

CREATE TYPE scheduled_status AS ENUM ('waiting', 'stale', 'sent', 'cancelled', 'refused');

CREATE TABLE scheduled_messages (
  scheduled_id uuid PRIMARY KEY,
  conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id uuid NOT NULL,
  client_message_id uuid NOT NULL,
  digest bigint NOT NULL,
  due_at timestamptz NOT NULL,
  look_at timestamptz NOT NULL,
  status scheduled_status NOT NULL DEFAULT 'waiting',
  is_sent boolean NOT NULL GENERATED ALWAYS AS (status = 'sent') STORED,
  is_cancelled boolean NOT NULL GENERATED ALWAYS AS (status = 'cancelled') STORED,
  message jsonb,
  sealed bytea,
  epoch bigint,
  roster bytea,
  thread_id uuid,
  thread_hash bytea,
  mentions uuid[] NOT NULL DEFAULT '{}',
  ttl_seconds integer,
  chain_id bigint,
  group_key bytea,
  sent_id uuid,
  refused text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT scheduled_messages_content_check CHECK (num_nonnulls(message, sealed)
    = CASE WHEN status IN ('sent', 'cancelled') THEN 0 ELSE 1 END),
  CONSTRAINT scheduled_messages_sealed_check CHECK (num_nonnulls(sealed, epoch, roster) IN (0, 3)
    AND length(sealed) BETWEEN 192 AND 65536 AND epoch > 0 AND length(roster) = 32),
  CONSTRAINT scheduled_messages_thread_check CHECK (num_nonnulls(thread_id, thread_hash) IN (0, 2)
    AND length(thread_hash) = 32),
  CONSTRAINT scheduled_messages_mentions_check CHECK (cardinality(mentions) <= 50),
  CONSTRAINT scheduled_messages_ttl_check CHECK (ttl_seconds BETWEEN 5 AND 2419200),
  CONSTRAINT scheduled_messages_key_check CHECK (num_nonnulls(chain_id, group_key) IN (0, 2)
    AND chain_id BETWEEN 0 AND 2147483647 AND length(group_key) BETWEEN 1 AND 4096),
  CONSTRAINT scheduled_messages_stale_check CHECK (status <> 'stale' OR sealed IS NOT NULL),
  CONSTRAINT scheduled_messages_sent_check CHECK (sent_id IS NULL OR status = 'sent'),
  CONSTRAINT scheduled_messages_refused_check CHECK ((refused IS NOT NULL) = (status = 'refused')
    AND length(refused) BETWEEN 1 AND 50)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX scheduled_messages_client_key
  ON scheduled_messages (account_id, conversation_id, client_message_id);
CREATE INDEX scheduled_messages_author_idx ON scheduled_messages (account_id, is_sent, is_cancelled, due_at);
CREATE INDEX scheduled_messages_conversation_idx
  ON scheduled_messages (conversation_id, is_sent, is_cancelled, due_at);
CREATE INDEX scheduled_messages_due_idx ON scheduled_messages (look_at, due_at) WHERE status = 'waiting';
CREATE INDEX scheduled_messages_sealed_idx ON scheduled_messages (conversation_id)
  WHERE status = 'waiting' AND epoch IS NOT NULL;
CREATE INDEX scheduled_messages_over_idx ON scheduled_messages (updated_at)
  WHERE status IN ('sent', 'cancelled', 'refused');
CREATE TRIGGER scheduled_messages_updated_at_trigger BEFORE UPDATE OF status ON scheduled_messages
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
COMMENT ON TABLE scheduled_messages IS 'Messages to be sent when they are due: what the server can read, or what is sealed.';
COMMENT ON COLUMN scheduled_messages.scheduled_id IS 'Made by the server.';
COMMENT ON COLUMN scheduled_messages.conversation_id IS 'Where it will be said.';
COMMENT ON COLUMN scheduled_messages.account_id IS 'Whose it is: nobody else ever sees it.';
COMMENT ON COLUMN scheduled_messages.device_id IS 'The device that it will be from; of a sealed one that which has sealed it last.';
COMMENT ON COLUMN scheduled_messages.client_message_id IS 'What the message will be known by: however often it is sent, it is stored once.';
COMMENT ON COLUMN scheduled_messages.digest IS 'Stands for what was asked first, so that a repeat is known.';
COMMENT ON COLUMN scheduled_messages.due_at IS 'When it is to be sent, and not before.';
COMMENT ON COLUMN scheduled_messages.look_at IS 'When it is tried: due_at, or later after an attempt that nothing came of.';
COMMENT ON COLUMN scheduled_messages.status IS 'Stale: sealed for an epoch or a chain that is over, until a device of its author seals it again.';
COMMENT ON COLUMN scheduled_messages.is_sent IS 'Follows from status.';
COMMENT ON COLUMN scheduled_messages.is_cancelled IS 'Follows from status.';
COMMENT ON COLUMN scheduled_messages.message IS 'SendMessage, where the server can read it; gone once it is sent or cancelled.';
COMMENT ON COLUMN scheduled_messages.sealed IS 'The sealed content; gone once it is sent or cancelled.';
COMMENT ON COLUMN scheduled_messages.epoch IS 'The epoch that it is sealed for.';
COMMENT ON COLUMN scheduled_messages.roster IS 'The roster of that epoch.';
COMMENT ON COLUMN scheduled_messages.thread_id IS 'The root of the thread that a sealed one belongs to.';
COMMENT ON COLUMN scheduled_messages.thread_hash IS 'The hash of that root.';
COMMENT ON COLUMN scheduled_messages.mentions IS 'Whom a sealed one mentions, as its author says.';
COMMENT ON COLUMN scheduled_messages.ttl_seconds IS 'Seconds after which a sealed one disappears, counted from its being sent.';
COMMENT ON COLUMN scheduled_messages.chain_id IS 'In groups: the sender-key chain that opens group_key.';
COMMENT ON COLUMN scheduled_messages.group_key IS 'In groups: the sender-key message with the content key.';
COMMENT ON COLUMN scheduled_messages.sent_id IS 'The message that it has become; NULL of one that waits for a moderator.';
COMMENT ON COLUMN scheduled_messages.refused IS 'The code with which it was refused when it was due.';
COMMENT ON COLUMN scheduled_messages.created_at IS 'When it was scheduled.';
COMMENT ON COLUMN scheduled_messages.updated_at IS 'Since when it has its status.';

-- What a scheduled message will need to be read waits for it: longer than what an entry is about to name.
ALTER TABLE distributions ADD COLUMN kept_until timestamptz;
COMMENT ON COLUMN distributions.kept_until IS 'Pending until then, because a scheduled message names its chain.';

GRANT SELECT, INSERT, UPDATE, DELETE ON scheduled_messages TO aparte_service;

-- migrate:down
-- An older server sends nothing later: what waits is lost with the table.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE distributions DROP COLUMN kept_until;
DROP TABLE scheduled_messages;
DROP TYPE scheduled_status;
