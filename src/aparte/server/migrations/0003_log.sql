-- The log: one per conversation, positions without gaps, order by id = order by seq (UUIDv7 given under the head's lock).

-- migrate:up
CREATE TABLE conversations (
  conversation_id uuid PRIMARY KEY,
  kind conversation_kind NOT NULL,
  encryption_mode encryption_mode NOT NULL,
  is_public boolean NOT NULL,
  name text CHECK (length(name) BETWEEN 1 AND 100),
  name_key text CHECK (length(name_key) BETWEEN 1 AND 400),
  topic text NOT NULL DEFAULT '' CHECK (length(topic) <= 500),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
  creator_id uuid REFERENCES accounts ON DELETE SET NULL,
  max_members integer NOT NULL DEFAULT 1000 CHECK (max_members BETWEEN 1 AND 10000),
  member_count integer NOT NULL DEFAULT 0 CHECK (member_count >= 0),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at timestamptz,
  CONSTRAINT conversations_named_check CHECK ((kind IN ('direct', 'self')) = (name IS NULL)),
  CONSTRAINT conversations_public_check CHECK (NOT is_public OR (kind IN ('room', 'channel') AND encryption_mode = 'server')),
  CONSTRAINT conversations_mode_check CHECK (kind IN ('room', 'channel') OR encryption_mode = 'e2ee')
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX conversations_name_key ON conversations (name_key) WHERE is_public AND deleted_at IS NULL;
CREATE INDEX conversations_directory_idx ON conversations USING gin (name_key gin_trgm_ops) WHERE is_public AND deleted_at IS NULL;
CREATE TRIGGER conversations_updated_at_trigger BEFORE UPDATE OF name, topic, description, max_members ON conversations
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- The row that every writer of a conversation locks first, in id order. No index on anything a send changes (HOT).
CREATE TABLE heads (
  conversation_id uuid PRIMARY KEY REFERENCES conversations,
  epoch bigint NOT NULL DEFAULT 0,
  last_seq bigint NOT NULL DEFAULT 0,
  last_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  last_xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
  last_ordinal bigint NOT NULL DEFAULT 0,
  message_count bigint NOT NULL DEFAULT 0,
  floor_seq bigint NOT NULL DEFAULT 1,
  floor_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  last_message_at timestamptz
) WITH (fillfactor = 50);

CREATE TABLE members (
  conversation_id uuid NOT NULL REFERENCES conversations,
  account_id uuid NOT NULL REFERENCES accounts,
  role base_role NOT NULL DEFAULT 'member',
  joined_seq bigint NOT NULL,
  joined_id uuid NOT NULL,
  joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  left_seq bigint,
  left_id uuid,
  left_at timestamptz,
  invited_by uuid,
  message_count bigint NOT NULL DEFAULT 0,
  read_seq bigint NOT NULL,
  read_id uuid NOT NULL,
  read_ordinal bigint NOT NULL,
  PRIMARY KEY (conversation_id, account_id)
) WITH (fillfactor = 80);
CREATE INDEX members_account_id_idx ON members (account_id, conversation_id) WHERE left_at IS NULL;
CREATE UNIQUE INDEX members_owner_key ON members (conversation_id) WHERE role = 'owner' AND left_at IS NULL;

-- Kind 1 alone. The text is the original; edits are entries of their own, `edit_id` names the newest.
CREATE TABLE messages (
  conversation_id uuid NOT NULL REFERENCES conversations,
  id uuid NOT NULL,
  seq bigint NOT NULL,
  account_id uuid NOT NULL,
  device_id uuid,
  client_message_id uuid,
  ordinal bigint NOT NULL,
  content jsonb,
  edit_id uuid,
  edit_count integer NOT NULL DEFAULT 0,
  deletion_id uuid,
  xid bigint NOT NULL,
  erased_at timestamptz,
  PRIMARY KEY (conversation_id, id),
  CONSTRAINT messages_erased_check CHECK ((content IS NULL) = (erased_at IS NOT NULL))
) PARTITION BY RANGE (id);
CREATE INDEX messages_xid_idx ON messages USING brin (xid) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX messages_deleted_idx ON messages (conversation_id, ordinal) WHERE deletion_id IS NOT NULL;

-- Every other kind.
CREATE TABLE entries (
  conversation_id uuid NOT NULL REFERENCES conversations,
  id uuid NOT NULL,
  seq bigint NOT NULL,
  kind smallint NOT NULL CHECK (kind > 1),
  account_id uuid NOT NULL,
  device_id uuid,
  client_message_id uuid,
  target_seq bigint,
  target_id uuid,
  body jsonb,
  xid bigint NOT NULL,
  erased_at timestamptz,
  PRIMARY KEY (conversation_id, id),
  CONSTRAINT entries_target_check CHECK ((target_seq IS NULL) = (target_id IS NULL))
) PARTITION BY RANGE (id);
CREATE INDEX entries_xid_idx ON entries USING brin (xid) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX entries_target_idx ON entries (conversation_id, target_id, id) WHERE target_id IS NOT NULL;

-- What was sent in the last 30 days, whatever became of it: a repeat is answered as before.
CREATE TABLE sends (
  conversation_id uuid NOT NULL,
  device_id uuid NOT NULL,
  client_message_id uuid NOT NULL,
  id uuid NOT NULL,
  seq bigint NOT NULL,
  digest bigint NOT NULL,
  PRIMARY KEY (conversation_id, device_id, client_message_id)
);
CREATE INDEX sends_id_idx ON sends USING brin (id) WITH (pages_per_range = 32, autosummarize = on);

-- Deleted for one person only: invisible to them, untouched for the others.
CREATE TABLE hidden_messages (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  conversation_id uuid NOT NULL,
  id uuid NOT NULL,
  ordinal bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, conversation_id, id),
  FOREIGN KEY (conversation_id, id) REFERENCES messages
);
CREATE INDEX hidden_messages_ordinal_idx ON hidden_messages (account_id, conversation_id, ordinal);

-- Receipts are ranges: "this device has stored / shown everything up to here", insert-only.
CREATE TABLE receipts (
  conversation_id uuid NOT NULL REFERENCES conversations,
  kind receipt_kind NOT NULL,
  device_id uuid NOT NULL,
  up_to_seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, kind, device_id, up_to_seq)
);

