-- Writing in full: threads, answers, references and mentions; messages that disappear; slow mode, silence and archive, all
-- decided under the conversation's lock.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

ALTER TABLE messages ADD COLUMN reply_id uuid, ADD COLUMN expires_at timestamptz;
-- A readable message of a thread names its root without a hash. What is there satisfies the stricter check that this one
-- stands for, and so this one.
-- squawk-ignore ban-drop-constraint
ALTER TABLE messages DROP CONSTRAINT messages_sealed_check;
ALTER TABLE messages ADD CONSTRAINT messages_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL) AND (target_seq IS NULL) = (target_id IS NULL)
  AND (target IS NOT NULL) = (target_id IS NOT NULL AND epoch IS NOT NULL)) NOT VALID;
ALTER TABLE members ADD COLUMN last_sent_at timestamptz;

-- From a message to those that hang on it, each in order: of a thread, in answer, by reference. Beside `messages`, so
-- that no index of that table grows with what most messages have not.
CREATE TABLE message_links (
  conversation_id uuid NOT NULL,
  target_id uuid NOT NULL,
  link smallint NOT NULL CHECK (link BETWEEN 1 AND 3),
  id uuid NOT NULL,
  PRIMARY KEY (conversation_id, target_id, link, id),
  FOREIGN KEY (conversation_id, target_id) REFERENCES messages
);

CREATE TABLE threads (
  conversation_id uuid NOT NULL,
  root_id uuid NOT NULL,
  reply_count bigint NOT NULL CHECK (reply_count >= 0),
  last_id uuid NOT NULL,
  PRIMARY KEY (conversation_id, root_id),
  FOREIGN KEY (conversation_id, root_id) REFERENCES messages
) WITH (fillfactor = 70);

CREATE TABLE mentions (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  conversation_id uuid NOT NULL,
  id uuid NOT NULL,
  PRIMARY KEY (account_id, conversation_id, id),
  FOREIGN KEY (conversation_id, id) REFERENCES messages
);
CREATE INDEX mentions_id_idx ON mentions (account_id, id);
CREATE INDEX mentions_message_idx ON mentions (conversation_id, id);

CREATE TABLE message_sources (
  conversation_id uuid NOT NULL,
  id uuid NOT NULL,
  source text NOT NULL CHECK (length(source) BETWEEN 1 AND 4000),
  PRIMARY KEY (conversation_id, id)
);

-- Messages with an end. The row stays, so that counts of what is unread find those that are gone by their ordinals.
CREATE TABLE disappearing_messages (
  conversation_id uuid NOT NULL,
  ordinal bigint NOT NULL,
  id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  is_erased boolean NOT NULL DEFAULT false,
  PRIMARY KEY (conversation_id, ordinal),
  FOREIGN KEY (conversation_id, id) REFERENCES messages
) WITH (fillfactor = 90);
CREATE INDEX disappearing_messages_due_idx ON disappearing_messages (expires_at) WHERE NOT is_erased;

