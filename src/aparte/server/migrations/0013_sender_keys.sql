-- Sender keys: what is said in a group is sealed once, and so is its key. The chain that opens it goes to each device
-- ahead, and becomes readable with the entry that names it.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- The sender-key chain that a device last used in a conversation, and the newest epoch in which every device that could
-- read it had the chain. `has_pending`: distributions came since, which its next entry commits.
CREATE TABLE sender_chains (
  conversation_id uuid NOT NULL,
  device_id uuid NOT NULL,
  chain_id bigint NOT NULL CHECK (chain_id BETWEEN 0 AND 2147483647),
  complete bigint NOT NULL CHECK (complete > 0),
  has_pending boolean NOT NULL DEFAULT false,
  PRIMARY KEY (conversation_id, device_id)
) WITH (fillfactor = 60);

-- What one device needs to read another's chain. Without `seq` it waits for an entry that names the chain, and nobody is
-- given it; from then on it belongs to that entry, until its device has acknowledged it. A device may be given a chain
-- again meanwhile. `id` is of the upload, then of the entry; `epoch` that in which the device was found to be listed.
CREATE TABLE distributions (
  conversation_id uuid NOT NULL,
  sender_device_id uuid NOT NULL,
  chain_id bigint NOT NULL CHECK (chain_id BETWEEN 0 AND 2147483647),
  device_id uuid NOT NULL,
  id uuid NOT NULL,
  epoch bigint NOT NULL CHECK (epoch > 0),
  type smallint NOT NULL CHECK (type IN (0, 2, 3)),
  body bytea NOT NULL CHECK (length(body) <= 4096),
  seq bigint,
  CONSTRAINT distributions_empty_check CHECK ((type = 0) = (length(body) = 0))
);
CREATE UNIQUE INDEX distributions_pending_key
  ON distributions (conversation_id, sender_device_id, chain_id, device_id) WHERE seq IS NULL;
CREATE UNIQUE INDEX distributions_seq_key ON distributions (conversation_id, device_id, seq);
CREATE INDEX distributions_pending_idx ON distributions (id) WHERE seq IS NULL;
CREATE INDEX distributions_id_idx ON distributions USING brin (id) WITH (pages_per_range = 32, autosummarize = on);

-- In a group a set is one sender-key message for all instead of an envelope for each.
ALTER TABLE message_key_sets ADD COLUMN group_key bytea;
-- A server of the version before takes a set without envelopes for one in which a device finds none.
-- squawk-ignore ban-drop-not-null
ALTER TABLE message_key_sets ALTER COLUMN envelopes DROP NOT NULL;
ALTER TABLE message_key_sets ADD CONSTRAINT message_key_sets_one_check
  CHECK (num_nonnulls(envelopes, group_key) = 1) NOT VALID;

