-- Sealed entries: what people do in end-to-end encrypted conversations, carried by the server without being readable.
-- An e2ee conversation has an epoch and a roster (32 bytes that stand for who can read it); a server one has neither.
-- The head of an entry is kept as columns, so that everybody can rebuild it, with its content or without.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

ALTER TABLE heads ADD COLUMN roster bytea;
ALTER TABLE heads ADD CONSTRAINT heads_roster_check
  CHECK ((epoch = 0) = (roster IS NULL) AND (roster IS NULL OR length(roster) = 32)) NOT VALID;

-- Every epoch with its roster and the position it begins at: an old entry's head is rebuilt with them.
CREATE TABLE epochs (
  conversation_id uuid NOT NULL REFERENCES conversations,
  epoch bigint NOT NULL CHECK (epoch > 0),
  roster bytea NOT NULL CHECK (length(roster) = 32),
  seq bigint NOT NULL,
  PRIMARY KEY (conversation_id, epoch)
);

-- The newest entry of each sending device: the next one continues its counter and names its hash.
CREATE TABLE chains (
  conversation_id uuid NOT NULL,
  device_id uuid NOT NULL,
  counter bigint NOT NULL CHECK (counter > 0),
  hash bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (conversation_id, device_id)
) WITH (fillfactor = 50);

ALTER TABLE messages
  ADD COLUMN epoch bigint,
  ADD COLUMN counter bigint,
  ADD COLUMN prev bytea,
  ADD COLUMN target_seq bigint,
  ADD COLUMN target_id uuid,
  ADD COLUMN target bytea,
  ADD COLUMN sealed bytea,
  ADD COLUMN sealed_hash bytea;
ALTER TABLE messages ADD CONSTRAINT messages_content_check
  CHECK (num_nonnulls(content, sealed, erased_at) = 1) NOT VALID;
ALTER TABLE messages ADD CONSTRAINT messages_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL) AND num_nulls(target_seq, target_id, target) IN (0, 3)) NOT VALID;
-- messages_content_check says the same and more.
-- squawk-ignore ban-drop-constraint
ALTER TABLE messages DROP CONSTRAINT messages_erased_check;

ALTER TABLE entries
  ADD COLUMN epoch bigint,
  ADD COLUMN counter bigint,
  ADD COLUMN prev bytea,
  ADD COLUMN target bytea,
  ADD COLUMN sealed bytea,
  ADD COLUMN sealed_hash bytea,
  ADD COLUMN tag bytea,
  ADD COLUMN is_on boolean;
ALTER TABLE entries ADD CONSTRAINT entries_content_check
  CHECK (num_nonnulls(body, sealed, erased_at) = 1) NOT VALID;
ALTER TABLE entries ADD CONSTRAINT entries_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL)) NOT VALID;

-- The envelopes of a sealed entry, one row for all: count u8 || device 16 × n || (type u8 || length be16 || body) × n.
-- Each device is handed its own alone; the row goes when all have acknowledged, at the latest after 60 days.
CREATE TABLE message_key_sets (
  conversation_id uuid NOT NULL,
  seq bigint NOT NULL,
  id uuid NOT NULL,
  envelopes bytea NOT NULL,
  PRIMARY KEY (conversation_id, seq)
);
CREATE INDEX message_key_sets_id_idx ON message_key_sets
  USING brin (id) WITH (pages_per_range = 32, autosummarize = on);

