-- What people do to messages beside saying them: reactions, pins, following threads; and receipts as rows of their own,
-- for those who read the database.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- Who has set which reaction. `mark` is the emoji in UTF-8, or of a sealed reaction the tag that only its maker can make;
-- `id` is the entry that set it.
CREATE TABLE reactions (
  conversation_id uuid NOT NULL,
  message_id uuid NOT NULL,
  mark bytea NOT NULL CHECK (length(mark) BETWEEN 1 AND 80),
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  PRIMARY KEY (conversation_id, message_id, account_id, mark),
  FOREIGN KEY (conversation_id, message_id) REFERENCES messages
);
CREATE INDEX reactions_mark_idx ON reactions (conversation_id, message_id, mark, id) INCLUDE (account_id);
CREATE INDEX reactions_account_id_idx ON reactions (account_id, id);
CREATE INDEX reactions_id_idx ON reactions USING brin (id) WITH (pages_per_range = 32, autosummarize = on);

-- How many have set each emoji of a readable message, so that a page need not count them: changed under the head's lock.
-- `first_id` is the entry that brought it.
CREATE TABLE reaction_counts (
  conversation_id uuid NOT NULL,
  message_id uuid NOT NULL,
  mark bytea NOT NULL,
  first_id uuid NOT NULL,
  reaction_count bigint NOT NULL CHECK (reaction_count > 0),
  PRIMARY KEY (conversation_id, message_id, mark),
  FOREIGN KEY (conversation_id, message_id) REFERENCES messages
) WITH (fillfactor = 80);

-- What is pinned for everybody, by whom; `id` is the entry that pinned it, and says since when. A deleted message keeps
-- its row until it is erased, so that its pin comes back with it.
CREATE TABLE pins (
  conversation_id uuid NOT NULL,
  message_id uuid NOT NULL,
  account_id uuid NOT NULL,
  id uuid NOT NULL,
  PRIMARY KEY (conversation_id, message_id),
  FOREIGN KEY (conversation_id, message_id) REFERENCES messages
);
CREATE UNIQUE INDEX pins_id_key ON pins (conversation_id, id);

-- Whether somebody follows a thread: who begins one or answers in it does, until they say otherwise.
CREATE TABLE thread_follows (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  conversation_id uuid NOT NULL,
  root_id uuid NOT NULL,
  is_following boolean NOT NULL,
  PRIMARY KEY (account_id, conversation_id, root_id),
  FOREIGN KEY (conversation_id, root_id) REFERENCES messages
);

CREATE FUNCTION follow_thread() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
  INSERT INTO thread_follows (account_id, conversation_id, root_id, is_following)
  SELECT v.account_id, NEW.conversation_id, NEW.target_id, true
    FROM (SELECT NEW.account_id
          UNION
          SELECT m.account_id FROM messages m WHERE m.conversation_id = NEW.conversation_id AND m.id = NEW.target_id) v
    JOIN accounts a USING (account_id)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER messages_thread_trigger AFTER INSERT ON messages
  FOR EACH ROW WHEN (NEW.target_id IS NOT NULL) EXECUTE FUNCTION follow_thread();

-- Threads by their newest reply. The table was made by the migration before, so it holds hardly anything.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX threads_last_id_idx ON threads (conversation_id, last_id);

-- Receipts are kept as ranges. These views spread them out: a row for each message that a range covers, and each device
-- or person. Ask them for one conversation, best for one message: they compute what they show. Nobody has receipts for
-- what they said, for what was said before they came or after they went, or for what is gone.
CREATE VIEW message_receipts AS
  SELECT m.conversation_id, m.id AS message_id, b.account_id AS user_id, d.device_id,
         CASE WHEN r.read_at IS NULL THEN 'delivered' ELSE 'read' END::receipt_kind AS status,
         coalesce(r.read_at, r.delivered_at) AS "timestamp", least(r.delivered_at, r.read_at) AS delivered_at, r.read_at
    FROM messages m
    JOIN members b ON b.conversation_id = m.conversation_id AND b.account_id <> m.account_id AND b.joined_seq < m.seq
                  AND (b.left_seq IS NULL OR b.left_seq > m.seq)
    JOIN devices d ON d.account_id = b.account_id
    JOIN LATERAL (
      SELECT (SELECT min(x.at) FROM receipts x WHERE x.conversation_id = m.conversation_id AND x.kind = 'delivered'
                 AND x.device_id = d.device_id AND x.up_to_seq >= m.seq) AS delivered_at,
             (SELECT min(x.at) FROM receipts x WHERE x.conversation_id = m.conversation_id AND x.kind = 'read'
                 AND x.device_id = d.device_id AND x.up_to_seq >= m.seq) AS read_at
    ) r ON num_nonnulls(r.delivered_at, r.read_at) > 0
   WHERE m.deletion_id IS NULL AND m.erased_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp());