-- send_v2, which also takes what is said in groups: the key of an entry stands once beside it, for all, and the entry
-- names its device's sender-key chain, whose pending distributions it commits. `p_uncovered` is 0, or the outcome to
-- give where the chain is not complete in this epoch already: who needs it was worked out before the lock. What is
-- pending for this epoch, or for the devices of `p_commits` (an array of ids as text), is committed by the first entry of
-- its chain that needs it. Both are right under the lock, which uploads hold too.
--   outcomes 0 to 10 as in send_v2, 10 also for a device without this chain · 11 somebody who has this chain is out
CREATE FUNCTION send_v3(
  p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[],
  p_content jsonb[], p_kind smallint[], p_sealed bytea[], p_epoch bigint[], p_roster bytea[], p_counter bigint[],
  p_prev bytea[], p_hash bytea[], p_peer uuid[], p_uncovered smallint[], p_envelopes bytea[], p_target_seq bigint[],
  p_target_id uuid[], p_target bytea[], p_tag bytea[], p_on boolean[], p_group_key bytea[], p_chain bigint[],
  p_commits text[], p_wait boolean
) RETURNS TABLE (o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint, o_known bigint, o_known_hash bytea,
                 o_commits boolean)
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
           g.chain_id AS known_chain, g.complete, g.has_pending,
           CASE WHEN NOT v_all AND m.conv <> ALL (v_locked) THEN CASE WHEN p_wait THEN 3 ELSE 2 END
                WHEN s.id IS NOT NULL THEN CASE WHEN s.digest = m.digest THEN 1 ELSE 4 END
                WHEN b.account_id IS NULL THEN 3
                WHEN (m.sealed IS NULL) <> (h.roster IS NULL) THEN 6
                WHEN x.is_blocked OR y.is_blocked THEN 7
                WHEN m.sealed IS NOT NULL AND (m.epoch <> h.epoch OR m.roster <> h.roster) THEN 8
                WHEN g.chain_id = m.chain AND g.complete = m.epoch THEN
                  CASE WHEN h.last_id >= v_tomorrow THEN 5 ELSE 0 END
                WHEN m.uncovered <> 0 THEN m.uncovered
                WHEN m.commits IS NOT NULL AND w.found < cardinality(m.commits::uuid[]) THEN 10
                WHEN h.last_id >= v_tomorrow THEN 5
                ELSE 0 END AS verdict
      FROM unnest(p_conversation, p_account, p_device, p_client_message, p_digest, p_content, p_kind, p_sealed,
                  p_epoch, p_roster, p_counter, p_prev, p_hash, p_peer, p_uncovered, p_envelopes, p_target_seq,
                  p_target_id, p_target, p_tag, p_on, p_group_key, p_chain, p_commits)
           WITH ORDINALITY AS m (conv, acct, dev, cid, digest, content, kind, sealed, epoch, roster, counter, prev,
                                 hash, peer, uncovered, envelopes, target_seq, target_id, target, tag, is_on,
                                 group_key, chain, commits, ord)
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
      LEFT JOIN LATERAL (SELECT z.chain_id, z.complete, z.has_pending FROM sender_chains z
                          WHERE z.conversation_id = m.conv AND z.device_id = m.dev AND m.chain IS NOT NULL
                          LIMIT 1) g ON true
      LEFT JOIN LATERAL (SELECT count(*) AS found FROM unnest(m.commits::uuid[]) AS d (device)
                          CROSS JOIN LATERAL (SELECT 1 FROM distributions z
                                               WHERE z.conversation_id = m.conv AND z.sender_device_id = m.dev
                                                 AND z.chain_id = m.chain AND z.device_id = d.device AND z.seq IS NULL
                                               LIMIT 1) y
                          WHERE m.commits IS NOT NULL) w ON true
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
           count(*) OVER (PARTITION BY c.conv, c.acct, c.outcome, c.kind = 1) AS of_account,
           (c.commits IS NOT NULL OR c.known_chain = c.chain AND c.has_pending)
             AND row_number() OVER (PARTITION BY c.conv, c.dev, c.chain, c.outcome ORDER BY c.ord) = 1 AS is_to_commit
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
    INSERT INTO message_key_sets (conversation_id, seq, id, envelopes, group_key)
    SELECT p.conv, p.seq, p.id, p.envelopes, p.group_key FROM placed p
     WHERE p.outcome = 0 AND num_nonnulls(p.envelopes, p.group_key) > 0
  ), committed AS (
    UPDATE distributions z SET seq = p.seq, id = p.id
      FROM placed p
     CROSS JOIN LATERAL (SELECT unnest(p.commits::uuid[]) AS device
                          UNION SELECT y.device_id FROM distributions y
                                 WHERE y.conversation_id = p.conv AND y.sender_device_id = p.dev
                                   AND y.chain_id = p.chain AND y.epoch = p.epoch AND y.seq IS NULL) d
     WHERE p.outcome = 0 AND p.is_to_commit AND z.conversation_id = p.conv AND z.sender_device_id = p.dev
       AND z.chain_id = p.chain AND z.device_id = d.device AND z.seq IS NULL
    RETURNING z.conversation_id AS conv, z.seq AS at
  ), completed AS (
    INSERT INTO sender_chains AS z (conversation_id, device_id, chain_id, complete)
    SELECT p.conv, p.dev, p.chain, p.epoch FROM placed p
     WHERE p.outcome = 0 AND p.chain IS NOT NULL AND p.is_last_of_device
       AND (p.known_chain, p.complete, p.has_pending) IS DISTINCT FROM (p.chain, p.epoch, false)
    ON CONFLICT (conversation_id, device_id)
       DO UPDATE SET chain_id = excluded.chain_id, complete = excluded.complete, has_pending = false
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
         CASE p.outcome WHEN 8 THEN p.head_roster WHEN 9 THEN p.chain_hash END,
         CASE WHEN p.outcome = 0 AND p.is_to_commit
              THEN EXISTS (SELECT 1 FROM committed k WHERE k.conv = p.conv AND k.at = p.seq) ELSE false END
    FROM placed p ORDER BY p.ord;
END $$;


-- As before, but for group keys, which have another end: without this a server of the version before, which is told of an
-- acknowledgement, would erase them for everybody.
CREATE OR REPLACE FUNCTION erase_envelopes_v1(p_conversation uuid[], p_after bigint[], p_up_to bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_range record;
  v_step bigint;
  v_erased bigint := 0;
BEGIN
  -- One range after the other: joined to the sets at once, the planner may walk through all of them for each range.
  FOR v_range IN
    SELECT u.conv, u.after, u.up_to,
           (SELECT min(greatest(
                     coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = u.conv
                                  AND x.kind = 'delivered' AND x.device_id = d.device_id), 0),
                     coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = u.conv
                                  AND x.kind = 'read' AND x.device_id = d.device_id), 0)))
              FROM members m JOIN devices d ON d.account_id = m.account_id AND d.is_active
             WHERE m.conversation_id = u.conv) AS all_have
      FROM (SELECT v.conv, min(v.after) AS after, max(v.up_to) AS up_to
              FROM unnest(p_conversation, p_after, p_up_to) AS v (conv, after, up_to) GROUP BY v.conv) u
  LOOP
    DELETE FROM message_key_sets k
     WHERE k.conversation_id = v_range.conv AND k.seq > v_range.after AND k.seq <= v_range.up_to
       AND k.envelopes IS NOT NULL
       AND CASE WHEN k.seq <= v_range.all_have THEN true ELSE NOT EXISTS (
             SELECT 1 FROM generate_series(0, get_byte(k.envelopes, 0) - 1) AS place
               JOIN devices d ON d.is_active
                AND d.device_id = encode(substring(k.envelopes FROM 2 + 16 * place FOR 16), 'hex')::uuid
              WHERE NOT EXISTS (SELECT 1 FROM receipts x WHERE x.conversation_id = k.conversation_id
                                   AND x.kind = 'delivered' AND x.device_id = d.device_id AND x.up_to_seq >= k.seq)
                AND NOT EXISTS (SELECT 1 FROM receipts x WHERE x.conversation_id = k.conversation_id
                                   AND x.kind = 'read' AND x.device_id = d.device_id AND x.up_to_seq >= k.seq)) END;
    GET DIAGNOSTICS v_step = ROW_COUNT;
    v_erased := v_erased + v_step;
  END LOOP;
  RETURN v_erased;