-- Write a batch of readable messages and sealed entries: one outcome for each, one round trip, exactly two statements,
-- as in send_v1 and for its reasons. Kind 1 goes to messages, the others to entries. Several entries of one device in
-- one batch are chained to each other; after one that does not fit, the rest of that device do not fit either.
--   outcome 0 stored · 1 repeat, with the first result · 2 again: locked by somebody else, or twice in this batch
--           3 not a member · 4 the client id stands for another message · 5 the clock is a day behind the log
--           6 sealed into a readable conversation, or the reverse · 7 a block between the two of a direct conversation
--           8 another epoch or roster, with the head's own · 9 the device's chain goes on elsewhere, with its end
--          10 not every device has its envelope
CREATE FUNCTION send_v2(
  p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[],
  p_content jsonb[], p_kind smallint[], p_sealed bytea[], p_epoch bigint[], p_roster bytea[], p_counter bigint[],
  p_prev bytea[], p_hash bytea[], p_peer uuid[], p_covered boolean[], p_envelopes bytea[], p_target_seq bigint[],
  p_target_id uuid[], p_target bytea[], p_tag bytea[], p_on boolean[], p_wait boolean
) RETURNS TABLE (o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint, o_known bigint, o_known_hash bytea)
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
  v_zero bytea := decode(repeat('00', 32), 'hex');
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
    SELECT m.*, h.last_seq, h.last_id, h.last_ordinal, h.epoch AS head_epoch, h.roster AS head_roster,
           s.id AS first_id, s.seq AS first_seq,
           coalesce(c.counter, 0) AS chain_counter, coalesce(c.hash, v_zero) AS chain_hash,
           CASE WHEN NOT v_all AND m.conv <> ALL (v_locked) THEN CASE WHEN p_wait THEN 3 ELSE 2 END
                WHEN s.id IS NOT NULL THEN CASE WHEN s.digest = m.digest THEN 1 ELSE 4 END
                WHEN b.account_id IS NULL THEN 3
                WHEN (m.sealed IS NULL) <> (h.roster IS NULL) THEN 6
                WHEN x.is_blocked OR y.is_blocked THEN 7
                WHEN m.sealed IS NOT NULL AND (m.epoch <> h.epoch OR m.roster <> h.roster) THEN 8
                WHEN NOT m.covered THEN 10
                WHEN h.last_id >= v_tomorrow THEN 5
                ELSE 0 END AS verdict
      FROM unnest(p_conversation, p_account, p_device, p_client_message, p_digest, p_content, p_kind, p_sealed,
                  p_epoch, p_roster, p_counter, p_prev, p_hash, p_peer, p_covered, p_envelopes, p_target_seq,
                  p_target_id, p_target, p_tag, p_on)
           WITH ORDINALITY AS m (conv, acct, dev, cid, digest, content, kind, sealed, epoch, roster, counter, prev,
                                 hash, peer, covered, envelopes, target_seq, target_id, target, tag, is_on, ord)
      LEFT JOIN LATERAL (SELECT z.last_seq, z.last_id, z.last_ordinal, z.epoch, z.roster FROM heads z
                          WHERE z.conversation_id = m.conv LIMIT 1) h ON true
      LEFT JOIN LATERAL (SELECT z.account_id FROM members z
                          WHERE z.conversation_id = m.conv AND z.account_id = m.acct AND z.left_at IS NULL
                          LIMIT 1) b ON true
      LEFT JOIN LATERAL (SELECT z.id, z.seq, z.digest FROM sends z
                          WHERE z.conversation_id = m.conv AND z.device_id = m.dev AND z.client_message_id = m.cid
                          LIMIT 1) s ON true
      LEFT JOIN LATERAL (SELECT true AS is_blocked FROM blocks z
                          WHERE z.blocker_id = m.acct AND z.blocked_id = m.peer LIMIT 1) x ON true
      LEFT JOIN LATERAL (SELECT true AS is_blocked FROM blocks z
                          WHERE z.blocker_id = m.peer AND z.blocked_id = m.acct LIMIT 1) y ON true
      LEFT JOIN LATERAL (SELECT z.counter, z.hash FROM chains z
                          WHERE z.conversation_id = m.conv AND z.device_id = m.dev AND m.sealed IS NOT NULL
                          LIMIT 1) c ON true
  ), single AS (
    SELECT j.*, CASE WHEN j.verdict = 0 AND row_number() OVER (PARTITION BY j.conv, j.dev, j.cid ORDER BY j.ord) > 1
                     THEN 2 ELSE j.verdict END AS possible
      FROM judged j
  ), linked AS (
    SELECT s.*, s.sealed IS NULL OR (
             s.counter = s.chain_counter + row_number() OVER w AND s.prev = coalesce(lag(s.hash) OVER w, s.chain_hash)
           ) AS fits
      FROM single s WINDOW w AS (PARTITION BY s.conv, s.dev, s.possible = 0 ORDER BY s.ord)
  ), decided AS (
    -- those that fit are the first of their device, so the last of them is followed by one that does not, or by none
    SELECT l.*, CASE WHEN l.possible = 0 AND NOT bool_and(l.fits) OVER w THEN 9 ELSE l.possible END AS outcome,
           lead(l.fits) OVER w IS NOT TRUE AS is_last_of_device
      FROM linked l WINDOW w AS (PARTITION BY l.conv, l.dev, l.possible = 0 ORDER BY l.ord)
  ), counted AS (
    SELECT d.*, count(*) FILTER (WHERE d.outcome = 0) OVER (PARTITION BY d.conv ORDER BY d.ord) AS nth,
           count(*) FILTER (WHERE d.outcome = 0 AND d.kind = 1) OVER (PARTITION BY d.conv ORDER BY d.ord) AS nth_message
      FROM decided d
  ), placed AS (
    SELECT c.*,
           CASE c.outcome WHEN 0 THEN c.last_seq + c.nth WHEN 1 THEN c.first_seq END AS seq,
           CASE c.outcome WHEN 0 THEN c.last_ordinal + c.nth_message END AS ordinal,
           CASE c.outcome WHEN 0 THEN CASE WHEN v_base > c.last_id THEN id_after(v_base, c.ord)
                                           ELSE id_after(c.last_id, c.nth) END
                          WHEN 1 THEN c.first_id END AS id,
           row_number() OVER (PARTITION BY c.conv, c.outcome ORDER BY c.ord DESC) AS from_last,
           row_number() OVER (PARTITION BY c.conv, c.acct, c.outcome, c.kind = 1 ORDER BY c.ord DESC)
             AS from_last_of_account,
           count(*) FILTER (WHERE c.kind = 1) OVER (PARTITION BY c.conv, c.outcome) AS of_conversation,
           count(*) OVER (PARTITION BY c.conv, c.acct, c.outcome, c.kind = 1) AS of_account
      FROM counted c
  ), written AS (
    INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid,
                          epoch, counter, prev, target_seq, target_id, target, sealed)
    SELECT p.conv, p.id, p.seq, p.acct, p.dev, p.cid, p.ordinal, p.content, v_xid,
           p.epoch, p.counter, p.prev, p.target_seq, p.target_id, p.target, p.sealed
      FROM placed p WHERE p.outcome = 0 AND p.kind = 1
  ), changed AS (
    INSERT INTO entries (conversation_id, id, seq, kind, account_id, device_id, client_message_id, body, xid,
                         epoch, counter, prev, target_seq, target_id, target, sealed, tag, is_on)
    SELECT p.conv, p.id, p.seq, p.kind, p.acct, p.dev, p.cid, p.content, v_xid,
           p.epoch, p.counter, p.prev, p.target_seq, p.target_id, p.target, p.sealed, p.tag, p.is_on
      FROM placed p WHERE p.outcome = 0 AND p.kind <> 1
  ), enveloped AS (
    INSERT INTO message_key_sets (conversation_id, seq, id, envelopes)
    SELECT p.conv, p.seq, p.id, p.envelopes FROM placed p WHERE p.outcome = 0 AND p.envelopes IS NOT NULL
  ), remembered AS (
    INSERT INTO sends (conversation_id, device_id, client_message_id, id, seq, digest)
    SELECT p.conv, p.dev, p.cid, p.id, p.seq, p.digest FROM placed p WHERE p.outcome = 0
  ), continued AS (
    INSERT INTO chains AS z (conversation_id, device_id, counter, hash)
    SELECT p.conv, p.dev, p.counter, p.hash FROM placed p
     WHERE p.outcome = 0 AND p.sealed IS NOT NULL AND p.is_last_of_device
    ON CONFLICT (conversation_id, device_id) DO UPDATE SET counter = excluded.counter, hash = excluded.hash
  ), moved AS (
    UPDATE heads h SET last_seq = p.seq, last_id = p.id, last_xid = v_xid, last_ordinal = p.ordinal,
           message_count = h.message_count + p.of_conversation,
           last_message_at = CASE WHEN p.of_conversation > 0 THEN greatest(h.last_message_at, v_now)
                                  ELSE h.last_message_at END
      FROM placed p WHERE p.outcome = 0 AND p.from_last = 1 AND h.conversation_id = p.conv
  ), marked AS (
    UPDATE members b SET read_seq = p.seq, read_id = p.id, read_ordinal = p.ordinal,
           message_count = b.message_count + p.of_account
      FROM placed p WHERE p.outcome = 0 AND p.kind = 1 AND p.from_last_of_account = 1
       AND b.conversation_id = p.conv AND b.account_id = p.acct
  )
  SELECT p.outcome::smallint, p.id, p.seq, CASE WHEN p.kind = 1 THEN p.ordinal END,
         CASE p.outcome WHEN 8 THEN p.head_epoch WHEN 9 THEN p.chain_counter END,
         CASE p.outcome WHEN 8 THEN p.head_roster WHEN 9 THEN p.chain_hash END
    FROM placed p ORDER BY p.ord;
