-- Groups: who is in them follows from a chain of signed statements. The statements are kept as they came; what follows
-- from them is kept as rows, so that nobody has to fold the chain to find out.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

ALTER TABLE conversations ADD CONSTRAINT conversations_readable_name_check
  CHECK ((encryption_mode = 'e2ee') = (name IS NULL)) NOT VALID;
-- conversations_readable_name_check says the same and, of groups, what is new.
-- squawk-ignore ban-drop-constraint
ALTER TABLE conversations DROP CONSTRAINT conversations_named_check;

-- The chain, in order from 1 without gap; of those stored together the last one began the epoch.
CREATE TABLE statements (
  conversation_id uuid NOT NULL REFERENCES conversations,
  number bigint NOT NULL CHECK (number > 0),
  statement bytea NOT NULL CHECK (length(statement) = 165),
  signature bytea NOT NULL CHECK (length(signature) = 64),
  link_signature bytea CHECK (length(link_signature) = 64),
  epoch bigint NOT NULL,
  PRIMARY KEY (conversation_id, number)
);

-- The end of each chain and what it says of the conversation as a whole.
CREATE TABLE memberships (
  conversation_id uuid PRIMARY KEY REFERENCES conversations,
  number bigint NOT NULL CHECK (number > 0),
  hash bytea NOT NULL CHECK (length(hash) = 32),
  policy smallint NOT NULL CHECK (policy BETWEEN 0 AND 255)
) WITH (fillfactor = 60);

-- What the chain says of each member, present or past. `list_version` is the newest device list they ever signed with.
ALTER TABLE members
  ADD COLUMN statement bigint NOT NULL DEFAULT 0,
  ADD COLUMN account_key bytea,
  ADD COLUMN list_version bigint NOT NULL DEFAULT 0,
  ADD COLUMN is_removed boolean NOT NULL DEFAULT false,
  ADD COLUMN banned_at timestamptz,
  ADD COLUMN banned_by uuid;
ALTER TABLE members ADD CONSTRAINT members_account_key_check
  CHECK (account_key IS NULL OR length(account_key) = 33) NOT VALID;
ALTER TABLE members ADD CONSTRAINT members_banned_check CHECK ((banned_at IS NULL) = (banned_by IS NULL)) NOT VALID;

-- Links that let in whoever has them. The token that finds one is kept as its hash alone, of closed ones too: no other
-- link is found by it. `card` says what the group is called, sealed for those who have the link; closing erases it.
CREATE TABLE invite_links (
  conversation_id uuid NOT NULL REFERENCES conversations,
  link_id bytea NOT NULL CHECK (length(link_id) = 16),
  link_key bytea NOT NULL CHECK (length(link_key) = 33),
  account_id uuid NOT NULL,
  role base_role NOT NULL,
  expires bigint NOT NULL CHECK (expires >= 0),
  uses bigint NOT NULL CHECK (uses >= 0),
  used bigint NOT NULL CHECK (used >= 0),
  is_open boolean NOT NULL DEFAULT true,
  token_hash bytea CONSTRAINT invite_links_token_key UNIQUE CHECK (length(token_hash) = 32),
  card bytea CHECK (length(card) BETWEEN 1 AND 12288),
  PRIMARY KEY (conversation_id, link_id)
) WITH (fillfactor = 60);

-- What an epoch stands on, and how it differs from the one before: the list version of every member that is another
-- one (account 16 || version be64, 0: out), the devices that can read from here on and could not before (16 each), and
-- whether somebody who could read before cannot any more, or has another account key.
ALTER TABLE epochs
  ADD COLUMN statement bigint NOT NULL DEFAULT 0,
  ADD COLUMN id uuid,
  ADD COLUMN changed bytea NOT NULL DEFAULT '',
  ADD COLUMN added bytea NOT NULL DEFAULT '',
  ADD COLUMN has_removed boolean NOT NULL DEFAULT false;