-- send_v3, which also takes threads, answers, mentions and ends of messages, and decides by all that a conversation and
-- a role may say against a message. What is wide stays in the arrays until it is inserted: `p_x[ord]`, which costs nothing
-- since plpgsql keeps its parameters unpacked; only narrow rows are sorted, and most of them once.
--   A message without epoch is readable; `p_target…` of kind 1 is the root of its thread. `p_ttl`: seconds that it stays,
--   instead of those of its conversation. `p_screened`: it has passed the word lists. `p_mentions`, `p_references`,
--   `p_commits`: arrays of ids as text. Counter 0: sealed ahead, outside of its device's chain.
--   outcomes 0 to 11 as in send_v3 · 12 no right to post · 13 the conversation is archived · 14 silenced (o_known: until,
--          ms since 1970; o_known_hash: why) · 15 slow mode (o_known: ms to wait) · 16 to be screened first · 17 refused before, for what
--          `p_uncovered` = 17 stands for
CREATE FUNCTION send_v4(
  p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[],
  p_content jsonb[], p_kind smallint[], p_sealed bytea[], p_epoch bigint[], p_roster bytea[], p_counter bigint[],
  p_prev bytea[], p_hash bytea[], p_peer uuid[], p_uncovered smallint[], p_envelopes bytea[], p_target_seq bigint[],
  p_target_id uuid[], p_target bytea[], p_tag bytea[], p_on boolean[], p_group_key bytea[], p_chain bigint[],
  p_commits text[], p_reply uuid[], p_references text[], p_mentions text[], p_source text[], p_ttl integer[],
  p_screened boolean[], p_wait boolean
) RETURNS TABLE (o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint, o_known bigint, o_known_hash bytea,
                 o_commits boolean, o_expires_at timestamptz)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_locked uuid[];
  v_all boolean;
  v_more boolean;
  v_repeated bigint[];
  v_now timestamptz;
  v_base uuid;
  v_first text;
  v_count bigint;
  v_tomorrow uuid;
  v_zero bytea := decode(repeat('00', 32), 'hex');
  v_xid bigint := pg_current_xact_id()::text::bigint;