-- Months are made ahead by the maintenance role. No DEFAULT partition: it disables the ordered Append and DETACH
-- CONCURRENTLY. The last partition reaches to MAXVALUE and must stay empty. Returns how many months were made.
CREATE FUNCTION make_months(p_from timestamptz, p_months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_table text;
  v_month timestamptz;
  v_name text;
  v_made integer := 0;
BEGIN
  FOREACH v_table IN ARRAY ARRAY['messages', 'entries'] LOOP
    FOR v_step IN 0 .. p_months - 1 LOOP
      v_month := date_trunc('month', p_from AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
      v_month := (v_month AT TIME ZONE 'UTC' + make_interval(months => v_step)) AT TIME ZONE 'UTC';
      v_name := v_table || to_char(v_month AT TIME ZONE 'UTC', '_"y"YYYY"m"MM');
      IF to_regclass(v_name) IS NULL THEN
        IF to_regclass(v_table || '_last') IS NOT NULL THEN
          EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', v_table, v_table || '_last');
        END IF;
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', v_name, v_table,
          CASE WHEN EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = v_table::regclass)
               THEN id_at(v_month) ELSE '00000000-0000-0000-0000-000000000000'::uuid END,
          id_at((v_month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
        IF to_regclass(v_table || '_last') IS NOT NULL THEN
          EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (MAXVALUE)', v_table,
            v_table || '_last', id_at((v_month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
        ELSE
          EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (MAXVALUE)', v_table || '_last',
            v_table, id_at((v_month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
        END IF;
        v_made := v_made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN v_made;
END $$;
SELECT make_months(now(), 4);

-- Write a batch of messages: one outcome for each, one round trip, exactly two statements. The first locks, the second
-- decides and writes with a snapshot younger than the lock; merged into one they miss repeats and removals that were
-- committed while the lock was waited for. Plans are pinned: one made on empty tables reads whole indexes later.
--   outcome 0 stored · 1 repeat, with the first result · 2 again: locked by somebody else, or twice in this batch
--           3 not a member · 4 the client id stands for another message · 5 the clock is a day behind the log
CREATE FUNCTION send_v1(
  p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[],
  p_content jsonb[], p_wait boolean
) RETURNS TABLE (o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_locked uuid[];
  v_all boolean;
  v_now timestamptz;
  v_base uuid;
  v_tomorrow uuid;
  v_xid bigint := pg_current_xact_id()::text::bigint;
BEGIN
  IF p_wait THEN
    v_locked := ARRAY(SELECT h.conversation_id FROM heads h WHERE h.conversation_id = ANY (p_conversation)
                       ORDER BY h.conversation_id FOR NO KEY UPDATE);
  ELSE
    v_locked := ARRAY(SELECT h.conversation_id FROM heads h WHERE h.conversation_id = ANY (p_conversation)
                       ORDER BY h.conversation_id FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  v_all := cardinality(v_locked) = (SELECT count(DISTINCT c) FROM unnest(p_conversation) AS c);
  v_now := clock_timestamp();
  v_base := id_now(v_now);
  v_tomorrow := id_at(v_now + interval '1 day');

  RETURN QUERY
  WITH judged AS (
    SELECT m.ord, m.conv, m.acct, m.dev, m.cid, m.digest, m.content, h.last_seq, h.last_id, h.last_ordinal,
           s.id AS first_id, s.seq AS first_seq,
           CASE WHEN NOT v_all AND m.conv <> ALL (v_locked) THEN CASE WHEN p_wait THEN 3 ELSE 2 END
                WHEN s.id IS NOT NULL THEN CASE WHEN s.digest = m.digest THEN 1 ELSE 4 END
                WHEN b.account_id IS NULL THEN 3
                WHEN h.last_id >= v_tomorrow THEN 5
                ELSE 0 END AS verdict
      FROM unnest(p_conversation, p_account, p_device, p_client_message, p_digest, p_content)
           WITH ORDINALITY AS m (conv, acct, dev, cid, digest, content, ord)
      LEFT JOIN LATERAL (SELECT x.last_seq, x.last_id, x.last_ordinal FROM heads x
                          WHERE x.conversation_id = m.conv LIMIT 1) h ON true
      LEFT JOIN LATERAL (SELECT x.account_id FROM members x
                          WHERE x.conversation_id = m.conv AND x.account_id = m.acct AND x.left_at IS NULL
                          LIMIT 1) b ON true
      LEFT JOIN LATERAL (SELECT x.id, x.seq, x.digest FROM sends x
                          WHERE x.conversation_id = m.conv AND x.device_id = m.dev AND x.client_message_id = m.cid
                          LIMIT 1) s ON true
  ), single AS (
    SELECT j.*, CASE WHEN j.verdict = 0 AND row_number() OVER (PARTITION BY j.conv, j.dev, j.cid ORDER BY j.ord) > 1
                     THEN 2 ELSE j.verdict END AS outcome
      FROM judged j
  ), counted AS (
    SELECT s.*, count(*) FILTER (WHERE s.outcome = 0) OVER (PARTITION BY s.conv ORDER BY s.ord) AS nth
      FROM single s
  ), placed AS (
    SELECT c.ord, c.conv, c.acct, c.dev, c.cid, c.digest, c.content, c.outcome,
           CASE c.outcome WHEN 0 THEN c.last_seq + c.nth WHEN 1 THEN c.first_seq END AS seq,
           CASE c.outcome WHEN 0 THEN c.last_ordinal + c.nth END AS ordinal,
           CASE c.outcome WHEN 0 THEN CASE WHEN v_base > c.last_id THEN id_after(v_base, c.ord)
                                           ELSE id_after(c.last_id, c.nth) END
                          WHEN 1 THEN c.first_id END AS id,
           row_number() OVER (PARTITION BY c.conv, c.outcome ORDER BY c.ord DESC) AS from_last,
           row_number() OVER (PARTITION BY c.conv, c.acct, c.outcome ORDER BY c.ord DESC) AS from_last_of_account,
           count(*) OVER (PARTITION BY c.conv, c.outcome) AS of_conversation,
           count(*) OVER (PARTITION BY c.conv, c.acct, c.outcome) AS of_account
      FROM counted c
  ), written AS (
    INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid)
    SELECT p.conv, p.id, p.seq, p.acct, p.dev, p.cid, p.ordinal, p.content, v_xid FROM placed p WHERE p.outcome = 0
  ), remembered AS (
    INSERT INTO sends (conversation_id, device_id, client_message_id, id, seq, digest)
    SELECT p.conv, p.dev, p.cid, p.id, p.seq, p.digest FROM placed p WHERE p.outcome = 0
  ), moved AS (
    UPDATE heads h SET last_seq = p.seq, last_id = p.id, last_xid = v_xid, last_ordinal = p.ordinal,
           message_count = h.message_count + p.of_conversation, last_message_at = greatest(h.last_message_at, v_now)
      FROM placed p WHERE p.outcome = 0 AND p.from_last = 1 AND h.conversation_id = p.conv
  ), marked AS (
    UPDATE members b SET read_seq = p.seq, read_id = p.id, read_ordinal = p.ordinal,
           message_count = b.message_count + p.of_account
      FROM placed p WHERE p.outcome = 0 AND p.from_last_of_account = 1
       AND b.conversation_id = p.conv AND b.account_id = p.acct
  )
  SELECT p.outcome::smallint, p.id, p.seq, p.ordinal FROM placed p ORDER BY p.ord;
END $$;

-- Give the next position to an entry of another kind. The caller has locked the head (log.store.lock_head); the time is
-- read under that lock. Fails with SQLSTATE AP001 when the clock is a day behind the log.
CREATE FUNCTION append_v1(
  p_conversation uuid, p_kind smallint, p_account uuid, p_device uuid, p_client_message uuid,
  p_target_seq bigint, p_target uuid, p_body jsonb
) RETURNS TABLE (o_id uuid, o_seq bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  v_now timestamptz;
  v_base uuid;
  v_xid bigint := pg_current_xact_id()::text::bigint;
  v_last uuid;
  v_id uuid;
  v_seq bigint;
BEGIN
  SELECT h.last_id INTO STRICT v_last FROM heads h WHERE h.conversation_id = p_conversation FOR NO KEY UPDATE;
  v_now := clock_timestamp();
  IF v_last >= id_at(v_now + interval '1 day') THEN
    RAISE EXCEPTION 'the clock is behind the log' USING ERRCODE = 'AP001';
  END IF;
  v_base := id_now(v_now);
  v_id := CASE WHEN v_base > v_last THEN v_base ELSE id_after(v_last, 1) END;
  UPDATE heads h SET last_seq = h.last_seq + 1, last_id = v_id, last_xid = v_xid
   WHERE h.conversation_id = p_conversation RETURNING h.last_seq INTO v_seq;
  INSERT INTO entries (conversation_id, id, seq, kind, account_id, device_id, client_message_id, target_seq, target_id,
                       body, xid)
  VALUES (p_conversation, v_id, v_seq, p_kind, p_account, p_device, p_client_message, p_target_seq, p_target, p_body,
          v_xid);
  RETURN QUERY SELECT v_id, v_seq;
END $$;

GRANT SELECT, INSERT, UPDATE ON conversations, heads, members, messages, entries TO aparte_service;
GRANT SELECT, INSERT, DELETE ON sends, hidden_messages, receipts TO aparte_service;
GRANT EXECUTE ON FUNCTION
  send_v1(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], boolean),
  append_v1(uuid, smallint, uuid, uuid, uuid, bigint, uuid, jsonb) TO aparte_service;

-- migrate:down
DROP FUNCTION append_v1(uuid, smallint, uuid, uuid, uuid, bigint, uuid, jsonb),
  send_v1(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], boolean), make_months(timestamptz, integer);
DROP TABLE receipts, hidden_messages, sends, entries, messages, members, heads, conversations;
