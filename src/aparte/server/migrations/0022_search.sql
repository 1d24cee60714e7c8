-- Search: words of readable messages, of rooms and of people, kept beside what they are of and written after its commit.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '60s';

-- Stems without stop words: a room of that language finds the name Will, and "or". What goes in is folded already
-- (lower case, no accents), so is what is asked.
CREATE TEXT SEARCH DICTIONARY aparte_french (TEMPLATE = snowball, LANGUAGE = french);
CREATE TEXT SEARCH DICTIONARY aparte_english (TEMPLATE = snowball, LANGUAGE = english);

-- Stems of folded words with spaces between, as far as they are other words, in a language that has stems.
CREATE FUNCTION search_stems(p_words text, p_language text) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT ARRAY(SELECT DISTINCT s.stem
                 FROM unnest(string_to_array(p_words, ' ')) AS w (word)
                 CROSS JOIN LATERAL (SELECT (CASE p_language WHEN 'fr' THEN ts_lexize('aparte_french', w.word)
                                                             WHEN 'en' THEN ts_lexize('aparte_english', w.word)
                                             END)[1]) AS s (stem)
                WHERE s.stem <> '' AND s.stem <> w.word)
$$;

-- The month of an entry: what message_search is partitioned by, so that no index but that of words fits a search.
CREATE FUNCTION month_of(p_id uuid) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT date_trunc('month', to_timestamp(('x' || replace(left(p_id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)
                             AT TIME ZONE 'UTC')::date
$$;

-- A row for each message that can be found. `words` holds every word with its places, stems without, and marks that no
-- word begins with: the span it belongs to, who wrote it, what it has, the beginnings of its longer words.
CREATE TABLE message_search (
  conversation_id uuid NOT NULL REFERENCES conversations,
  id uuid NOT NULL,
  month date NOT NULL,
  expires_at timestamptz,
  words tsvector NOT NULL,
  PRIMARY KEY (conversation_id, id, month),
  CONSTRAINT message_search_month_check CHECK (month = month_of(id))
) PARTITION BY RANGE (month);
-- Without a list of what is not sorted in yet: each span would read all of it.
CREATE INDEX message_search_words_idx ON message_search USING gin (words) WITH (fastupdate = off);
CREATE INDEX message_search_expires_at_idx ON message_search (expires_at) WHERE expires_at IS NOT NULL;

-- Some thousand messages of a conversation and a month that follow each other. A search goes through spans, the newest
-- first, and stops when it has enough: what it reads is bounded, however often a word occurs.
CREATE TABLE search_spans (
  conversation_id uuid NOT NULL REFERENCES conversations,
  span integer NOT NULL,
  month date NOT NULL,
  first_id uuid NOT NULL,
  last_id uuid NOT NULL,
  PRIMARY KEY (conversation_id, span, month)
) WITH (fillfactor = 80);

-- How far a conversation has been read into the index: everything up to `id`, and of what was there when this began
-- everything above `behind`.
CREATE TABLE search_positions (
  conversation_id uuid PRIMARY KEY REFERENCES conversations,
  language text NOT NULL,
  id uuid NOT NULL,
  behind uuid
) WITH (fillfactor = 60);
CREATE INDEX search_positions_behind_idx ON search_positions (conversation_id) WHERE behind IS NOT NULL;

-- `updated_at` is that of the row it was made of: where they differ it is made anew.
CREATE TABLE room_search (
  conversation_id uuid PRIMARY KEY REFERENCES conversations ON DELETE CASCADE,
  name text NOT NULL,
  words tsvector NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX room_search_name_idx ON room_search (name text_pattern_ops);
CREATE INDEX room_search_name_trgm_idx ON room_search USING gin (name gin_trgm_ops);
CREATE INDEX room_search_words_idx ON room_search USING gin (words);

CREATE TABLE account_search (
  account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  username text NOT NULL,
  name text NOT NULL,
  words tsvector NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX account_search_username_idx ON account_search (username text_pattern_ops);
CREATE INDEX account_search_name_idx ON account_search (name text_pattern_ops);
CREATE INDEX account_search_trgm_idx ON account_search USING gin (username gin_trgm_ops, name gin_trgm_ops);
CREATE INDEX account_search_words_idx ON account_search USING gin (words);

COMMENT ON TABLE message_search IS 'What is found of messages that the server can read, written after their commit; a month per partition.';
COMMENT ON COLUMN message_search.conversation_id IS 'Where it was said.';
COMMENT ON COLUMN message_search.id IS 'The message.';
COMMENT ON COLUMN message_search.month IS 'The month of its id.';
COMMENT ON COLUMN message_search.expires_at IS 'When the row goes, with the message.';
COMMENT ON COLUMN message_search.words IS 'Words with their places, stems, and marks that begin with a slash: span, author, what it has, beginnings of words.';
COMMENT ON TABLE search_spans IS 'Messages of one conversation and month that follow each other: a search goes through spans, the newest first.';
COMMENT ON COLUMN search_spans.conversation_id IS 'Whose messages.';
COMMENT ON COLUMN search_spans.span IS 'Counts up with the messages'' ordinals.';
COMMENT ON COLUMN search_spans.month IS 'The month of its messages: a span that reaches over its end has two rows.';
COMMENT ON COLUMN search_spans.first_id IS 'The oldest message that was read into it.';
COMMENT ON COLUMN search_spans.last_id IS 'The newest.';
COMMENT ON TABLE search_positions IS 'How far each conversation has been read into the index.';
COMMENT ON COLUMN search_positions.conversation_id IS 'The conversation; its row is locked by who reads it.';
COMMENT ON COLUMN search_positions.language IS 'By whose rules its words are being stemmed.';
COMMENT ON COLUMN search_positions.id IS 'Everything up to this entry was read.';
COMMENT ON COLUMN search_positions.behind IS 'Of what was there before, everything up to this entry is still to be read, the newest first; NULL: nothing.';
COMMENT ON TABLE room_search IS 'What is found of rooms and channels that the server can read.';
COMMENT ON COLUMN room_search.conversation_id IS 'The room.';
COMMENT ON COLUMN room_search.name IS 'Its name, folded.';
COMMENT ON COLUMN room_search.words IS 'Words of its name (weight A), topic and description (B).';
COMMENT ON COLUMN room_search.updated_at IS 'Of the conversation when it was read.';
COMMENT ON TABLE account_search IS 'What is found of people by name; addresses and numbers are not in it.';
COMMENT ON COLUMN account_search.account_id IS 'The account.';
COMMENT ON COLUMN account_search.username IS 'The user name, folded.';
COMMENT ON COLUMN account_search.name IS 'The display name, folded.';
COMMENT ON COLUMN account_search.words IS 'Words of both names (weight A) and of what people say of themselves (B).';
COMMENT ON COLUMN account_search.updated_at IS 'Of the account when it was read.';

-- The months of message_search, as make_months makes those of the log.
CREATE FUNCTION make_search_months(p_from timestamptz, p_months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_month date;
  v_next date;
  v_name text;
  v_made integer := 0;
BEGIN
  FOR v_step IN 0 .. p_months - 1 LOOP
    v_month := (date_trunc('month', p_from AT TIME ZONE 'UTC') + make_interval(months => v_step))::date;
    v_next := (v_month + interval '1 month')::date;
    v_name := 'message_search' || to_char(v_month, '_"y"YYYY"m"MM');
    IF to_regclass(v_name) IS NULL THEN
      IF to_regclass('message_search_last') IS NOT NULL THEN
        ALTER TABLE message_search DETACH PARTITION message_search_last;
      END IF;
      EXECUTE format('CREATE TABLE %I PARTITION OF message_search FOR VALUES FROM (%s) TO (%L)', v_name,
        CASE WHEN EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = 'message_search'::regclass)
             THEN quote_literal(v_month) ELSE 'MINVALUE' END, v_next);
      IF to_regclass('message_search_last') IS NOT NULL THEN
        EXECUTE format('ALTER TABLE message_search ATTACH PARTITION message_search_last FOR VALUES FROM (%L) TO (MAXVALUE)',
          v_next);
      ELSE
        EXECUTE format('CREATE TABLE message_search_last PARTITION OF message_search FOR VALUES FROM (%L) TO (MAXVALUE)',
          v_next);
      END IF;
      v_made := v_made + 1;
    END IF;
  END LOOP;
  RETURN v_made;
END $$;
SELECT make_search_months(now(), 4);

-- The newest messages that answer a question, in one conversation of the asker or in all that the server can read.
-- Spans are looked through in the order of their newest message until none can hold a newer hit than those found: of each
-- conversation the four newest one by one, which find what is frequent, then eight at a time, which find what is rare
-- (the index looks at every hit of a rare word, whichever span it is asked for).
-- p_narrow, for each language, is what the index is asked; p_exact what must hold beside, where that is more.
CREATE FUNCTION search_messages_v1(
  p_account uuid, p_conversation uuid, p_languages text[], p_narrow tsquery[], p_exact tsquery[],
  p_author uuid, p_metadata jsonb, p_after uuid, p_before uuid, p_limit integer
) RETURNS TABLE (o_conversation uuid, o_id uuid)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  v_span record;
  v_place integer;
  v_found uuid[];
  v_ids uuid[] := '{}';
  v_conversations uuid[] := '{}';
  v_floor uuid := p_after;
BEGIN
  FOR v_span IN
    WITH listed AS (
      SELECT s.conversation_id, s.span, s.month, s.first_id, s.last_id, p.language,
             row_number() OVER (PARTITION BY s.conversation_id ORDER BY s.last_id DESC) AS nth
        FROM members b
        JOIN conversations c ON c.conversation_id = b.conversation_id
        JOIN search_positions p ON p.conversation_id = b.conversation_id
        JOIN search_spans s ON s.conversation_id = b.conversation_id
       WHERE b.account_id = p_account AND b.left_at IS NULL AND c.deleted_at IS NULL AND c.encryption_mode = 'server'
         AND (p_conversation IS NULL OR b.conversation_id = p_conversation)
         AND s.first_id < p_before AND s.last_id > p_after
    )
    SELECT l.conversation_id, l.language, l.month, l.last_id, p_before AS upper,
           quote_literal('/s' || left(l.conversation_id::text, 13) || '-' || l.span)::tsquery AS mark
      FROM listed l WHERE l.nth <= 4
    UNION ALL
    SELECT l.conversation_id, l.language, l.month, max(l.last_id::text)::uuid, least(p_before, n.first_id),
           quote_literal('/t' || left(l.conversation_id::text, 13) || '-' || l.span / 8)::tsquery
      FROM listed l
      JOIN (SELECT x.conversation_id, min(x.first_id::text)::uuid AS first_id FROM listed x WHERE x.nth <= 4
             GROUP BY x.conversation_id) n USING (conversation_id)
     WHERE l.nth > 4 GROUP BY l.conversation_id, l.language, l.month, l.span / 8, n.first_id
     ORDER BY 4 DESC
  LOOP
    EXIT WHEN v_span.last_id <= v_floor;
    v_place := array_position(p_languages, v_span.language);
    SELECT array_agg(x.id ORDER BY x.id DESC) INTO v_found FROM (
      SELECT t.id
        FROM (SELECT i.id FROM message_search i
               WHERE i.month = v_span.month
                 AND i.words @@ (p_narrow[v_place] && v_span.mark)
                 AND (p_exact[v_place] IS NULL OR ts_match_vq(i.words, p_exact[v_place]))
                 AND (i.id > v_floor) IS TRUE AND (i.id < v_span.upper) IS TRUE
               ORDER BY i.id DESC OFFSET 0) t
       CROSS JOIN LATERAL (
               SELECT 1 FROM messages m
                WHERE m.conversation_id = v_span.conversation_id AND m.id = t.id AND m.deletion_id IS NULL
                  AND m.erased_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > statement_timestamp())
                  AND (p_author IS NULL OR m.account_id = p_author)
                  AND (p_metadata IS NULL OR p_metadata <@ (coalesce(
                        (SELECT e.body FROM entries e WHERE e.conversation_id = m.conversation_id AND e.id = m.edit_id),
                        m.content) -> 'metadata'))
                  AND NOT EXISTS (SELECT 1 FROM hidden_messages y WHERE y.account_id = p_account
                                     AND y.conversation_id = m.conversation_id AND y.id = m.id)
                LIMIT 1) AS there
       ORDER BY t.id DESC LIMIT p_limit) x;
    IF v_found IS NOT NULL THEN
      v_ids := v_ids || v_found;
      v_conversations := v_conversations || array_fill(v_span.conversation_id, ARRAY[cardinality(v_found)]);
      IF cardinality(v_ids) >= p_limit THEN
        SELECT array_agg(k.id ORDER BY k.id DESC), array_agg(k.conversation ORDER BY k.id DESC), min(k.id::text)::uuid
          INTO v_ids, v_conversations, v_floor
          FROM (SELECT u.id, u.conversation FROM unnest(v_ids, v_conversations) AS u (id, conversation)
                 ORDER BY u.id DESC LIMIT p_limit) k;
      END IF;
    END IF;
  END LOOP;
  RETURN QUERY SELECT u.conversation, u.id FROM unnest(v_ids, v_conversations) AS u (id, conversation)
                ORDER BY u.id DESC LIMIT p_limit;
END $$;

-- Accounts whose names fit, the best first: the name itself, its beginning, words, similar names. p_name is what was typed
-- as names are folded. A beginning is a range, which a plan that knows no values finds in the index too, as LIKE is not. A
-- slip in a short name leaves few of its trigrams as they were: so the threshold is low, and what is only similar is few,
-- and asked for where little else was found.
CREATE FUNCTION search_people_v1(p_username text, p_name text, p_words tsquery, p_limit integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SET pg_trgm.similarity_threshold = 0.2
AS $$
  WITH fitting AS MATERIALIZED (
    (SELECT s.account_id, 0 AS tier, 0::real AS rank FROM account_search s WHERE s.username = p_username)
    UNION ALL
    (SELECT s.account_id, 1, length(s.username) FROM account_search s
      WHERE s.username ~>=~ p_username AND s.username ~<~ (p_username || chr(1114111))
      ORDER BY length(s.username), s.account_id LIMIT p_limit)
    UNION ALL
    (SELECT s.account_id, 1, length(s.name) FROM account_search s
      WHERE s.name ~>=~ p_name AND s.name ~<~ (p_name || chr(1114111))
      ORDER BY length(s.name), s.account_id LIMIT p_limit)
    UNION ALL
    (SELECT s.account_id, 2, -ts_rank(s.words, p_words) FROM account_search s
      WHERE s.words @@ p_words ORDER BY 3, s.account_id LIMIT p_limit)
  ), similar_ones AS (
    SELECT s.account_id, 3 AS tier, -greatest(similarity(s.username, p_username), similarity(s.name, p_username)) AS rank
      FROM account_search s
     WHERE (SELECT count(*) FROM fitting) < 10 AND (s.username % p_username OR s.name % p_username)
     ORDER BY 3, s.account_id LIMIT 10
  )
  SELECT f.account_id
    FROM (SELECT * FROM fitting UNION ALL SELECT * FROM similar_ones) f
   GROUP BY f.account_id
   ORDER BY min(f.tier), (array_agg(f.rank ORDER BY f.tier, f.rank))[1], f.account_id LIMIT p_limit
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON message_search, search_spans, search_positions, room_search, account_search
  TO aparte_service;
COMMENT ON FUNCTION search_stems(text, text) IS 'Stems of folded words, those that are other words.';
COMMENT ON FUNCTION month_of(uuid) IS 'The month of an entry id, in UTC.';
COMMENT ON FUNCTION make_search_months(timestamptz, integer) IS
  'Makes months of message_search that are missing; for the maintenance role. Gives how many.';
COMMENT ON FUNCTION search_people_v1(text, text, tsquery, integer) IS
  'Accounts whose names fit, the best first; who may see them is decided afterwards.';
COMMENT ON FUNCTION search_messages_v1(uuid, uuid, text[], tsquery[], tsquery[], uuid, jsonb, uuid, uuid, integer) IS
  'The newest messages that answer a question, span by span, as far as the asker may read them.';

GRANT EXECUTE ON FUNCTION search_stems(text, text), month_of(uuid),
  search_people_v1(text, text, tsquery, integer),
  search_messages_v1(uuid, uuid, text[], tsquery[], tsquery[], uuid, jsonb, uuid, uuid, integer) TO aparte_service;

-- migrate:down
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '60s';
DROP FUNCTION search_messages_v1(uuid, uuid, text[], tsquery[], tsquery[], uuid, jsonb, uuid, uuid, integer),
  search_people_v1(text, text, tsquery, integer), make_search_months(timestamptz, integer);
DROP TABLE account_search, room_search, search_positions, search_spans, message_search;
DROP FUNCTION month_of(uuid), search_stems(text, text);
DROP TEXT SEARCH DICTIONARY aparte_english;
DROP TEXT SEARCH DICTIONARY aparte_french;
