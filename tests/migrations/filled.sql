-- A little of everything, as the server would have written it.
INSERT INTO accounts (account_id, username, email, display_name) VALUES
  ('a0000000-0000-4000-8000-000000000001', 'alice', 'alice@example.org', 'Alice'),
  ('a0000000-0000-4000-8000-000000000002', 'bob', 'bob@example.org', 'Bob');
INSERT INTO login_failures (name_key) VALUES (sha256('nobody'));
INSERT INTO account_revs (account_id, rev) SELECT account_id, 1 FROM accounts;
INSERT INTO account_state (account_id, key, value, rev) SELECT account_id, 'profile', '{}', 1 FROM accounts;
INSERT INTO devices (device_id, account_id, name, platform)
  SELECT overlay(account_id::text PLACING 'd' FROM 1 FOR 1)::uuid, account_id, 'phone', 'ios' FROM accounts;
INSERT INTO sessions (session_id, account_id, device_id, refresh_hash, access_id, access_expires_at, expires_at)
  SELECT gen_random_uuid(), account_id, device_id, encode(sha256(device_id::text::bytea), 'hex'), gen_random_uuid(),
         now() + interval '15 minutes', now() + interval '30 days'
    FROM devices;
INSERT INTO device_lists (account_id, version, list, signature, hash)
  SELECT account_id, 1, decode(repeat('11', 162), 'hex'), decode(repeat('22', 64), 'hex'), sha256('list') FROM accounts;
INSERT INTO device_prekeys (device_id, account_id, registration_id, identity, signed_id, signed_key, signed_signature,
                            last_resort_id, last_resort_key, last_resort_signature, one_time_high)
  SELECT device_id, account_id, 1, decode(repeat('05', 33), 'hex'), 1, decode(repeat('05', 33), 'hex'),
         decode(repeat('22', 64), 'hex'), 2, decode(repeat('08', 1569), 'hex'), decode(repeat('22', 64), 'hex'), 3
    FROM devices;
INSERT INTO one_time_prekeys (device_id, is_kem, key_id, key)
  SELECT device_id, false, 3, decode(repeat('05', 33), 'hex') FROM devices;
INSERT INTO device_envelopes (device_id, id, account_id, sender_device_id, payload_id, type, body)
  SELECT device_id, id_now(now()), account_id, device_id, gen_random_uuid(), 2, 'sealed' FROM devices;
INSERT INTO link_offers (offer_id, account_id, device_id, session_id, ip, offer, expires_at)
  SELECT gen_random_uuid(), account_id, device_id, session_id, '192.0.2.7', decode(repeat('00', 1237), 'hex'),
         now() + interval '2 minutes'
    FROM sessions;
INSERT INTO contacts (owner_id, contact_id, nickname)
  VALUES ('a0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000002', 'B.');
INSERT INTO blocks (blocker_id, blocked_id)
  VALUES ('a0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001');
INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, name, name_key, member_count)
  VALUES ('c0000000-0000-4000-8000-000000000001', 'room', 'server', true, 'Salon', 'salon', 2);
INSERT INTO heads (conversation_id) VALUES ('c0000000-0000-4000-8000-000000000001');
INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)
  SELECT 'c0000000-0000-4000-8000-000000000001', account_id, 0, '00000000-0000-0000-0000-000000000000', 0,
         '00000000-0000-0000-0000-000000000000', 0
    FROM accounts;
SELECT * FROM send_v1(
  ARRAY['c0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001']::uuid[],
  ARRAY['a0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000002']::uuid[],
  ARRAY['d0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000002']::uuid[],
  ARRAY[gen_random_uuid(), gen_random_uuid()], ARRAY[1, 2]::bigint[],
  ARRAY['{"text": "salut"}', '{"text": "bonjour"}']::jsonb[], true);
SELECT append_v1('c0000000-0000-4000-8000-000000000001', 3::smallint, 'a0000000-0000-4000-8000-000000000001', NULL,
                 NULL, seq, id, '{"on": true}')
  FROM messages WHERE seq = 1;
INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, member_count)
  VALUES ('c0000000-0000-8000-8000-000000000002', 'direct', 'e2ee', false, 2);
