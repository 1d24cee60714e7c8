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
CREATE INDEX reactions_mark_idx ON reactions (conversation_id, message_id, mark, id);
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
   WHERE m.deletion_id IS NULL AND m.erased_at IS NULL;

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
   WHERE m.deletion_id IS NULL AND m.erased_at IS NULL;

CREATE VIEW message_reads AS
  SELECT conversation_id, message_id, user_id, read_at FROM delivery_statuses WHERE read_at IS NOT NULL;

GRANT SELECT, INSERT, DELETE ON reactions, pins TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON reaction_counts, thread_follows TO aparte_service;
GRANT SELECT ON message_receipts, delivery_statuses, message_reads TO aparte_service;

-- migrate:down
DROP VIEW message_reads, delivery_statuses, message_receipts;
DROP TRIGGER messages_thread_trigger ON messages;
DROP FUNCTION follow_thread();
DROP TABLE thread_follows, pins, reaction_counts, reactions;