BEGIN
  IF p_wait THEN
    SELECT array_agg(l.conversation_id), bool_or(l.ttl_seconds IS NOT NULL) INTO v_locked, v_more
      FROM (SELECT h.conversation_id, h.ttl_seconds FROM heads h WHERE h.conversation_id = ANY (p_conversation)
             ORDER BY h.conversation_id FOR NO KEY UPDATE) l;
  ELSE
    SELECT array_agg(l.conversation_id), bool_or(l.ttl_seconds IS NOT NULL) INTO v_locked, v_more
      FROM (SELECT h.conversation_id, h.ttl_seconds FROM heads h WHERE h.conversation_id = ANY (p_conversation)
             ORDER BY h.conversation_id FOR NO KEY UPDATE SKIP LOCKED) l;
  END IF;
  v_locked := coalesce(v_locked, '{}');
  v_all := cardinality(v_locked) = (SELECT count(DISTINCT c) FROM unnest(p_conversation) AS c);
  IF cardinality(p_client_message) > (SELECT count(DISTINCT c) FROM unnest(p_client_message) AS c) THEN
    v_repeated := ARRAY(
      SELECT u.ord FROM (SELECT m.ord, row_number() OVER (PARTITION BY m.conv, m.dev, m.cid ORDER BY m.ord) AS nth
                           FROM unnest(p_conversation, p_device, p_client_message)
                                WITH ORDINALITY AS m (conv, dev, cid, ord)) u WHERE u.nth > 1);
  END IF;
  v_now := clock_timestamp();
  v_base := id_now(v_now);
  -- id_after(v_base, n), its halves taken apart once
  v_first := left(v_base::text, 24);
  v_count := ('x' || right(v_base::text, 12))::bit(48)::bigint;
  v_tomorrow := id_at(v_now + interval '1 day');

  RETURN QUERY
  WITH judged AS (
    SELECT m.ord, m.conv, m.acct, m.dev, m.kind, m.counter, m.chain,
           m.epoch IS NOT NULL AND m.counter > 0 AS is_chained, h.slow_seconds > 0 AND m.kind = 1 AND NOT q.may AS is_slow,
           v_now + make_interval(secs => coalesce(m.ttl, h.ttl_seconds)) AS expires_at,
           h.last_seq, h.last_id, h.last_ordinal, h.epoch AS head_epoch, h.roster AS head_roster,
           s.id AS first_id, s.seq AS first_seq, coalesce(c.counter, 0) AS chain_counter,
           coalesce(c.hash, v_zero) AS chain_hash, g.chain_id AS known_chain, g.complete, g.has_pending, b.silenced_until,
           b.silence_reason,
           b.last_sent_at + make_interval(secs => h.slow_seconds) AS may_send_at,
           CASE WHEN NOT v_all AND m.conv <> ALL (v_locked) THEN CASE WHEN p_wait THEN 3 ELSE 2 END
                WHEN s.id IS NOT NULL THEN CASE WHEN s.digest = m.digest THEN 1 ELSE 4 END
                WHEN b.account_id IS NULL OR h.closed = 2 THEN 3
                WHEN (m.epoch IS NULL) <> (h.roster IS NULL) THEN 6
                WHEN h.closed = 1 THEN 13
                WHEN b.cannot_post AND m.kind IN (1, 2) THEN 12
                WHEN b.silenced_until > v_now AND m.kind IN (1, 2, 4) THEN 14
                WHEN x.is_blocked OR y.is_blocked THEN 7
                WHEN m.epoch IS NOT NULL AND (m.epoch <> h.epoch OR p_roster[m.ord::integer] <> h.roster) THEN 8
                WHEN m.uncovered = 17 THEN 17
                WHEN h.slow_seconds > 0 AND m.kind = 1 AND NOT q.may
                     AND b.last_sent_at + make_interval(secs => h.slow_seconds) > v_now THEN 15
                WHEN h.is_screened AND m.kind = 1 AND m.epoch IS NULL AND NOT m.screened THEN 16
                WHEN m.uncovered <> 0 AND (g.chain_id, g.complete) IS DISTINCT FROM (m.chain, m.epoch) THEN m.uncovered
                WHEN w.is_missing AND (g.chain_id, g.complete) IS DISTINCT FROM (m.chain, m.epoch) THEN 10
                WHEN h.last_id >= v_tomorrow THEN 5
                WHEN m.ord = ANY (v_repeated) THEN 2
                ELSE 0 END AS verdict
      FROM unnest(p_conversation, p_account, p_device, p_client_message, p_digest, p_kind, p_epoch, p_counter, p_peer,
                  p_uncovered, p_chain, p_ttl, p_screened)
           WITH ORDINALITY AS m (conv, acct, dev, cid, digest, kind, epoch, counter, peer, uncovered, chain, ttl,
                                 screened, ord)
      LEFT JOIN LATERAL (SELECT z.last_seq, z.last_id, z.last_ordinal, z.epoch, z.roster, z.slow_seconds, z.ttl_seconds,
                                z.closed, z.is_screened
                           FROM heads z WHERE z.conversation_id = m.conv LIMIT 1) h ON true
      LEFT JOIN LATERAL (SELECT z.account_id, z.role, z.role_id, z.overrides, z.cannot_post, z.silenced_until,
                                z.silence_reason, z.last_sent_at
                           FROM members z
                          WHERE z.conversation_id = m.conv AND z.account_id = m.acct AND z.left_at IS NULL
                          LIMIT 1) b ON true
      LEFT JOIN LATERAL (SELECT z.id, z.seq, z.digest FROM sends z
                          WHERE z.conversation_id = m.conv AND z.device_id = m.dev AND z.client_message_id = m.cid
                          LIMIT 1) s ON true
      LEFT JOIN LATERAL (SELECT true AS is_blocked FROM blocks z
                          WHERE m.peer IS NOT NULL AND z.blocker_id = m.acct AND z.blocked_id = m.peer LIMIT 1) x ON true
      LEFT JOIN LATERAL (SELECT true AS is_blocked FROM blocks z
                          WHERE m.peer IS NOT NULL AND z.blocker_id = m.peer AND z.blocked_id = m.acct LIMIT 1) y ON true
      LEFT JOIN LATERAL (SELECT z.counter, z.hash FROM chains z
                          WHERE m.epoch IS NOT NULL AND z.conversation_id = m.conv AND z.device_id = m.dev
                          LIMIT 1) c ON true
      LEFT JOIN LATERAL (SELECT z.chain_id, z.complete, z.has_pending FROM sender_chains z
                          WHERE m.chain IS NOT NULL AND z.conversation_id = m.conv AND z.device_id = m.dev
                          LIMIT 1) g ON true
      -- who may manage messages waits for nobody; in encrypted conversations what is defined beside the role narrows
      LEFT JOIN LATERAL (SELECT CASE WHEN m.epoch IS NULL THEN coalesce(v.said, b.role <> 'member')
                                     ELSE b.role <> 'member' AND coalesce(v.said, true) END AS may
                           FROM (SELECT coalesce((b.overrides ->> 'manage_messages')::boolean,
                                          (SELECT (z.permissions ->> 'manage_messages')::boolean
                                             FROM conversation_roles z
                                            WHERE z.conversation_id = m.conv AND z.role_id = b.role_id)) AS said) v
                          WHERE h.slow_seconds > 0) q ON true
      LEFT JOIN LATERAL (SELECT true AS is_missing FROM unnest(p_commits[m.ord::integer]::uuid[]) AS d (device)
                          WHERE m.chain IS NOT NULL AND NOT EXISTS (
                            SELECT 1 FROM distributions z
                             WHERE z.conversation_id = m.conv AND z.sender_device_id = m.dev
                               AND z.chain_id = m.chain AND z.device_id = d.device AND z.seq IS NULL)
                          LIMIT 1) w ON true
  ), singly AS (
    -- of one account in slow mode the first of a batch is decided; what becomes of it decides over the next
    SELECT j.*, CASE WHEN j.verdict = 0 AND j.is_slow
                          AND row_number() OVER (PARTITION BY j.conv, j.acct, j.verdict = 0 AND j.is_slow ORDER BY j.ord) > 1
                     THEN 2 ELSE j.verdict END AS possible
      FROM judged j WHERE j.head_epoch > 0 OR j.is_slow
  ), linked AS (
    SELECT s.*, NOT s.is_chained OR (
             s.counter = s.chain_counter + row_number() OVER w
             AND p_prev[s.ord::integer] = coalesce(lag(p_hash[s.ord::integer]) OVER w, s.chain_hash)) AS fits
      FROM singly s WINDOW w AS (PARTITION BY s.conv, s.dev, s.possible = 0 AND s.is_chained ORDER BY s.ord)
  ), chained AS (
    -- those that fit are the first of their device, so the last of them is followed by one that does not, or by none
    SELECT l.*, CASE WHEN l.possible = 0 AND l.is_chained AND NOT bool_and(l.fits) OVER w THEN 9 ELSE l.possible END
             AS outcome,
           l.is_chained AND lead(l.fits) OVER w IS NOT TRUE AS is_last_of_device,
           row_number() OVER (PARTITION BY l.conv, l.dev, l.chain, l.possible = 0, l.is_chained ORDER BY l.ord) = 1
             AND (p_commits[l.ord::integer] IS NOT NULL OR l.known_chain = l.chain AND l.has_pending) AS is_to_commit
      FROM linked l WINDOW w AS (PARTITION BY l.conv, l.dev, l.possible = 0 AND l.is_chained ORDER BY l.ord)
  ), decided AS (
    SELECT j.ord, j.conv, j.acct, j.dev, j.kind, j.expires_at, j.last_seq, j.last_id, j.last_ordinal, j.head_epoch,
           j.head_roster, j.first_id, j.first_seq, j.chain_counter, j.chain_hash, j.known_chain, j.complete,
           j.has_pending, j.silenced_until, j.silence_reason, j.may_send_at, j.verdict AS outcome,
           false AS is_last_of_device, false AS is_to_commit
      FROM judged j WHERE (j.head_epoch > 0 OR j.is_slow) IS NOT TRUE
    UNION ALL
    SELECT c.ord, c.conv, c.acct, c.dev, c.kind, c.expires_at, c.last_seq, c.last_id, c.last_ordinal, c.head_epoch,
           c.head_roster, c.first_id, c.first_seq, c.chain_counter, c.chain_hash, c.known_chain, c.complete,
           c.has_pending, c.silenced_until, c.silence_reason, c.may_send_at, c.outcome, c.is_last_of_device, c.is_to_commit
      FROM chained c
  ), counted AS (
    SELECT d.*, count(*) FILTER (WHERE d.outcome = 0) OVER w AS nth,
           count(*) FILTER (WHERE d.outcome = 0 AND d.kind = 1) OVER w AS nth_message
      FROM decided d WINDOW w AS (PARTITION BY d.conv ORDER BY d.ord)
  ), placed AS (
    SELECT c.*, c.ord::integer AS at,
           CASE c.outcome WHEN 0 THEN c.last_seq + c.nth WHEN 1 THEN c.first_seq END AS seq,
           CASE c.outcome WHEN 0 THEN c.last_ordinal + c.nth_message END AS ordinal,
           CASE c.outcome WHEN 0 THEN CASE WHEN v_base > c.last_id THEN (v_first || lpad(to_hex(v_count + c.ord), 12, '0'))::uuid
                                           ELSE id_after(c.last_id, c.nth) END
                          WHEN 1 THEN c.first_id END AS id
      FROM counted c
  ), written AS (
    INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid,
                          epoch, counter, prev, target_seq, target_id, target, sealed, reply_id, expires_at)
    SELECT p.conv, p.id, p.seq, p.acct, p.dev, p_client_message[p.at], p.ordinal, p_content[p.at], v_xid,
           p_epoch[p.at], p_counter[p.at], p_prev[p.at], p_target_seq[p.at], p_target_id[p.at], p_target[p.at],
           p_sealed[p.at], p_reply[p.at], p.expires_at
      FROM placed p WHERE p.outcome = 0 AND p.kind = 1
  ), changed AS (
    INSERT INTO entries (conversation_id, id, seq, kind, account_id, device_id, client_message_id, body, xid,
                         epoch, counter, prev, target_seq, target_id, target, sealed, tag, is_on)
    SELECT p.conv, p.id, p.seq, p.kind, p.acct, p.dev, p_client_message[p.at], p_content[p.at], v_xid,
           p_epoch[p.at], p_counter[p.at], p_prev[p.at], p_target_seq[p.at], p_target_id[p.at], p_target[p.at],
           p_sealed[p.at], p_tag[p.at], p_on[p.at]
      FROM placed p WHERE p.outcome = 0 AND p.kind <> 1
  ), enveloped AS (
    INSERT INTO message_key_sets (conversation_id, seq, id, envelopes, group_key)
    SELECT p.conv, p.seq, p.id, p_envelopes[p.at], p_group_key[p.at] FROM placed p
     WHERE p.outcome = 0 AND num_nonnulls(p_envelopes[p.at], p_group_key[p.at]) > 0
  ), committed AS (
    UPDATE distributions z SET seq = p.seq, id = p.id
      FROM placed p
     CROSS JOIN LATERAL (SELECT unnest(p_commits[p.at]::uuid[]) AS device
                          UNION SELECT y.device_id FROM distributions y
                                 WHERE y.conversation_id = p.conv AND y.sender_device_id = p.dev
                                   AND y.chain_id = p_chain[p.at] AND y.epoch = p_epoch[p.at] AND y.seq IS NULL) d
     WHERE p.outcome = 0 AND p.is_to_commit AND z.conversation_id = p.conv AND z.sender_device_id = p.dev
       AND z.chain_id = p_chain[p.at] AND z.device_id = d.device AND z.seq IS NULL
    RETURNING z.conversation_id AS conv, z.seq AS at
  ), completed AS (
    INSERT INTO sender_chains AS z (conversation_id, device_id, chain_id, complete)
    SELECT p.conv, p.dev, p_chain[p.at], p_epoch[p.at] FROM placed p
     WHERE p.outcome = 0 AND p.is_last_of_device AND p_chain[p.at] IS NOT NULL
       AND (p.known_chain, p.complete, p.has_pending) IS DISTINCT FROM (p_chain[p.at], p_epoch[p.at], false)
    ON CONFLICT (conversation_id, device_id)
       DO UPDATE SET chain_id = excluded.chain_id, complete = excluded.complete, has_pending = false
  ), remembered AS (
    INSERT INTO sends (conversation_id, device_id, client_message_id, id, seq, digest)
    SELECT p.conv, p.dev, p_client_message[p.at], p.id, p.seq, p_digest[p.at] FROM placed p WHERE p.outcome = 0
  ), continued AS (
    INSERT INTO chains AS z (conversation_id, device_id, counter, hash)
    SELECT p.conv, p.dev, p_counter[p.at], p_hash[p.at] FROM placed p WHERE p.outcome = 0 AND p.is_last_of_device
    ON CONFLICT (conversation_id, device_id) DO UPDATE SET counter = excluded.counter, hash = excluded.hash
  ), moved AS (
    UPDATE heads h SET last_seq = p.seq, last_id = CASE WHEN v_base > p.last_id THEN (v_first || lpad(to_hex(v_count + p.at), 12, '0'))::uuid
                                                        ELSE id_after(p.last_id, p.nth) END,
           last_xid = v_xid, last_ordinal = p.ordinal, message_count = h.message_count + p.messages,
           last_message_at = CASE WHEN p.messages > 0 THEN greatest(h.last_message_at, v_now) ELSE h.last_message_at END
      FROM (SELECT d.conv, d.last_id, max(d.seq) AS seq, max(d.ordinal) AS ordinal, max(d.at) AS at, max(d.nth) AS nth,
                   count(*) FILTER (WHERE d.kind = 1) AS messages
              FROM placed d WHERE d.outcome = 0 GROUP BY d.conv, d.last_id) p
     WHERE h.conversation_id = p.conv
  ), marked AS (
    UPDATE members b SET read_seq = p.seq, read_id = CASE WHEN v_base > p.last_id THEN (v_first || lpad(to_hex(v_count + p.at), 12, '0'))::uuid
                                                          ELSE id_after(p.last_id, p.nth) END,
           read_ordinal = p.ordinal, message_count = b.message_count + p.messages, last_sent_at = v_now
      FROM (SELECT d.conv, d.acct, d.last_id, max(d.seq) AS seq, max(d.ordinal) AS ordinal, max(d.at) AS at,
                   max(d.nth) AS nth, count(*) AS messages
              FROM placed d WHERE d.outcome = 0 AND d.kind = 1 GROUP BY d.conv, d.acct, d.last_id) p
     WHERE b.conversation_id = p.conv AND b.account_id = p.acct
  )
  SELECT p.outcome::smallint, p.id, p.seq, CASE WHEN p.kind = 1 THEN p.ordinal END,
         CASE p.outcome WHEN 8 THEN p.head_epoch WHEN 9 THEN p.chain_counter
              WHEN 14 THEN floor(extract(epoch FROM p.silenced_until) * 1000)::bigint
              WHEN 15 THEN ceil(extract(epoch FROM p.may_send_at - v_now) * 1000)::bigint END,
         CASE p.outcome WHEN 8 THEN p.head_roster WHEN 9 THEN p.chain_hash
              WHEN 14 THEN convert_to(p.silence_reason, 'UTF8') END,
         CASE WHEN p.outcome = 0 AND p.is_to_commit
              THEN EXISTS (SELECT 1 FROM committed k WHERE k.conv = p.conv AND k.at = p.seq) ELSE false END,
         CASE WHEN p.outcome = 0 AND p.kind = 1 THEN p.expires_at END
    FROM placed p ORDER BY p.ord;
  -- What few messages have. In a statement of its own, which costs nothing where there is none of it.
  IF v_more OR cardinality(array_remove(p_ttl, NULL)) > 0 OR cardinality(array_remove(p_target_id, NULL)) > 0
     OR cardinality(array_remove(p_reply, NULL)) > 0 OR cardinality(array_remove(p_references, NULL)) > 0
     OR cardinality(array_remove(p_mentions, NULL)) > 0 OR cardinality(array_remove(p_source, NULL)) > 0 THEN
    WITH stored AS (
      SELECT m.ord::integer AS at, m.conv, m.acct, m.kind, s.id, x.ordinal, x.expires_at
        FROM unnest(p_conversation, p_account, p_device, p_client_message, p_kind)
             WITH ORDINALITY AS m (conv, acct, dev, cid, kind, ord)
       CROSS JOIN LATERAL (SELECT z.id FROM sends z
                            WHERE z.conversation_id = m.conv AND z.device_id = m.dev AND z.client_message_id = m.cid
                            LIMIT 1) s
       CROSS JOIN LATERAL (SELECT z.ordinal, z.expires_at FROM messages z
                            WHERE z.conversation_id = m.conv AND z.id = s.id AND z.xid = v_xid
                           UNION ALL
                           SELECT NULL, NULL FROM entries z
                            WHERE z.conversation_id = m.conv AND z.id = s.id AND z.xid = v_xid
                            LIMIT 1) x
       WHERE (m.ord = ANY (v_repeated)) IS NOT TRUE
    ), linking AS (
      INSERT INTO message_links (conversation_id, target_id, link, id)
      SELECT p.conv, l.target, l.link, p.id FROM stored p
       CROSS JOIN LATERAL (SELECT p_target_id[p.at] AS target, 1::smallint AS link WHERE p_target_id[p.at] IS NOT NULL
                            UNION SELECT p_reply[p.at], 2::smallint WHERE p_reply[p.at] IS NOT NULL
                            UNION SELECT unnest(p_references[p.at]::uuid[]), 3::smallint) l
       WHERE p.kind = 1
    ), hung AS (
      INSERT INTO threads AS z (conversation_id, root_id, reply_count, last_id)
      SELECT DISTINCT ON (p.conv, p_target_id[p.at]) p.conv, p_target_id[p.at],
             count(*) OVER (PARTITION BY p.conv, p_target_id[p.at]), p.id
        FROM stored p WHERE p.kind = 1 AND p_target_id[p.at] IS NOT NULL
       ORDER BY p.conv, p_target_id[p.at], p.at DESC
      ON CONFLICT (conversation_id, root_id)
         DO UPDATE SET reply_count = z.reply_count + excluded.reply_count, last_id = excluded.last_id
    ), mentioned AS (
      INSERT INTO mentions (account_id, conversation_id, id)
      SELECT u.account, p.conv, CASE WHEN p.kind = 1 THEN p.id ELSE p_target_id[p.at] END FROM stored p
       CROSS JOIN LATERAL (SELECT DISTINCT unnest(p_mentions[p.at]::uuid[]) AS account) u
       CROSS JOIN LATERAL (SELECT 1 FROM members z
                            WHERE z.conversation_id = p.conv AND z.account_id = u.account AND z.left_at IS NULL
                            LIMIT 1) b
       WHERE NOT EXISTS (SELECT 1 FROM blocks z WHERE z.blocker_id = u.account AND z.blocked_id = p.acct)
      ON CONFLICT DO NOTHING
    ), sourced AS (
      INSERT INTO message_sources (conversation_id, id, source)
      SELECT p.conv, p.id, p_source[p.at] FROM stored p WHERE p_source[p.at] IS NOT NULL
    )
    INSERT INTO disappearing_messages (conversation_id, ordinal, id, expires_at)
    SELECT p.conv, p.ordinal, p.id, p.expires_at FROM stored p WHERE p.expires_at IS NOT NULL;
  END IF;