INSERT INTO heads (conversation_id, epoch, roster)
  VALUES ('c0000000-0000-8000-8000-000000000002', 1, sha256('roster'));
INSERT INTO epochs (conversation_id, epoch, roster, seq) SELECT conversation_id, 1, roster, 1 FROM heads WHERE epoch = 1;
INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)
  SELECT 'c0000000-0000-8000-8000-000000000002', account_id, 0, '00000000-0000-0000-0000-000000000000', 0,
         '00000000-0000-0000-0000-000000000000', 0
    FROM accounts;
-- a group of both, made by one statement that stands for two, with a link
INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, member_count, max_members)
  VALUES ('c0000000-0000-8000-8000-000000000003', 'group', 'e2ee', false, 2, 500);
INSERT INTO heads (conversation_id) VALUES ('c0000000-0000-8000-8000-000000000003');
INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal, statement,
                     account_key, list_version)
  SELECT 'c0000000-0000-8000-8000-000000000003', account_id, 0, '00000000-0000-0000-0000-000000000000', 0,
         '00000000-0000-0000-0000-000000000000', 0, 1, decode(repeat('05', 33), 'hex'), 1
    FROM accounts;
SELECT append_statements_v1('c0000000-0000-8000-8000-000000000003',
  ARRAY['a0000000-0000-4000-8000-000000000001']::uuid[], ARRAY['d0000000-0000-4000-8000-000000000001']::uuid[],
  ARRAY['{"epoch": 0}']::jsonb[], 1, sha256('roster'), '', '', false);
INSERT INTO statements (conversation_id, number, statement, signature, epoch)
  VALUES ('c0000000-0000-8000-8000-000000000003', 1, decode(repeat('33', 165), 'hex'), decode(repeat('22', 64), 'hex'),
          1);
INSERT INTO memberships (conversation_id, number, hash, policy)
  VALUES ('c0000000-0000-8000-8000-000000000003', 1, sha256('statement'), 2);
INSERT INTO invite_links (conversation_id, link_id, link_key, account_id, role, expires, uses, used, token_hash, card)
  VALUES ('c0000000-0000-8000-8000-000000000003', decode(repeat('44', 16), 'hex'), decode(repeat('05', 33), 'hex'),
          'a0000000-0000-4000-8000-000000000001', 'member', 0, 5, 0, sha256('token'), '\x41');
-- a sealed message and an edit of it, chained
SELECT send_v2(
  ARRAY[c, c], ARRAY[a, a], ARRAY[d, d], ARRAY[gen_random_uuid(), gen_random_uuid()], ARRAY[1, 2]::bigint[],
  ARRAY[NULL, NULL]::jsonb[], ARRAY[1, 2]::smallint[], ARRAY[s, s], ARRAY[1, 1]::bigint[], ARRAY[r, r],
  ARRAY[1, 2]::bigint[], ARRAY[decode(repeat('00', 32), 'hex'), sha256('1')], ARRAY[sha256('1'), sha256('2')],
  ARRAY[NULL, NULL]::uuid[], ARRAY[true, true], ARRAY['\x00', '\x00']::bytea[], ARRAY[NULL, 1]::bigint[],
  ARRAY[NULL, gen_random_uuid()]::uuid[], ARRAY[NULL, sha256('1')], ARRAY[NULL, NULL]::bytea[],
  ARRAY[NULL, NULL]::boolean[], true)
  FROM (VALUES ('c0000000-0000-8000-8000-000000000002'::uuid, 'a0000000-0000-4000-8000-000000000001'::uuid,
                'd0000000-0000-4000-8000-000000000001'::uuid, decode(repeat('00', 192), 'hex'), sha256('roster')))
       AS v (c, a, d, s, r);
INSERT INTO hidden_messages (account_id, conversation_id, id, ordinal)
  SELECT 'a0000000-0000-4000-8000-000000000002', conversation_id, id, ordinal FROM messages WHERE seq = 2;
INSERT INTO receipts (conversation_id, kind, device_id, up_to_seq)
  VALUES ('c0000000-0000-4000-8000-000000000001', 'read', 'd0000000-0000-4000-8000-000000000001', 2);