END $$;

-- Forget the distributions that their devices have: up to a position, of the conversation of each. Gives how many went.
CREATE FUNCTION forget_distributions_v1(p_conversation uuid[], p_device uuid[], p_up_to bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_forgotten bigint;
BEGIN
  DELETE FROM distributions z USING unnest(p_conversation, p_device, p_up_to) AS u (conv, device, up_to)
   WHERE z.conversation_id = u.conv AND z.device_id = u.device AND z.seq <= u.up_to;
  GET DIAGNOSTICS v_forgotten = ROW_COUNT;
  RETURN v_forgotten;
END $$;

-- Erase what nobody of a group waits for: keys of entries up to where every device has acknowledged that can read now (a
-- member needs none from before they came, a device unseen for `p_dormant` waits for none), and distributions for devices
-- that cannot read any more. Gives how many keys and distributions went.
CREATE FUNCTION erase_group_keys_v1(p_conversation uuid[], p_dormant interval) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_group uuid;
  v_all_have bigint;
  v_gone uuid[];
  v_step bigint;
  v_erased bigint := 0;
BEGIN
  FOREACH v_group IN ARRAY p_conversation LOOP
    SELECT min(greatest(m.joined_seq,
                 coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = v_group
                              AND x.kind = 'delivered' AND x.device_id = d.device_id), 0),
                 coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = v_group
                              AND x.kind = 'read' AND x.device_id = d.device_id), 0)))
      INTO v_all_have
      FROM members m JOIN devices d ON d.account_id = m.account_id AND d.is_active AND d.is_listed
       AND d.last_active_at > clock_timestamp() - p_dormant
     WHERE m.conversation_id = v_group AND m.left_at IS NULL;
    DELETE FROM message_key_sets k
     WHERE k.conversation_id = v_group AND k.seq <= v_all_have AND k.group_key IS NOT NULL;
    GET DIAGNOSTICS v_step = ROW_COUNT;
    v_erased := v_erased + v_step;
    -- One look for each device that there is anything for, however much it is.
    v_gone := ARRAY(
      WITH RECURSIVE waiting (device_id) AS (
        (SELECT z.device_id FROM distributions z WHERE z.conversation_id = v_group ORDER BY z.device_id LIMIT 1)
        UNION ALL
        SELECT (SELECT z.device_id FROM distributions z
                 WHERE z.conversation_id = v_group AND z.device_id > w.device_id ORDER BY z.device_id LIMIT 1)
          FROM waiting w WHERE w.device_id IS NOT NULL
      )
      SELECT w.device_id FROM waiting w
       WHERE w.device_id IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM devices d JOIN members m ON m.conversation_id = v_group AND m.account_id = d.account_id
            AND m.left_at IS NULL WHERE d.device_id = w.device_id AND d.is_active AND d.is_listed));
    DELETE FROM distributions z WHERE z.conversation_id = v_group AND z.device_id = ANY (v_gone);
    GET DIAGNOSTICS v_step = ROW_COUNT;
    v_erased := v_erased + v_step;
  END LOOP;
  RETURN v_erased;