END $$;

GRANT SELECT, INSERT ON message_links TO aparte_service;
GRANT SELECT, INSERT, UPDATE ON threads, disappearing_messages TO aparte_service;
GRANT SELECT, INSERT, DELETE ON mentions, message_sources TO aparte_service;
GRANT EXECUTE ON FUNCTION
  send_v4(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], smallint[], bytea[], bigint[], bytea[], bigint[],
          bytea[], bytea[], uuid[], smallint[], bytea[], bigint[], uuid[], bytea[], bytea[], boolean[], bytea[],
          bigint[], text[], uuid[], text[], text[], text[], integer[], boolean[], boolean) TO aparte_service;

COMMENT ON FUNCTION send_v4 IS 'Writes a batch of messages and sealed entries, each with its own outcome (migration 0019).';
COMMENT ON COLUMN messages.reply_id IS 'The message of the same conversation that it answers.';
COMMENT ON COLUMN messages.expires_at IS 'From then on it is gone for everybody; a job erases it. NULL: it stays.';
COMMENT ON COLUMN members.last_sent_at IS 'When they last sent a message here: slow mode counts from it.';
COMMENT ON TABLE message_links IS 'What hangs on a message: replies of its thread, answers, references.';
COMMENT ON COLUMN message_links.conversation_id IS 'Where both are.';
COMMENT ON COLUMN message_links.target_id IS 'The message that is hung on.';
COMMENT ON COLUMN message_links.link IS '1: id is of its thread, 2: id answers it, 3: id refers to it.';
COMMENT ON COLUMN message_links.id IS 'The message that hangs on it; it may be deleted, expired or erased.';
COMMENT ON TABLE threads IS 'Messages that something was said under.';
COMMENT ON COLUMN threads.conversation_id IS 'Where it is.';
COMMENT ON COLUMN threads.root_id IS 'The message that all others are under.';
COMMENT ON COLUMN threads.reply_count IS 'Replies that are there: neither deleted nor expired.';
COMMENT ON COLUMN threads.last_id IS 'The newest reply ever.';
COMMENT ON TABLE mentions IS 'Who is mentioned in which message.';
COMMENT ON COLUMN mentions.account_id IS 'A member then.';
COMMENT ON COLUMN mentions.conversation_id IS 'Where.';
COMMENT ON COLUMN mentions.id IS 'The message.';
COMMENT ON TABLE message_sources IS 'What was typed, where the server stored something else: for the author alone.';
COMMENT ON COLUMN message_sources.conversation_id IS 'Where.';
COMMENT ON COLUMN message_sources.id IS 'The message, or the edit.';
COMMENT ON COLUMN message_sources.source IS 'As it was sent.';
COMMENT ON TABLE disappearing_messages IS 'Messages with an end, before and after it.';
COMMENT ON COLUMN disappearing_messages.conversation_id IS 'Where.';
COMMENT ON COLUMN disappearing_messages.ordinal IS 'Of the message: what is unread is counted by it.';
COMMENT ON COLUMN disappearing_messages.id IS 'The message.';
COMMENT ON COLUMN disappearing_messages.expires_at IS 'messages.expires_at.';
COMMENT ON COLUMN disappearing_messages.is_erased IS 'The job has been there.';