INSERT INTO audit_entries (event, account_id) VALUES ('registered', 'a0000000-0000-4000-8000-000000000001');
INSERT INTO pgqueuer (priority, status, entrypoint, payload) VALUES (0, 'queued', 'nothing', '{}');
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint) VALUES (1, 'queued', 0, 'nothing');
INSERT INTO pgqueuer_schedules (expression, entrypoint) VALUES ('* * * * *', 'nothing');
INSERT INTO pgqueuer_statistics (count, priority, status, entrypoint) VALUES (1, 0, 'successful', 'nothing');
INSERT INTO objects (conversation_id, object_id, account_id, blob_id, size, sha256)
  VALUES ('c0000000-0000-8000-8000-000000000002', gen_random_uuid(), 'a0000000-0000-4000-8000-000000000001',
          gen_random_uuid(), 1, sha256('1'));
-- a chain of a device, what another device has of it and waits for, and the key of an entry for all who have it
INSERT INTO sender_chains (conversation_id, device_id, chain_id, complete)
  VALUES ('c0000000-0000-8000-8000-000000000002', 'd0000000-0000-4000-8000-000000000001', 7, 1);
INSERT INTO distributions (conversation_id, sender_device_id, chain_id, device_id, id, epoch, type, body, seq)
  SELECT 'c0000000-0000-8000-8000-000000000002', 'd0000000-0000-4000-8000-000000000001', chain,
         'd0000000-0000-4000-8000-000000000002', id_now(now()), 1, 3, 'sealed', seq
    FROM (VALUES (7, 3), (8, NULL)) AS v (chain, seq);
INSERT INTO message_key_sets (conversation_id, seq, id, group_key)
  VALUES ('c0000000-0000-8000-8000-000000000002', 3, id_now(now()), 'sealed');
-- a link into the room
INSERT INTO invites (conversation_id, invite_id, token_hash, account_id, role, uses, used)
  VALUES ('c0000000-0000-4000-8000-000000000001', 'e0000000-0000-4000-8000-000000000001', sha256('room token'),
          'a0000000-0000-4000-8000-000000000001', 'member', 5, 1);
-- what one has set for oneself, and a request of the other one
INSERT INTO preferences (account_id, conversation_id, level, muted_until, is_pinned, labels, settings)
  VALUES ('a0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001', 'mentions',
          now() + interval '1 hour', true, '{work}', '{"theme": "dark"}');
INSERT INTO contact_requests (requester_id, addressee_id, status, decided_at)
  VALUES ('a0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', 'declined', now());
-- a role of the salon that its second member has, who is silenced and goes by another name there
INSERT INTO conversation_roles (conversation_id, role_id, name, permissions, colour, is_default)
  VALUES ('c0000000-0000-4000-8000-000000000001', 'e0000000-0000-4000-8000-000000000001', 'Guests', '{"react": false}',
          '#00ff00', true);
UPDATE members SET role_id = 'e0000000-0000-4000-8000-000000000001', overrides = '{"post": false}', cannot_post = true,
                   silenced_until = now() + interval '1 day', silenced_by = 'a0000000-0000-4000-8000-000000000001',
                   silence_reason = 'shouting', nickname = 'Bobby'
 WHERE conversation_id = 'c0000000-0000-4000-8000-000000000001' AND account_id = 'a0000000-0000-4000-8000-000000000002';
-- a reaction, a pin and a thread that one follows
INSERT INTO reactions (conversation_id, message_id, mark, account_id, id)
  SELECT conversation_id, id, convert_to('👍', 'UTF8'), 'a0000000-0000-4000-8000-000000000002', id_now(now())
    FROM messages WHERE conversation_id = 'c0000000-0000-4000-8000-000000000001' AND seq = 2;
INSERT INTO reaction_counts (conversation_id, message_id, mark, first_id, reaction_count)
  SELECT conversation_id, message_id, mark, id, 1 FROM reactions;
INSERT INTO pins (conversation_id, message_id, account_id, id)
  SELECT conversation_id, message_id, account_id, id_now(now()) FROM reactions;
INSERT INTO thread_follows (account_id, conversation_id, root_id, is_following)
  SELECT account_id, conversation_id, message_id, true FROM reactions;