END $$;

GRANT SELECT, INSERT, UPDATE ON sender_chains TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON distributions TO aparte_service;
GRANT EXECUTE ON FUNCTION
  send_v3(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], smallint[], bytea[], bigint[], bytea[], bigint[],
          bytea[], bytea[], uuid[], smallint[], bytea[], bigint[], uuid[], bytea[], bytea[], boolean[], bytea[],
          bigint[], text[], boolean),
  forget_distributions_v1(uuid[], uuid[], bigint[]), erase_group_keys_v1(uuid[], interval) TO aparte_service;

-- migrate:down
-- An older server knows no group keys: their rows stay, for nobody.
DROP FUNCTION erase_group_keys_v1(uuid[], interval), forget_distributions_v1(uuid[], uuid[], bigint[]),
  send_v3(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], smallint[], bytea[], bigint[], bytea[], bigint[],
          bytea[], bytea[], uuid[], smallint[], bytea[], bigint[], uuid[], bytea[], bytea[], boolean[], bytea[],
          bigint[], text[], boolean);
CREATE OR REPLACE FUNCTION erase_envelopes_v1(p_conversation uuid[], p_after bigint[], p_up_to bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_range record;
  v_step bigint;
  v_erased bigint := 0;
BEGIN
  -- One range after the other: joined to the sets at once, the planner may walk through all of them for each range.
  FOR v_range IN
    SELECT u.conv, u.after, u.up_to,
           (SELECT min(greatest(
                     coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = u.conv
                                  AND x.kind = 'delivered' AND x.device_id = d.device_id), 0),
                     coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = u.conv
                                  AND x.kind = 'read' AND x.device_id = d.device_id), 0)))
              FROM members m JOIN devices d ON d.account_id = m.account_id AND d.is_active
             WHERE m.conversation_id = u.conv) AS all_have
      FROM (SELECT v.conv, min(v.after) AS after, max(v.up_to) AS up_to
              FROM unnest(p_conversation, p_after, p_up_to) AS v (conv, after, up_to) GROUP BY v.conv) u
  LOOP
    DELETE FROM message_key_sets k
     WHERE k.conversation_id = v_range.conv AND k.seq > v_range.after AND k.seq <= v_range.up_to
       AND CASE WHEN k.seq <= v_range.all_have THEN true ELSE NOT EXISTS (
             SELECT 1 FROM generate_series(0, get_byte(k.envelopes, 0) - 1) AS place
               JOIN devices d ON d.is_active
                AND d.device_id = encode(substring(k.envelopes FROM 2 + 16 * place FOR 16), 'hex')::uuid
              WHERE NOT EXISTS (SELECT 1 FROM receipts x WHERE x.conversation_id = k.conversation_id
                                   AND x.kind = 'delivered' AND x.device_id = d.device_id AND x.up_to_seq >= k.seq)
                AND NOT EXISTS (SELECT 1 FROM receipts x WHERE x.conversation_id = k.conversation_id
                                   AND x.kind = 'read' AND x.device_id = d.device_id AND x.up_to_seq >= k.seq)) END;
    GET DIAGNOSTICS v_step = ROW_COUNT;
    v_erased := v_erased + v_step;
  END LOOP;
  RETURN v_erased;
END $$;

DROP TABLE distributions, sender_chains;
ALTER TABLE message_key_sets DROP CONSTRAINT message_key_sets_one_check;
UPDATE message_key_sets SET envelopes = '\x00' WHERE envelopes IS NULL;
ALTER TABLE message_key_sets ALTER COLUMN envelopes SET NOT NULL;
ALTER TABLE message_key_sets DROP COLUMN group_key;