CREATE VIEW delivery_statuses AS
  SELECT m.conversation_id, m.id AS message_id, b.account_id AS user_id, r.delivered_at, r.read_at
    FROM messages m
    JOIN members b ON b.conversation_id = m.conversation_id AND b.account_id <> m.account_id AND b.joined_seq < m.seq
                  AND (b.left_seq IS NULL OR b.left_seq > m.seq)
    CROSS JOIN LATERAL (
      SELECT min(x.at) AS delivered_at, min(x.at) FILTER (WHERE x.kind = 'read') AS read_at
        FROM devices d
        JOIN receipts x ON x.conversation_id = m.conversation_id AND x.device_id = d.device_id AND x.up_to_seq >= m.seq
       WHERE d.account_id = b.account_id
    ) r
   WHERE m.deletion_id IS NULL AND m.erased_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp());

CREATE VIEW message_reads AS
  SELECT conversation_id, message_id, user_id, read_at FROM delivery_statuses WHERE read_at IS NOT NULL;

GRANT SELECT, INSERT, DELETE ON reactions, pins TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON reaction_counts, thread_follows TO aparte_service;
GRANT SELECT ON message_receipts, delivery_statuses, message_reads TO aparte_service;

COMMENT ON TABLE reactions IS 'Who has set which reaction.';
COMMENT ON COLUMN reactions.conversation_id IS 'Where.';
COMMENT ON COLUMN reactions.message_id IS 'Under which message.';
COMMENT ON COLUMN reactions.mark IS 'The emoji in UTF-8; of a sealed reaction the tag that only its maker can make.';
COMMENT ON COLUMN reactions.account_id IS 'Who.';
COMMENT ON COLUMN reactions.id IS 'The entry that set it, and so when.';
COMMENT ON TABLE reaction_counts IS 'How many have set each emoji of a readable message.';
COMMENT ON COLUMN reaction_counts.conversation_id IS 'Where.';
COMMENT ON COLUMN reaction_counts.message_id IS 'Under which message.';
COMMENT ON COLUMN reaction_counts.mark IS 'The emoji in UTF-8.';
COMMENT ON COLUMN reaction_counts.first_id IS 'The entry that brought it.';
COMMENT ON COLUMN reaction_counts.reaction_count IS 'Rows of reactions with this mark.';
COMMENT ON TABLE pins IS 'What is pinned for everybody.';
COMMENT ON COLUMN pins.conversation_id IS 'Where.';
COMMENT ON COLUMN pins.message_id IS 'The message; while it is deleted its pin does not show.';
COMMENT ON COLUMN pins.account_id IS 'By whom.';
COMMENT ON COLUMN pins.id IS 'The entry that pinned it, and so since when.';
COMMENT ON TABLE thread_follows IS 'Who follows a thread, or has said that they do not.';
COMMENT ON COLUMN thread_follows.account_id IS 'Who.';
COMMENT ON COLUMN thread_follows.conversation_id IS 'Where.';
COMMENT ON COLUMN thread_follows.root_id IS 'The message that the thread is under.';
COMMENT ON COLUMN thread_follows.is_following IS 'False: said so, and an answer does not change it.';
COMMENT ON FUNCTION follow_thread IS 'Trigger: who answers in a thread follows it, and so does who began it.';
COMMENT ON VIEW message_receipts IS 'For reading, one conversation at a time: receipts of each message and device.';
COMMENT ON COLUMN message_receipts.conversation_id IS 'Where.';
COMMENT ON COLUMN message_receipts.message_id IS 'The message.';
COMMENT ON COLUMN message_receipts.user_id IS 'A member when it was said, and not its author.';
COMMENT ON COLUMN message_receipts.device_id IS 'Their device.';
COMMENT ON COLUMN message_receipts.status IS 'The higher of both.';
COMMENT ON COLUMN message_receipts."timestamp" IS 'Of that status.';
COMMENT ON COLUMN message_receipts.delivered_at IS 'When the device had it stored; at the latest when it was read there.';
COMMENT ON COLUMN message_receipts.read_at IS 'When it was read on it.';
COMMENT ON VIEW delivery_statuses IS 'For reading, one conversation at a time: each message and everybody it was for.';
COMMENT ON COLUMN delivery_statuses.conversation_id IS 'Where.';
COMMENT ON COLUMN delivery_statuses.message_id IS 'The message.';
COMMENT ON COLUMN delivery_statuses.user_id IS 'A member when it was said, and not its author.';
COMMENT ON COLUMN delivery_statuses.delivered_at IS 'When the first of their devices had it.';
COMMENT ON COLUMN delivery_statuses.read_at IS 'When they first read it.';
COMMENT ON VIEW message_reads IS 'For reading, one conversation at a time: who has read each message.';
COMMENT ON COLUMN message_reads.conversation_id IS 'Where.';
COMMENT ON COLUMN message_reads.message_id IS 'The message.';
COMMENT ON COLUMN message_reads.user_id IS 'A member when it was said, and not its author.';
COMMENT ON COLUMN message_reads.read_at IS 'When they first read it.';

-- migrate:down
DROP INDEX threads_last_id_idx;
DROP VIEW message_reads, delivery_statuses, message_receipts;
DROP TRIGGER messages_thread_trigger ON messages;
DROP FUNCTION follow_thread();
DROP TABLE thread_follows, pins, reaction_counts, reactions;