-- raise_epochs_v1, which also writes what is new in epochs; the statement stays that of the epoch before.
CREATE FUNCTION raise_epochs_v2(
  p_conversation uuid[], p_roster bytea[], p_changed bytea, p_added bytea, p_has_removed boolean, p_kind smallint,
  p_account uuid, p_device uuid, p_body jsonb
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
    SELECT m.conv, m.roster, h.epoch + 1 AS epoch, h.last_seq + 1 AS seq, coalesce(e.statement, 0) AS statement,
           CASE WHEN v_base > h.last_id THEN id_after(v_base, m.ord) ELSE id_after(h.last_id, 1) END AS id
      FROM unnest(p_conversation, p_roster) WITH ORDINALITY AS m (conv, roster, ord)
      JOIN LATERAL (SELECT z.epoch, z.last_seq, z.last_id FROM heads z
                     WHERE z.conversation_id = m.conv LIMIT 1) h ON true
      LEFT JOIN LATERAL (SELECT z.statement FROM epochs z
                          WHERE z.conversation_id = m.conv AND z.epoch = h.epoch LIMIT 1) e ON true
  ), begun AS (
    INSERT INTO epochs (conversation_id, epoch, roster, seq, id, statement, changed, added, has_removed)
    SELECT r.conv, r.epoch, r.roster, r.seq, r.id, r.statement, p_changed, p_added, p_has_removed FROM raised r
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

-- Append statements to a conversation whose head the caller has locked, an entry for each; the last one begins the next
-- epoch, and says so in its body. Fails with SQLSTATE AP001 when the clock is a day behind the log.
CREATE FUNCTION append_statements_v1(
  p_conversation uuid, p_account uuid[], p_device uuid[], p_body jsonb[], p_statement bigint, p_roster bytea,
  p_changed bytea, p_added bytea, p_has_removed boolean
) RETURNS TABLE (o_id uuid, o_seq bigint, o_epoch bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  v_now timestamptz;
  v_base uuid;
  v_xid bigint := pg_current_xact_id()::text::bigint;
  v_number bigint := cardinality(p_account);
  v_head heads;
BEGIN
  SELECT h.* INTO STRICT v_head FROM heads h WHERE h.conversation_id = p_conversation FOR NO KEY UPDATE;
  v_now := clock_timestamp();
  IF v_head.last_id >= id_at(v_now + interval '1 day') THEN
    RAISE EXCEPTION 'the clock is behind the log' USING ERRCODE = 'AP001';
  END IF;
  v_base := id_now(v_now);
  v_base := CASE WHEN v_base > v_head.last_id THEN v_base ELSE v_head.last_id END;

  RETURN QUERY
  WITH placed AS (
    SELECT m.acct, m.dev, m.body, m.ord = v_number AS is_last, id_after(v_base, m.ord) AS id,
           v_head.last_seq + m.ord AS seq
      FROM unnest(p_account, p_device, p_body) WITH ORDINALITY AS m (acct, dev, body, ord)
  ), told AS (
    INSERT INTO entries (conversation_id, id, seq, kind, account_id, device_id, body, xid)
    SELECT p_conversation, p.id, p.seq, 22, p.acct, p.dev,
           CASE WHEN p.is_last
                THEN p.body || jsonb_build_object('epoch', v_head.epoch + 1, 'roster', encode(p_roster, 'base64'))
                ELSE p.body END, v_xid
      FROM placed p
  ), begun AS (
    INSERT INTO epochs (conversation_id, epoch, roster, seq, id, statement, changed, added, has_removed)
    SELECT p_conversation, v_head.epoch + 1, p_roster, p.seq, p.id, p_statement, p_changed, p_added, p_has_removed
      FROM placed p WHERE p.is_last
  ), moved AS (
    UPDATE heads h SET epoch = v_head.epoch + 1, roster = p_roster, last_seq = p.seq, last_id = p.id, last_xid = v_xid
      FROM placed p WHERE p.is_last AND h.conversation_id = p_conversation
  )
  SELECT p.id, p.seq, v_head.epoch + 1 FROM placed p ORDER BY p.seq;
END $$;

GRANT SELECT, INSERT ON statements TO aparte_service;
GRANT SELECT, INSERT, UPDATE ON memberships, invite_links TO aparte_service;
GRANT EXECUTE ON FUNCTION
  raise_epochs_v2(uuid[], bytea[], bytea, bytea, boolean, smallint, uuid, uuid, jsonb),
  append_statements_v1(uuid, uuid[], uuid[], jsonb[], bigint, bytea, bytea, bytea, boolean) TO aparte_service;

-- migrate:down
-- An older server knows no groups: they stay under their ids, and nobody finds them.
DROP FUNCTION append_statements_v1(uuid, uuid[], uuid[], jsonb[], bigint, bytea, bytea, bytea, boolean),
  raise_epochs_v2(uuid[], bytea[], bytea, bytea, boolean, smallint, uuid, uuid, jsonb);
ALTER TABLE epochs DROP COLUMN has_removed, DROP COLUMN added, DROP COLUMN changed, DROP COLUMN id,
  DROP COLUMN statement;
DROP TABLE invite_links, memberships, statements;
ALTER TABLE members DROP COLUMN banned_by, DROP COLUMN banned_at, DROP COLUMN is_removed, DROP COLUMN list_version,
  DROP COLUMN account_key, DROP COLUMN statement;
ALTER TABLE conversations DROP CONSTRAINT conversations_readable_name_check;
UPDATE conversations SET name = conversation_id::text, deleted_at = coalesce(deleted_at, clock_timestamp())
 WHERE encryption_mode = 'e2ee' AND kind NOT IN ('direct', 'self');
ALTER TABLE conversations ADD CONSTRAINT conversations_named_check
  CHECK ((kind IN ('direct', 'self')) = (name IS NULL));