-- an answer in a thread that mentions somebody, is not what was typed, and disappears
SELECT send_v4(
  ARRAY[conversation_id], ARRAY['a0000000-0000-4000-8000-000000000001']::uuid[],
  ARRAY['d0000000-0000-4000-8000-000000000001']::uuid[], ARRAY[gen_random_uuid()], ARRAY[3]::bigint[],
  ARRAY['{"text": "hop @bob"}']::jsonb[], ARRAY[1]::smallint[], ARRAY[NULL]::bytea[], ARRAY[NULL]::bigint[],
  ARRAY[NULL]::bytea[], ARRAY[NULL]::bigint[], ARRAY[NULL]::bytea[], ARRAY[NULL]::bytea[], ARRAY[NULL]::uuid[],
  ARRAY[0]::smallint[], ARRAY[NULL]::bytea[], ARRAY[seq], ARRAY[id], ARRAY[NULL]::bytea[], ARRAY[NULL]::bytea[],
  ARRAY[NULL]::boolean[], ARRAY[NULL]::bytea[], ARRAY[NULL]::bigint[], ARRAY[NULL]::text[], ARRAY[id],
  ARRAY['{' || id || '}'], ARRAY['{a0000000-0000-4000-8000-000000000001}'], ARRAY['<b>hop @bob'], ARRAY[60],
  ARRAY[true], true)
  FROM messages WHERE conversation_id = 'c0000000-0000-4000-8000-000000000001' AND seq = 2;
-- what is found of a message, a room and a person
INSERT INTO message_search (conversation_id, id, month, words)
  SELECT conversation_id, id, month_of(id), '''salut'':1'::tsvector FROM messages WHERE content IS NOT NULL LIMIT 1;
INSERT INTO search_spans (conversation_id, span, month, first_id, last_id)
  SELECT conversation_id, 0, month, id, id FROM message_search;
INSERT INTO search_positions (conversation_id, language, id) SELECT conversation_id, 'fr', id FROM message_search;
INSERT INTO room_search (conversation_id, name, words, updated_at)
  SELECT conversation_id, 'salon', '''salon'':1A', now() FROM message_search;
INSERT INTO account_search (account_id, username, name, words, updated_at)
  VALUES ('a0000000-0000-4000-8000-000000000001', 'alice', 'alice', '''alice'':1A', now());
-- a message for later, another one that is sealed, and a chain that waits with it
INSERT INTO scheduled_messages (scheduled_id, conversation_id, account_id, device_id, client_message_id, digest, due_at,
                                look_at, message)
  VALUES ('f0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001',
          'a0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000001', gen_random_uuid(), 1,
          now() + interval '1 day', now() + interval '1 day', '{"content": {"text": "later"}}');
INSERT INTO scheduled_messages (scheduled_id, conversation_id, account_id, device_id, client_message_id, digest, due_at,
                                look_at, sealed, epoch, roster, chain_id, group_key)
  VALUES ('f0000000-0000-4000-8000-000000000002', 'c0000000-0000-8000-8000-000000000003',
          'a0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000001', gen_random_uuid(), 1,
          now() + interval '1 day', now() + interval '1 day', decode(repeat('00', 192), 'hex'), 1, sha256('roster'), 8,
          'sealed');
UPDATE distributions SET kept_until = now() + interval '2 days' WHERE seq IS NULL;
-- words that are looked for, a message that waits because of one, and a flag
INSERT INTO word_lists (list_id, conversation_id, words)
  VALUES ('c0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001', '[{"text": "spam"}]');
INSERT INTO held_messages (held_id, conversation_id, account_id, device_id, client_message_id, digest, message, words)
  VALUES (id_now(now()), 'c0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000002',
          'd0000000-0000-4000-8000-000000000001', gen_random_uuid(), 1, '{"content": {"text": "spam"}}', '{spam}');
INSERT INTO flags (conversation_id, message_id, account_id, reason)
  SELECT conversation_id, id, 'a0000000-0000-4000-8000-000000000002', 'spam'
    FROM messages WHERE conversation_id = 'c0000000-0000-4000-8000-000000000001' AND seq = 2;