END $$;

-- Begin the next epoch of many conversations, each with an entry that says why: `p_body` with the epoch and the roster
-- added. The caller has locked the heads in id order and computed the rosters from what it then read. Fails with
-- SQLSTATE AP001 when the clock is a day behind one of the logs.
CREATE FUNCTION raise_epochs_v1(
  p_conversation uuid[], p_roster bytea[], p_kind smallint, p_account uuid, p_device uuid, p_body jsonb
) RETURNS TABLE (o_conversation uuid, o_id uuid, o_seq bigint, o_epoch bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_now timestamptz;
  v_base uuid;
  v_xid bigint := pg_current_xact_id()::text::bigint;
BEGIN
  PERFORM 1 FROM heads h WHERE h.conversation_id = ANY (p_conversation)
   ORDER BY h.conversation_id FOR NO KEY UPDATE;
  v_now := clock_timestamp();
  v_base := id_now(v_now);
  IF EXISTS (SELECT 1 FROM heads h WHERE h.conversation_id = ANY (p_conversation)
                AND h.last_id >= id_at(v_now + interval '1 day')) THEN
    RAISE EXCEPTION 'the clock is behind the log' USING ERRCODE = 'AP001';
  END IF;

  RETURN QUERY
  WITH raised AS (
    SELECT m.conv, m.roster, h.epoch + 1 AS epoch, h.last_seq + 1 AS seq,
           CASE WHEN v_base > h.last_id THEN id_after(v_base, m.ord) ELSE id_after(h.last_id, 1) END AS id
      FROM unnest(p_conversation, p_roster) WITH ORDINALITY AS m (conv, roster, ord)
      JOIN LATERAL (SELECT z.epoch, z.last_seq, z.last_id FROM heads z
                     WHERE z.conversation_id = m.conv LIMIT 1) h ON true
  ), begun AS (
    INSERT INTO epochs (conversation_id, epoch, roster, seq) SELECT r.conv, r.epoch, r.roster, r.seq FROM raised r
  ), told AS (
    INSERT INTO entries (conversation_id, id, seq, kind, account_id, device_id, body, xid)
    SELECT r.conv, r.id, r.seq, p_kind, p_account, p_device,
           p_body || jsonb_build_object('epoch', r.epoch, 'roster', encode(r.roster, 'base64')), v_xid
      FROM raised r
  ), moved AS (
    UPDATE heads h SET epoch = r.epoch, roster = r.roster, last_seq = r.seq, last_id = r.id, last_xid = v_xid
      FROM raised r WHERE h.conversation_id = r.conv
  )
  SELECT r.conv, r.id, r.seq, r.epoch FROM raised r ORDER BY r.conv;
END $$;

GRANT SELECT, INSERT ON epochs TO aparte_service;
GRANT SELECT, INSERT, UPDATE ON chains TO aparte_service;
GRANT SELECT, INSERT, DELETE ON message_key_sets TO aparte_service;
GRANT EXECUTE ON FUNCTION
  send_v2(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], smallint[], bytea[], bigint[], bytea[], bigint[],
          bytea[], bytea[], uuid[], boolean[], bytea[], bigint[], uuid[], bytea[], bytea[], boolean[], boolean),
  raise_epochs_v1(uuid[], bytea[], smallint, uuid, uuid, jsonb) TO aparte_service;