-- migrate:down
-- An older server knows no threads and no ends: replies stand beside the others, and what would disappear stays.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30min';
DROP FUNCTION send_v4(uuid[], uuid[], uuid[], uuid[], bigint[], jsonb[], smallint[], bytea[], bigint[], bytea[], bigint[],
  bytea[], bytea[], uuid[], smallint[], bytea[], bigint[], uuid[], bytea[], bytea[], boolean[], bytea[],
  bigint[], text[], uuid[], text[], text[], text[], integer[], boolean[], boolean);
DROP TABLE disappearing_messages, message_sources, mentions, threads, message_links;
ALTER TABLE members DROP COLUMN last_sent_at;
ALTER TABLE messages DROP CONSTRAINT messages_sealed_check;
UPDATE messages SET target_seq = NULL, target_id = NULL WHERE target_id IS NOT NULL AND target IS NULL;
ALTER TABLE messages DROP COLUMN expires_at, DROP COLUMN reply_id;
ALTER TABLE messages ADD CONSTRAINT messages_sealed_check CHECK (
  num_nonnulls(epoch, counter, prev) = CASE WHEN num_nonnulls(sealed, sealed_hash) = 1 THEN 3 ELSE 0 END
  AND (sealed_hash IS NULL OR erased_at IS NOT NULL) AND num_nulls(target_seq, target_id, target) IN (0, 3));