-- migrate:down
-- An older server cannot hold what is sealed: it is erased, the skeletons stay.
DROP FUNCTION raise_epochs_v1(uuid[], bytea[], smallint, uuid, uuid, jsonb),
  send_v2(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], smallint[], bytea[], bigint[], bytea[], bigint[],
          bytea[], bytea[], uuid[], boolean[], bytea[], bigint[], uuid[], bytea[], bytea[], boolean[], boolean);
DROP TABLE message_key_sets, chains, epochs;
ALTER TABLE entries DROP CONSTRAINT entries_sealed_check, DROP CONSTRAINT entries_content_check;
ALTER TABLE messages DROP CONSTRAINT messages_sealed_check, DROP CONSTRAINT messages_content_check;
UPDATE entries SET erased_at = clock_timestamp() WHERE sealed IS NOT NULL;
UPDATE messages SET erased_at = clock_timestamp() WHERE sealed IS NOT NULL;
ALTER TABLE entries DROP COLUMN epoch, DROP COLUMN counter, DROP COLUMN prev, DROP COLUMN target, DROP COLUMN sealed,
  DROP COLUMN sealed_hash, DROP COLUMN tag, DROP COLUMN is_on;
ALTER TABLE messages DROP COLUMN epoch, DROP COLUMN counter, DROP COLUMN prev, DROP COLUMN target_seq,
  DROP COLUMN target_id, DROP COLUMN target, DROP COLUMN sealed, DROP COLUMN sealed_hash;
ALTER TABLE messages ADD CONSTRAINT messages_erased_check CHECK ((content IS NULL) = (erased_at IS NOT NULL));
ALTER TABLE heads DROP CONSTRAINT heads_roster_check;
ALTER TABLE heads DROP COLUMN roster;
