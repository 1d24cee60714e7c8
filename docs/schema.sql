-- The schema of Aparté with a word on every table, column and function.
--
-- It is not applied: `src/aparte/server/migrations/` are. A test loads it into an empty database, beside the functions
-- of a migrated one, and compares the two catalogs, so it is true. Monthly partitions (`messages_y2026m01` …) and the
-- last ones (`messages_last`, `entries_last`) are made by the functions below and left out here.
--
-- `aparte_service` is what the server may do. Everything belongs to the maintenance role, which migrates.

CREATE EXTENSION pg_trgm;   -- finds rooms by a part of their name
CREATE EXTENSION unaccent;  -- for searches without accents; nothing uses it yet

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO aparte_service;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TYPE account_kind AS ENUM ('person', 'bot', 'system', 'placeholder');
CREATE TYPE audit_severity AS ENUM ('debug', 'info', 'warning', 'error', 'critical');
CREATE TYPE base_role AS ENUM ('owner', 'admin', 'moderator', 'member');
CREATE TYPE conversation_kind AS ENUM ('direct', 'self', 'group', 'room', 'channel');
CREATE TYPE declared_status AS ENUM ('online', 'away', 'offline');
CREATE TYPE device_platform AS ENUM ('ios', 'android', 'web', 'desktop');
CREATE TYPE encryption_mode AS ENUM ('e2ee', 'server');
CREATE TYPE pgqueuer_status AS ENUM ('queued', 'picked', 'successful', 'exception', 'canceled', 'deleted', 'failed');
CREATE TYPE platform_role AS ENUM ('guest', 'user', 'moderator', 'admin');
CREATE TYPE receipt_kind AS ENUM ('delivered', 'read');

-- FUNCTION touch_updated_at() RETURNS trigger
--   Trigger: sets updated_at.
-- FUNCTION id_at(p_ms bigint) RETURNS uuid
--   The smallest UUIDv7 of a millisecond: the border of a month.
-- FUNCTION id_at(p_at timestamp with time zone) RETURNS uuid
--   The smallest UUIDv7 of a moment.
-- FUNCTION id_now(p_now timestamp with time zone) RETURNS uuid
--   A new UUIDv7 of a moment; its low 47 bits are random and count upwards from there.
-- FUNCTION id_after(p_id uuid, p_n bigint) RETURNS uuid
--   The n-th id after another.
-- FUNCTION make_months(p_from timestamp with time zone, p_months integer) RETURNS integer
--   Makes months of messages and entries that are missing; for the maintenance role. Gives how many.
-- FUNCTION send_v1(p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[], p_content jsonb[], p_wait boolean) RETURNS TABLE(o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint)
--   Writes a batch of messages in two statements, lock first: one outcome each (migration 0003 says what they mean).
-- FUNCTION send_v2(p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[], p_content jsonb[], p_kind smallint[], p_sealed bytea[], p_epoch bigint[], p_roster bytea[], p_counter bigint[], p_prev bytea[], p_hash bytea[], p_peer uuid[], p_covered boolean[], p_envelopes bytea[], p_target_seq bigint[], p_target_id uuid[], p_target bytea[], p_tag bytea[], p_on boolean[], p_wait boolean) RETURNS TABLE(o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint, o_known bigint, o_known_hash bytea)
--   The same for readable messages and sealed entries (migration 0008); send_v1 stays for servers of before.
-- FUNCTION send_v3(p_conversation uuid[], p_account uuid[], p_device uuid[], p_client_message uuid[], p_digest bigint[], p_content jsonb[], p_kind smallint[], p_sealed bytea[], p_epoch bigint[], p_roster bytea[], p_counter bigint[], p_prev bytea[], p_hash bytea[], p_peer uuid[], p_uncovered smallint[], p_envelopes bytea[], p_target_seq bigint[], p_target_id uuid[], p_target bytea[], p_tag bytea[], p_on boolean[], p_group_key bytea[], p_chain bigint[], p_commits text[], p_wait boolean) RETURNS TABLE(o_outcome smallint, o_id uuid, o_seq bigint, o_ordinal bigint, o_known bigint, o_known_hash bytea, o_commits boolean)
--   The same also for groups: group keys, chains, and the distributions they commit (migration 0013); send_v2 stays too.
-- FUNCTION raise_epochs_v1(p_conversation uuid[], p_roster bytea[], p_kind smallint, p_account uuid, p_device uuid, p_body jsonb) RETURNS TABLE(o_conversation uuid, o_id uuid, o_seq bigint, o_epoch bigint)
--   Begins the next epoch of many conversations, with an entry in each; SQLSTATE AP001 as append_v1.
-- FUNCTION raise_epochs_v2(p_conversation uuid[], p_roster bytea[], p_changed bytea, p_added bytea, p_has_removed boolean, p_kind smallint, p_account uuid, p_device uuid, p_body jsonb) RETURNS TABLE(o_conversation uuid, o_id uuid, o_seq bigint, o_epoch bigint)
--   The same, and what is different from the epoch before; raise_epochs_v1 stays for servers of before.
-- FUNCTION append_statements_v1(p_conversation uuid, p_account uuid[], p_device uuid[], p_body jsonb[], p_statement bigint, p_roster bytea, p_changed bytea, p_added bytea, p_has_removed boolean) RETURNS TABLE(o_id uuid, o_seq bigint, o_epoch bigint)
--   Appends membership statements, the last of which begins the next epoch; SQLSTATE AP001 as append_v1.
-- FUNCTION erase_envelopes_v1(p_conversation uuid[], p_after bigint[], p_up_to bigint[]) RETURNS bigint
--   Erases the envelopes of ranges that nobody waits for any more; gives how many sets went.
-- FUNCTION forget_distributions_v1(p_conversation uuid[], p_device uuid[], p_up_to bigint[]) RETURNS bigint
--   Forgets the distributions that their devices have acknowledged; gives how many went.
-- FUNCTION erase_group_keys_v1(p_conversation uuid[], p_dormant interval) RETURNS bigint
--   Erases the group keys that every device has, and distributions for devices that cannot read any more.
-- FUNCTION append_v1(p_conversation uuid, p_kind smallint, p_account uuid, p_device uuid, p_client_message uuid, p_target_seq bigint, p_target uuid, p_body jsonb) RETURNS TABLE(o_id uuid, o_seq bigint)
--   Gives the next position to an entry of another kind; SQLSTATE AP001 when the clock is a day behind the log.
-- FUNCTION refuse_change() RETURNS trigger
--   Trigger: the audit trail is append-only.
-- FUNCTION make_audit_months(p_from timestamp with time zone, p_months integer) RETURNS integer
--   Makes months of audit_entries that are missing; for the maintenance role. Gives how many.
-- FUNCTION fn_pgqueuer_changed() RETURNS trigger
--   Trigger of PgQueuer: NOTIFY when jobs change.

GRANT EXECUTE ON FUNCTION append_v1(uuid,smallint,uuid,uuid,uuid,bigint,uuid,jsonb) TO aparte_service;
GRANT EXECUTE ON FUNCTION erase_envelopes_v1(uuid[],bigint[],bigint[]) TO aparte_service;
GRANT EXECUTE ON FUNCTION erase_group_keys_v1(uuid[],interval) TO aparte_service;
GRANT EXECUTE ON FUNCTION forget_distributions_v1(uuid[],uuid[],bigint[]) TO aparte_service;
GRANT EXECUTE ON FUNCTION id_after(uuid,bigint) TO aparte_service;
GRANT EXECUTE ON FUNCTION id_at(bigint) TO aparte_service;
GRANT EXECUTE ON FUNCTION id_at(timestamp with time zone) TO aparte_service;
GRANT EXECUTE ON FUNCTION id_now(timestamp with time zone) TO aparte_service;
GRANT EXECUTE ON FUNCTION append_statements_v1(uuid,uuid[],uuid[],jsonb[],bigint,bytea,bytea,bytea,boolean) TO aparte_service;
GRANT EXECUTE ON FUNCTION raise_epochs_v1(uuid[],bytea[],smallint,uuid,uuid,jsonb) TO aparte_service;
GRANT EXECUTE ON FUNCTION raise_epochs_v2(uuid[],bytea[],bytea,bytea,boolean,smallint,uuid,uuid,jsonb) TO aparte_service;
GRANT EXECUTE ON FUNCTION send_v2(uuid[],uuid[],uuid[],uuid[],bigint[],jsonb[],smallint[],bytea[],bigint[],bytea[],bigint[],bytea[],bytea[],uuid[],boolean[],bytea[],bigint[],uuid[],bytea[],bytea[],boolean[],boolean) TO aparte_service;
GRANT EXECUTE ON FUNCTION send_v3(uuid[],uuid[],uuid[],uuid[],bigint[],jsonb[],smallint[],bytea[],bigint[],bytea[],bigint[],bytea[],bytea[],uuid[],smallint[],bytea[],bigint[],uuid[],bytea[],bytea[],boolean[],bytea[],bigint[],text[],boolean) TO aparte_service;
GRANT EXECUTE ON FUNCTION send_v1(uuid[],uuid[],uuid[],uuid[],bigint[],jsonb[],boolean) TO aparte_service;
GRANT EXECUTE ON FUNCTION touch_updated_at() TO aparte_service;

-- One row: which history of the log this is. Restoring a backup or promoting a standby renews it, so that markers
-- given out before are not trusted.
CREATE TABLE log_generation (
  only_row boolean NOT NULL DEFAULT true,  -- Always true: there is one row.
  generation uuid NOT NULL DEFAULT gen_random_uuid(),  -- Part of every marker.
  CONSTRAINT log_generation_pkey PRIMARY KEY (only_row),
  CONSTRAINT log_generation_only_row_check CHECK (only_row)
);
GRANT SELECT ON log_generation TO aparte_service;

-- Who there is: people, bots, the system's own account, and placeholders of deleted accounts. Owned by the slice
-- accounts.
CREATE TABLE accounts (
  account_id uuid NOT NULL,  -- UUIDv4, made by the client.
  kind account_kind NOT NULL DEFAULT 'person'::account_kind,  -- Only a person has a password.
  username text NOT NULL,  -- Unique whatever its case; never contains a colon.
  email text,  -- Unique whatever its case; a person has an e-mail address, a phone number or both.
  phone text,  -- E.164; unique.
  display_name text NOT NULL,  -- What others see; NFC, nothing invisible in it.
  bio text,  -- A few lines about oneself.
  avatar_url text,  -- Address of a picture.
  status_text text,  -- A line under the name.
  time_zone text DEFAULT 'UTC'::text,  -- IANA name.
  language text NOT NULL DEFAULT 'fr'::text,  -- BCP 47.
  role platform_role NOT NULL DEFAULT 'user'::platform_role,  -- On the whole platform; roles in a conversation are in members.
  status declared_status NOT NULL DEFAULT 'online'::declared_status,  -- What the person declares; offline means invisible.
  privacy jsonb NOT NULL DEFAULT '{}'::jsonb,  -- Who may write, see when and whether I was here; missing keys mean everyone.
  is_active boolean NOT NULL DEFAULT true,  -- False: closed; no session opens.
  is_verified boolean NOT NULL DEFAULT false,  -- Somebody has checked who this is.
  is_suspended boolean NOT NULL DEFAULT false,  -- True: no session opens either.
  password_hash text,  -- Argon2id, or bcrypt from an import until the next login.
  failed_login_attempts integer NOT NULL DEFAULT 0,  -- Since the last success or lock.
  lock_count integer NOT NULL DEFAULT 0,  -- Locks in a row: each lasts longer than the one before.
  locked_until timestamptz,  -- No login before this moment, whatever the password.
  last_login_at timestamptz,  -- When a session was last opened.
  last_seen_at timestamptz,  -- When a socket was last active; shown as far as privacy allows.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was registered.
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When the profile last changed; logins do not count.
  deleted_at timestamptz,  -- When it became a placeholder.
  CONSTRAINT accounts_pkey PRIMARY KEY (account_id),
  CONSTRAINT accounts_avatar_url_check CHECK ((length(avatar_url) <= 500)),
  CONSTRAINT accounts_bio_check CHECK ((length(bio) <= 1000)),
  CONSTRAINT accounts_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 100))),
  CONSTRAINT accounts_email_check CHECK (((length(email) <= 255) AND (email ~* '^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$'::text))),
  CONSTRAINT accounts_failed_login_attempts_check CHECK ((failed_login_attempts >= 0)),
  CONSTRAINT accounts_language_check CHECK ((length(language) <= 10)),
  CONSTRAINT accounts_lock_count_check CHECK ((lock_count >= 0)),
  CONSTRAINT accounts_password_hash_check CHECK ((length(password_hash) <= 255)),
  CONSTRAINT accounts_phone_check CHECK ((phone ~ '^\+[0-9]{6,15}$'::text)),
  CONSTRAINT accounts_reachable_check CHECK (((kind <> 'person'::account_kind) OR (email IS NOT NULL) OR (phone IS NOT NULL))),
  CONSTRAINT accounts_status_text_check CHECK ((length(status_text) <= 200)),
  CONSTRAINT accounts_time_zone_check CHECK ((length(time_zone) <= 50)),
  CONSTRAINT accounts_username_check CHECK ((username ~ '^[A-Za-z0-9_-]{3,50}$'::text))
) WITH (fillfactor=80);
CREATE UNIQUE INDEX accounts_email_key ON accounts USING btree (lower(email)) WHERE (email IS NOT NULL);
CREATE UNIQUE INDEX accounts_phone_key ON accounts USING btree (phone) WHERE (phone IS NOT NULL);
CREATE INDEX accounts_role_idx ON accounts USING btree (role) WHERE (role <> 'user'::platform_role);
CREATE UNIQUE INDEX accounts_username_key ON accounts USING btree (lower(username));
CREATE TRIGGER accounts_updated_at_trigger BEFORE UPDATE OF username, email, phone, display_name, bio, avatar_url, status_text, time_zone, language, role, status, privacy, is_active, is_verified, is_suspended ON accounts FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
GRANT INSERT, SELECT, UPDATE ON accounts TO aparte_service;

-- Guesses at names that nobody has, counted like guesses at accounts, so that a lock does not tell which names exist.
-- Owned by the slice accounts.
CREATE TABLE login_failures (
  name_key bytea NOT NULL,  -- A MAC of the name under the server's key: people type passwords into the wrong field.
  failed_login_attempts integer NOT NULL DEFAULT 0,  -- As in accounts.
  lock_count integer NOT NULL DEFAULT 0,  -- As in accounts.
  locked_until timestamptz,  -- As in accounts.
  tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- The newest guess; rows are forgotten by it.
  CONSTRAINT login_failures_pkey PRIMARY KEY (name_key),
  CONSTRAINT login_failures_failed_login_attempts_check CHECK ((failed_login_attempts >= 0)),
  CONSTRAINT login_failures_lock_count_check CHECK ((lock_count >= 0)),
  CONSTRAINT login_failures_name_key_check CHECK ((length(name_key) = 32))
) WITH (fillfactor=80);
CREATE INDEX login_failures_tried_at_idx ON login_failures USING btree (tried_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON login_failures TO aparte_service;

-- One row per account: the lock under which its state gets revisions. Owned by the slice state.
CREATE TABLE account_revs (
  account_id uuid NOT NULL,  -- Whose.
  rev bigint NOT NULL DEFAULT 0,  -- The newest revision given.
  xid bigint NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint,  -- Transaction of the newest change: how other nodes find what they were not told of.
  CONSTRAINT account_revs_pkey PRIMARY KEY (account_id),
  CONSTRAINT account_revs_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE
) WITH (fillfactor=60);
CREATE INDEX account_revs_xid_idx ON account_revs USING btree (xid);
GRANT INSERT, SELECT, UPDATE ON account_revs TO aparte_service;

-- What one's own devices must see: the latest value of each key. Owned by the slice state.
CREATE TABLE account_state (
  account_id uuid NOT NULL,  -- Whose.
  key text NOT NULL,  -- As `profile`, `contact:<id>`, `membership:<conversation>`.
  value jsonb,  -- NULL: the key is gone.
  rev bigint NOT NULL,  -- Grows by one per change of the account.
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was put.
  CONSTRAINT account_state_pkey PRIMARY KEY (account_id, key),
  CONSTRAINT account_state_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT account_state_key_check CHECK (((length(key) >= 1) AND (length(key) <= 100)))
) WITH (fillfactor=80);
CREATE INDEX account_state_rev_idx ON account_state USING btree (account_id, rev);
GRANT INSERT, SELECT, UPDATE ON account_state TO aparte_service;

-- Where an account is used. Owned by the slice devices.
CREATE TABLE devices (
  device_id uuid NOT NULL,  -- UUIDv4, made and kept by the device.
  account_id uuid NOT NULL,  -- For ever the same.
  name text NOT NULL,  -- As its owner calls it.
  platform device_platform NOT NULL,  -- What it runs on.
  is_active boolean NOT NULL DEFAULT true,  -- False: revoked.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was registered.
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was renamed or revoked.
  last_active_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it last opened or refreshed a session.
  is_listed boolean NOT NULL DEFAULT true,  -- On the account's newest device list, or the account has none yet.
  linked_at timestamptz,  -- When another device admitted it; a first device has none.
  CONSTRAINT devices_pkey PRIMARY KEY (device_id),
  CONSTRAINT devices_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT devices_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
) WITH (fillfactor=80);
CREATE INDEX devices_account_id_idx ON devices USING btree (account_id, is_active);
CREATE TRIGGER devices_updated_at_trigger BEFORE UPDATE OF name, platform, is_active ON devices FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
GRANT INSERT, SELECT, UPDATE ON devices TO aparte_service;

-- Every version of every account's signed device list; never changed, never removed. Owned by the slice keys.
CREATE TABLE device_lists (
  account_id uuid NOT NULL,  -- Whose devices.
  version bigint NOT NULL,  -- 1, 2, 3 … without gaps.
  list bytea NOT NULL,  -- The signed bytes: 108 and 54 for each device.
  signature bytea NOT NULL,  -- XEdDSA by the account key that the list names.
  previous_signature bytea,  -- By the account key before, if this version brings another one.
  hash bytea NOT NULL,  -- SHA-256 of `list`, which the next version names.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was stored.
  CONSTRAINT device_lists_pkey PRIMARY KEY (account_id, version),
  CONSTRAINT device_lists_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT device_lists_hash_check CHECK ((length(hash) = 32)),
  CONSTRAINT device_lists_list_check CHECK (((length(list) >= 108) AND (length(list) <= 1836))),
  CONSTRAINT device_lists_previous_signature_check CHECK ((length(previous_signature) = 64)),
  CONSTRAINT device_lists_signature_check CHECK ((length(signature) = 64)),
  CONSTRAINT device_lists_version_check CHECK ((version > 0))
);
GRANT INSERT, SELECT ON device_lists TO aparte_service;

-- What a device has published to begin sessions with it. Public keys alone. Owned by the slice keys.
CREATE TABLE device_prekeys (
  device_id uuid NOT NULL,  -- Whose.
  account_id uuid NOT NULL,  -- Its account.
  registration_id integer NOT NULL,  -- Made with the identity; fixed at the first upload.
  identity bytea NOT NULL,  -- 05 and the X25519 key that signs the others; fixed at the first upload.
  signed_id bigint NOT NULL,  -- Number of the signed prekey.
  signed_key bytea NOT NULL,  -- The signed prekey, renewed every 7 days.
  signed_signature bytea NOT NULL,  -- XEdDSA by the identity.
  last_resort_id bigint NOT NULL,  -- Number of the last-resort Kyber prekey.
  last_resort_key bytea NOT NULL,  -- The Kyber-1024 prekey for when no one-time one is left.
  last_resort_signature bytea NOT NULL,  -- XEdDSA by the identity.
  one_time_high bigint NOT NULL DEFAULT 0,  -- Highest number of a one-time X25519 prekey that was ever stored.
  one_time_kem_high bigint NOT NULL DEFAULT 0,  -- The same of one-time Kyber prekeys.
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When something was published last.
  CONSTRAINT device_prekeys_pkey PRIMARY KEY (device_id),
  CONSTRAINT device_prekeys_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT device_prekeys_device_id_fkey FOREIGN KEY (device_id) REFERENCES devices(device_id) ON DELETE CASCADE,
  CONSTRAINT device_prekeys_identity_check CHECK ((length(identity) = 33)),
  CONSTRAINT device_prekeys_last_resort_key_check CHECK ((length(last_resort_key) = 1569)),
  CONSTRAINT device_prekeys_last_resort_signature_check CHECK ((length(last_resort_signature) = 64)),
  CONSTRAINT device_prekeys_registration_id_check CHECK (((registration_id >= 1) AND (registration_id <= 16380))),
  CONSTRAINT device_prekeys_signed_key_check CHECK ((length(signed_key) = 33)),
  CONSTRAINT device_prekeys_signed_signature_check CHECK ((length(signed_signature) = 64))
) WITH (fillfactor=80);
CREATE INDEX device_prekeys_account_id_idx ON device_prekeys USING btree (account_id);
GRANT DELETE, INSERT, SELECT, UPDATE ON device_prekeys TO aparte_service;

-- One-time prekeys in stock: handing one out deletes it, and a number up to the high mark never comes back.
-- Owned by the slice keys.
CREATE TABLE one_time_prekeys (
  device_id uuid NOT NULL,  -- Whose.
  is_kem boolean NOT NULL,  -- A Kyber-1024 key; else X25519.
  key_id bigint NOT NULL,  -- Number given by the device.
  key bytea NOT NULL,  -- The public key with its type byte.
  signature bytea,  -- XEdDSA by the identity; of Kyber keys alone.
  CONSTRAINT one_time_prekeys_pkey PRIMARY KEY (device_id, is_kem, key_id),
  CONSTRAINT one_time_prekeys_check CHECK ((length(key) = CASE WHEN is_kem THEN 1569 ELSE 33 END)),
  CONSTRAINT one_time_prekeys_device_id_fkey FOREIGN KEY (device_id) REFERENCES devices(device_id) ON DELETE CASCADE,
  CONSTRAINT one_time_prekeys_signature_check CHECK ((length(signature) = 64)),
  CONSTRAINT one_time_prekeys_signed_check CHECK (((signature IS NOT NULL) = is_kem))
);
GRANT DELETE, INSERT, SELECT, UPDATE ON one_time_prekeys TO aparte_service;

-- Pairwise messages that belong to no entry, until their device acknowledges them; 60 days at most.
-- Owned by the slice keys.
CREATE TABLE device_envelopes (
  device_id uuid NOT NULL,  -- For whom.
  id uuid NOT NULL,  -- UUIDv7 given by the server: their order.
  account_id uuid NOT NULL,  -- Whose device sent it.
  sender_device_id uuid NOT NULL,  -- From which device.
  payload_id uuid NOT NULL,  -- Made by the sender, so that a repeat is stored once.
  type smallint NOT NULL,  -- 2 a message of a session, 3 its first.
  body bytea NOT NULL,  -- Encrypted for that device alone.
  CONSTRAINT device_envelopes_pkey PRIMARY KEY (device_id, id),
  CONSTRAINT device_envelopes_payload_key UNIQUE (device_id, sender_device_id, payload_id),
  CONSTRAINT device_envelopes_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT device_envelopes_body_check CHECK (((length(body) >= 1) AND (length(body) <= 16384))),
  CONSTRAINT device_envelopes_device_id_fkey FOREIGN KEY (device_id) REFERENCES devices(device_id) ON DELETE CASCADE,
  CONSTRAINT device_envelopes_type_check CHECK ((type = ANY (ARRAY[2, 3])))
);
CREATE INDEX device_envelopes_account_id_idx ON device_envelopes USING btree (account_id);
CREATE INDEX device_envelopes_id_idx ON device_envelopes USING btree (id);
GRANT DELETE, INSERT, SELECT, UPDATE ON device_envelopes TO aparte_service;

-- A login on a device. Tokens are derived from (session, generation) with the server's key: only a hash and an id are
-- here. Owned by the slice sessions.
CREATE TABLE sessions (
  session_id uuid NOT NULL,  -- UUIDv4; known to its owner alone.
  account_id uuid NOT NULL,  -- Who logged in.
  device_id uuid NOT NULL,  -- Where; one open session per device.
  generation integer NOT NULL DEFAULT 1,  -- How often the refresh token was exchanged, plus one.
  refresh_hash text NOT NULL,  -- SHA-256 of the refresh token in force, in hexadecimal.
  previous_refresh_hash text,  -- Of the one before: within the grace it is answered again, later it ends the session.
  rotated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When the refresh token was last exchanged.
  access_id uuid NOT NULL,  -- Id of the access token in force.
  access_expires_at timestamptz NOT NULL,  -- When that token ends.
  ip text,  -- Where the login came from; only here and in the audit trail.
  user_agent text,  -- What program it came from.
  is_active boolean NOT NULL DEFAULT true,  -- False: logged out, revoked or found stolen.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was opened.
  last_active_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When its tokens were last exchanged.
  expires_at timestamptz NOT NULL,  -- When it ends if nothing exchanges its tokens.
  CONSTRAINT sessions_pkey PRIMARY KEY (session_id),
  CONSTRAINT sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT sessions_device_id_fkey FOREIGN KEY (device_id) REFERENCES devices(device_id) ON DELETE CASCADE,
  CONSTRAINT sessions_expires_at_check CHECK ((expires_at > created_at)),
  CONSTRAINT sessions_generation_check CHECK ((generation > 0)),
  CONSTRAINT sessions_previous_refresh_hash_check CHECK ((length(previous_refresh_hash) = 64)),
  CONSTRAINT sessions_refresh_hash_check CHECK ((length(refresh_hash) = 64)),
  CONSTRAINT sessions_user_agent_check CHECK ((length(user_agent) <= 300))
) WITH (fillfactor=80);
CREATE INDEX sessions_account_id_idx ON sessions USING btree (account_id) WHERE is_active;
CREATE INDEX sessions_device_id_idx ON sessions USING btree (device_id);
CREATE INDEX sessions_expires_at_idx ON sessions USING btree (expires_at);
CREATE INDEX sessions_previous_refresh_hash_idx ON sessions USING btree (previous_refresh_hash);
CREATE UNIQUE INDEX sessions_refresh_hash_key ON sessions USING btree (refresh_hash);
GRANT DELETE, INSERT, SELECT, UPDATE ON sessions TO aparte_service;

-- Offers of new devices to be linked, for two minutes; gone with the session that made them. Owned by the slice linking.
CREATE TABLE link_offers (
  offer_id uuid NOT NULL,  -- Made by the new device, which shows it.
  account_id uuid NOT NULL,  -- Whose list it wants to be on.
  device_id uuid NOT NULL,  -- The new device.
  session_id uuid NOT NULL,  -- Its login, which can do nothing else.
  ip text,  -- Where it asked from, for the eyes of its owner.
  offer bytea NOT NULL,  -- Identity, registration id, device and ML-KEM key.
  answer bytea,  -- What a listed device answered, once; only the new device can use it.
  answered_by uuid,  -- Which device that is; it alone may admit.
  container bytea,  -- What is for the new device, sealed; there once it was admitted.
  list_version bigint,  -- The version of the list that names it first.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When.
  expires_at timestamptz NOT NULL,  -- Two minutes later; ten after the admission.
  CONSTRAINT link_offers_pkey PRIMARY KEY (offer_id),
  CONSTRAINT link_offers_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT link_offers_answered_by_fkey FOREIGN KEY (answered_by) REFERENCES devices(device_id) ON DELETE CASCADE,
  CONSTRAINT link_offers_device_id_fkey FOREIGN KEY (device_id) REFERENCES devices(device_id) ON DELETE CASCADE,
  CONSTRAINT link_offers_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(session_id) ON DELETE CASCADE,
  CONSTRAINT link_offers_admitted_check CHECK ((((container IS NULL) = (list_version IS NULL)) AND ((container IS NULL) OR (answer IS NOT NULL)))),
  CONSTRAINT link_offers_answer_check CHECK ((length(answer) = 1169)),
  CONSTRAINT link_offers_answered_check CHECK (((answer IS NULL) = (answered_by IS NULL))),
  CONSTRAINT link_offers_container_check CHECK (((length(container) >= 1) AND (length(container) <= 262144))),
  CONSTRAINT link_offers_offer_check CHECK ((length(offer) = 1237))
);
CREATE INDEX link_offers_account_id_idx ON link_offers USING btree (account_id);
CREATE INDEX link_offers_answered_by_idx ON link_offers USING btree (answered_by);
CREATE INDEX link_offers_device_id_idx ON link_offers USING btree (device_id);
CREATE INDEX link_offers_expires_at_idx ON link_offers USING btree (expires_at);
CREATE INDEX link_offers_session_id_idx ON link_offers USING btree (session_id);
GRANT DELETE, INSERT, SELECT, UPDATE ON link_offers TO aparte_service;

-- Address books: needs nobody's consent. Owned by the slice contacts.
CREATE TABLE contacts (
  owner_id uuid NOT NULL,  -- Whose book.
  contact_id uuid NOT NULL,  -- Who is in it; never its owner.
  nickname text,  -- As the owner calls them.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When they were added.
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When the nickname changed.
  CONSTRAINT contacts_pkey PRIMARY KEY (owner_id, contact_id),
  CONSTRAINT contacts_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT contacts_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT contacts_nickname_check CHECK ((length(nickname) <= 100)),
  CONSTRAINT contacts_self_check CHECK ((owner_id <> contact_id))
);
CREATE INDEX contacts_contact_id_idx ON contacts USING btree (contact_id);
CREATE TRIGGER contacts_updated_at_trigger BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
GRANT DELETE, INSERT, SELECT, UPDATE ON contacts TO aparte_service;

-- Who does not want to hear of whom: the only truth about blocks. Owned by the slice contacts.
CREATE TABLE blocks (
  blocker_id uuid NOT NULL,  -- Who blocked.
  blocked_id uuid NOT NULL,  -- Who is blocked; never the same.
  reason text,  -- For the blocker alone.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- Since when.
  CONSTRAINT blocks_pkey PRIMARY KEY (blocker_id, blocked_id),
  CONSTRAINT blocks_blocked_id_fkey FOREIGN KEY (blocked_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT blocks_blocker_id_fkey FOREIGN KEY (blocker_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT blocks_reason_check CHECK ((length(reason) <= 500)),
  CONSTRAINT blocks_self_check CHECK ((blocker_id <> blocked_id))
);
CREATE INDEX blocks_blocked_id_idx ON blocks USING btree (blocked_id);
GRANT DELETE, INSERT, SELECT, UPDATE ON blocks TO aparte_service;

-- What conversations are and say of themselves. Owned by the slice conversations.
CREATE TABLE conversations (
  conversation_id uuid NOT NULL,  -- UUIDv4, made by the server; of an e2ee one UUIDv8, following from its members or its first statement.
  kind conversation_kind NOT NULL,  -- direct, self, group, room or channel; channels are not made today.
  encryption_mode encryption_mode NOT NULL,  -- server: the server can read it, and says so.
  is_public boolean NOT NULL,  -- Found in the directory and open to everybody with an account.
  name text,  -- NULL exactly in e2ee ones: what a group is called is sealed.
  name_key text,  -- The name as it is compared, whatever its case; unique among public ones.
  topic text NOT NULL DEFAULT ''::text,  -- One line.
  description text NOT NULL DEFAULT ''::text,  -- Some lines.
  creator_id uuid,  -- NULL once the account is gone.
  max_members integer NOT NULL DEFAULT 1000,  -- Beyond it joining is refused.
  member_count integer NOT NULL DEFAULT 0,  -- Current members, changed with members in one transaction.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it was made.
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When it last changed what it says of itself.
  deleted_at timestamptz,  -- Set: nobody finds it any more.
  CONSTRAINT conversations_pkey PRIMARY KEY (conversation_id),
  CONSTRAINT conversations_creator_id_fkey FOREIGN KEY (creator_id) REFERENCES accounts(account_id) ON DELETE SET NULL,
  CONSTRAINT conversations_description_check CHECK ((length(description) <= 2000)),
  CONSTRAINT conversations_max_members_check CHECK (((max_members >= 1) AND (max_members <= 10000))),
  CONSTRAINT conversations_member_count_check CHECK ((member_count >= 0)),
  CONSTRAINT conversations_mode_check CHECK (((kind = ANY (ARRAY['room'::conversation_kind, 'channel'::conversation_kind])) OR (encryption_mode = 'e2ee'::encryption_mode))),
  CONSTRAINT conversations_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
  CONSTRAINT conversations_name_key_check CHECK (((length(name_key) >= 1) AND (length(name_key) <= 400))),
  CONSTRAINT conversations_public_check CHECK (((NOT is_public) OR ((kind = ANY (ARRAY['room'::conversation_kind, 'channel'::conversation_kind])) AND (encryption_mode = 'server'::encryption_mode)))),
  CONSTRAINT conversations_readable_name_check CHECK (((encryption_mode = 'e2ee'::encryption_mode) = (name IS NULL))),
  CONSTRAINT conversations_topic_check CHECK ((length(topic) <= 500))
) WITH (fillfactor=80);
CREATE INDEX conversations_directory_idx ON conversations USING gin (name_key gin_trgm_ops) WHERE (is_public AND (deleted_at IS NULL));
CREATE UNIQUE INDEX conversations_name_key ON conversations USING btree (name_key) WHERE (is_public AND (deleted_at IS NULL));
CREATE TRIGGER conversations_updated_at_trigger BEFORE UPDATE OF name, topic, description, max_members ON conversations FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
GRANT INSERT, SELECT, UPDATE ON conversations TO aparte_service;

-- The row that every writer of a conversation locks first, in id order. No index on anything that a send changes, so
-- Sealed objects that members of encrypted conversations leave for each other, for 30 days. Owned by the slice objects.
CREATE TABLE objects (
  conversation_id uuid NOT NULL,  -- Whose present members may fetch it.
  object_id uuid NOT NULL,  -- Made by the client that left it.
  account_id uuid NOT NULL,  -- Who left it.
  blob_id uuid NOT NULL,  -- The file that holds it, written before the row, under a name never used again.
  size integer NOT NULL,  -- In bytes.
  sha256 bytea NOT NULL,  -- Of the bytes: the same again is done, others are refused.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When.
  CONSTRAINT objects_pkey PRIMARY KEY (conversation_id, object_id),
  CONSTRAINT objects_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT objects_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id) ON DELETE CASCADE,
  CONSTRAINT objects_sha256_check CHECK ((length(sha256) = 32)),
  CONSTRAINT objects_size_check CHECK (((size >= 1) AND (size <= 262144)))
);
CREATE INDEX objects_account_id_idx ON objects USING btree (account_id, created_at);
CREATE UNIQUE INDEX objects_blob_id_key ON objects USING btree (blob_id);
CREATE INDEX objects_created_at_idx ON objects USING btree (created_at);
GRANT DELETE, INSERT, SELECT ON objects TO aparte_service;

-- that updates stay on their page. Owned by the slice log.
CREATE TABLE heads (
  conversation_id uuid NOT NULL,  -- Whose log.
  epoch bigint NOT NULL DEFAULT 0,  -- Grows with members and devices in e2ee conversations; 0 elsewhere.
  last_seq bigint NOT NULL DEFAULT 0,  -- Position of the newest entry.
  last_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'::uuid,  -- Id of the newest entry: pages begin here.
  last_xid bigint NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint,  -- Transaction of the newest entry: how it is found who moved, exact however long a COMMIT takes.
  last_ordinal bigint NOT NULL DEFAULT 0,  -- Of the newest message: messages ever sent, never falls.
  message_count bigint NOT NULL DEFAULT 0,  -- Messages that are there: deletions take one off.
  floor_seq bigint NOT NULL DEFAULT 1,  -- Oldest position kept.
  floor_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'::uuid,  -- Its id; older cursors are answered `resync`.
  last_message_at timestamptz,  -- When the newest message was sent.
  roster bytea,  -- Of the epoch, in e2ee conversations: stands for the members and their devices.
  CONSTRAINT heads_pkey PRIMARY KEY (conversation_id),
  CONSTRAINT heads_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT heads_roster_check CHECK ((((epoch = 0) = (roster IS NULL)) AND ((roster IS NULL) OR (length(roster) = 32))))
) WITH (fillfactor=50);
GRANT INSERT, SELECT, UPDATE ON heads TO aparte_service;

-- Every epoch of an e2ee conversation, so that the head of an old entry can be rebuilt. Owned by the slice log.
CREATE TABLE epochs (
  conversation_id uuid NOT NULL,  -- Where.
  epoch bigint NOT NULL,  -- 1, 2, 3 … without gaps.
  roster bytea NOT NULL,  -- Of this epoch, for good.
  seq bigint NOT NULL,  -- The position it begins at.
  statement bigint NOT NULL DEFAULT 0,  -- Number of the newest membership statement; 0 where there are none.
  id uuid,  -- Of the entry it begins with; NULL in those from before there were groups, and where there is no entry.
  changed bytea NOT NULL DEFAULT '\x'::bytea,  -- Members whose list is another than in the epoch before: account 16 || version be64, 0 is out.
  added bytea NOT NULL DEFAULT '\x'::bytea,  -- Devices that can read from here on and could not before, 16 bytes each.
  has_removed boolean NOT NULL DEFAULT false,  -- Somebody or some device is out, or an account key is another one.
  CONSTRAINT epochs_pkey PRIMARY KEY (conversation_id, epoch),
  CONSTRAINT epochs_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT epochs_epoch_check CHECK ((epoch > 0)),
  CONSTRAINT epochs_roster_check CHECK ((length(roster) = 32))
);
GRANT INSERT, SELECT ON epochs TO aparte_service;

-- The signed chain that membership of a group follows from. Owned by the slice conversations.
CREATE TABLE statements (
  conversation_id uuid NOT NULL,  -- Where.
  number bigint NOT NULL,  -- 1, 2, 3 … without gaps.
  statement bytea NOT NULL,  -- As it was signed.
  signature bytea NOT NULL,  -- By the account key of who did it.
  link_signature bytea,  -- Of a joining, also by the key of the invite link.
  epoch bigint NOT NULL,  -- That began with it, or with a later one stored together with it.
  CONSTRAINT statements_pkey PRIMARY KEY (conversation_id, number),
  CONSTRAINT statements_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT statements_link_signature_check CHECK ((length(link_signature) = 64)),
  CONSTRAINT statements_number_check CHECK ((number > 0)),
  CONSTRAINT statements_signature_check CHECK ((length(signature) = 64)),
  CONSTRAINT statements_statement_check CHECK ((length(statement) = 165))
);
GRANT INSERT, SELECT ON statements TO aparte_service;

-- The end of each group's chain, and what follows from it for the group as a whole. Owned by the slice conversations.
CREATE TABLE memberships (
  conversation_id uuid NOT NULL,  -- Where.
  number bigint NOT NULL,  -- Of the newest statement.
  hash bytea NOT NULL,  -- Of the newest statement: the next one names it.
  policy smallint NOT NULL,  -- Bits: 1 members may add, 2 history may be passed on, 4 only moderators up write.
  CONSTRAINT memberships_pkey PRIMARY KEY (conversation_id),
  CONSTRAINT memberships_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT memberships_hash_check CHECK ((length(hash) = 32)),
  CONSTRAINT memberships_number_check CHECK ((number > 0)),
  CONSTRAINT memberships_policy_check CHECK (((policy >= 0) AND (policy <= 255)))
) WITH (fillfactor=60);
GRANT INSERT, SELECT, UPDATE ON memberships TO aparte_service;

-- Links into groups, open and closed. Owned by the slice conversations.
CREATE TABLE invite_links (
  conversation_id uuid NOT NULL,  -- Where it leads.
  link_id bytea NOT NULL,  -- First half of the SHA-256 of its key.
  link_key bytea NOT NULL,  -- What joinings are signed with.
  account_id uuid NOT NULL,  -- Who opened it: whoever comes by it is their guest.
  role base_role NOT NULL,  -- What it makes of who comes.
  expires bigint NOT NULL,  -- Seconds since 1970; 0 never.
  uses bigint NOT NULL,  -- How many may come; 0 any number.
  used bigint NOT NULL,  -- How many came.
  is_open boolean NOT NULL DEFAULT true,  -- False once it is closed.
  token_hash bytea,  -- SHA-256 of the token that finds it.
  card bytea,  -- What the group is called, sealed for those who have the link; NULL once it is closed.
  CONSTRAINT invite_links_pkey PRIMARY KEY (conversation_id, link_id),
  CONSTRAINT invite_links_token_key UNIQUE (token_hash),
  CONSTRAINT invite_links_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT invite_links_card_check CHECK (((length(card) >= 1) AND (length(card) <= 12288))),
  CONSTRAINT invite_links_expires_check CHECK ((expires >= 0)),
  CONSTRAINT invite_links_link_id_check CHECK ((length(link_id) = 16)),
  CONSTRAINT invite_links_link_key_check CHECK ((length(link_key) = 33)),
  CONSTRAINT invite_links_token_hash_check CHECK ((length(token_hash) = 32)),
  CONSTRAINT invite_links_used_check CHECK ((used >= 0)),
  CONSTRAINT invite_links_uses_check CHECK ((uses >= 0))
) WITH (fillfactor=60);
GRANT INSERT, SELECT, UPDATE ON invite_links TO aparte_service;

-- The newest sealed entry of each device: the next continues its counter and names its hash. Owned by the slice log.
CREATE TABLE chains (
  conversation_id uuid NOT NULL,  -- Where.
  device_id uuid NOT NULL,  -- Whose.
  counter bigint NOT NULL,  -- Of its newest entry: how many it has sealed here.
  hash bytea NOT NULL,  -- Of its newest entry.
  CONSTRAINT chains_pkey PRIMARY KEY (conversation_id, device_id),
  CONSTRAINT chains_counter_check CHECK ((counter > 0)),
  CONSTRAINT chains_hash_check CHECK ((length(hash) = 32))
) WITH (fillfactor=50);
GRANT INSERT, SELECT, UPDATE ON chains TO aparte_service;

-- Who is or was in a conversation; who comes back gets the same row with a new beginning. Owned by the slice
-- conversations.
CREATE TABLE members (
  conversation_id uuid NOT NULL,  -- Where.
  account_id uuid NOT NULL,  -- Who.
  role base_role NOT NULL DEFAULT 'member'::base_role,  -- One owner per conversation.
  joined_seq bigint NOT NULL,  -- Position of the joining.
  joined_id uuid NOT NULL,  -- Its id.
  joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When, this time.
  left_seq bigint,  -- Position of the leaving; NULL while a member.
  left_id uuid,  -- Its id.
  left_at timestamptz,  -- When; NULL while a member.
  invited_by uuid,  -- Account that let them in, if any did.
  message_count bigint NOT NULL DEFAULT 0,  -- Messages sent here.
  read_seq bigint NOT NULL,  -- The read mark: position.
  read_id uuid NOT NULL,  -- The read mark: id.
  read_ordinal bigint NOT NULL,  -- The read mark: ordinal; unread = head's ordinal − this − exceptions after it.
  statement bigint NOT NULL DEFAULT 0,  -- In groups: number of the statement that let them in, which is the order of admission.
  account_key bytea,  -- In groups: the account key they were let in with.
  list_version bigint NOT NULL DEFAULT 0,  -- In groups: the newest list version they ever signed a statement with.
  is_removed boolean NOT NULL DEFAULT false,  -- In groups: was removed and comes back only by being added.
  banned_at timestamptz,  -- Set: is let in no more until it is lifted.
  banned_by uuid,  -- Who banned them.
  CONSTRAINT members_pkey PRIMARY KEY (conversation_id, account_id),
  CONSTRAINT members_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id),
  CONSTRAINT members_account_key_check CHECK (((account_key IS NULL) OR (length(account_key) = 33))),
  CONSTRAINT members_banned_check CHECK (((banned_at IS NULL) = (banned_by IS NULL))),
  CONSTRAINT members_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id)
) WITH (fillfactor=80);
CREATE INDEX members_account_id_idx ON members USING btree (account_id, conversation_id) WHERE (left_at IS NULL);
CREATE UNIQUE INDEX members_owner_key ON members USING btree (conversation_id) WHERE ((role = 'owner'::base_role) AND (left_at IS NULL));
GRANT INSERT, SELECT, UPDATE ON members TO aparte_service;

-- Entries of kind 1, a month per partition by id: readable or sealed. What stands here is the original; edits are
-- entries. Owned by the slice messages.
CREATE TABLE messages (
  conversation_id uuid NOT NULL,  -- Where.
  id uuid NOT NULL,  -- UUIDv7 given under the head's lock: order by id = order by seq; its first 48 bits are the time.
  seq bigint NOT NULL,  -- 1, 2, 3 … without gaps in a conversation, over messages and entries together.
  account_id uuid NOT NULL,  -- Who sent it; no reference: sending has just proved the member.
  device_id uuid,  -- From which device.
  client_message_id uuid,  -- Made by the client: what makes a repeat a repeat.
  ordinal bigint NOT NULL,  -- 1, 2, 3 … among the messages of the conversation, for unread counts.
  content jsonb,  -- The original, of a readable message; NULL once erased.
  edit_id uuid,  -- The newest edit: what the message says now.
  edit_count integer NOT NULL DEFAULT 0,  -- How many edits.
  deletion_id uuid,  -- The entry that deleted it for everyone, while it is deleted.
  xid bigint NOT NULL,  -- Transaction that wrote it, for nodes that look for what they were not told of.
  erased_at timestamptz,  -- When the content was taken away; the skeleton stays.
  epoch bigint,  -- Of a sealed message: what it was sealed for.
  counter bigint,  -- Of a sealed message: 1, 2, 3 … of its device in the conversation.
  prev bytea,  -- Of a sealed message: hash of its device's entry before.
  target_seq bigint,  -- Position of the message it answers, if any.
  target_id uuid,  -- Its id.
  target bytea,  -- Its hash.
  sealed bytea,  -- The original, of a sealed message: nobody but its readers can read it. NULL once erased.
  sealed_hash bytea,  -- SHA-256 of what was sealed, once it is erased: the chain of hashes holds.
  CONSTRAINT messages_pkey PRIMARY KEY (conversation_id, id),
  CONSTRAINT messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT messages_content_check CHECK ((num_nonnulls(content, sealed, erased_at) = 1)),
  CONSTRAINT messages_sealed_check CHECK (((num_nonnulls(epoch, counter, prev) = CASE WHEN (num_nonnulls(sealed, sealed_hash) = 1) THEN 3 ELSE 0 END) AND ((sealed_hash IS NULL) OR (erased_at IS NOT NULL)) AND (num_nulls(target_seq, target_id, target) = ANY (ARRAY[0, 3]))))
) PARTITION BY RANGE (id);
CREATE INDEX messages_deleted_idx ON messages USING btree (conversation_id, ordinal) WHERE (deletion_id IS NOT NULL);
CREATE INDEX messages_xid_idx ON messages USING brin (xid) WITH (pages_per_range='32', autosummarize='on');
GRANT INSERT, SELECT, UPDATE ON messages TO aparte_service;

-- Everything else that takes a position, a month per partition by id; kinds are in docs/protocol/kinds.md. Owned by
-- the slice log.
CREATE TABLE entries (
  conversation_id uuid NOT NULL,  -- Where.
  id uuid NOT NULL,  -- As in messages: one order over both tables.
  seq bigint NOT NULL,  -- As in messages: one count over both tables.
  kind smallint NOT NULL,  -- Number in the registry of kinds; never 1.
  account_id uuid NOT NULL,  -- Who did it.
  device_id uuid,  -- From which device, if it was one.
  client_message_id uuid,  -- If a client made one.
  target_seq bigint,  -- Position of the message it changes.
  target_id uuid,  -- Its id.
  body jsonb,  -- The struct of its kind; NULL once erased.
  xid bigint NOT NULL,  -- As in messages.
  erased_at timestamptz,  -- When the body was taken away.
  epoch bigint,  -- As in messages, as all that follows; only of what people seal.
  counter bigint,  -- Of its device's chain, which goes through both tables.
  prev bytea,  -- Hash of its device's entry before.
  target bytea,  -- Hash of the message it changes.
  sealed bytea,  -- What was done, for its readers alone.
  sealed_hash bytea,  -- SHA-256 of it, once it is erased.
  tag bytea,  -- Of a reaction: the same for the same person, message and emoji, and tells which to nobody else.
  is_on boolean,  -- Of a deletion, reaction or pin: false takes it back.
  CONSTRAINT entries_pkey PRIMARY KEY (conversation_id, id),
  CONSTRAINT entries_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id),
  CONSTRAINT entries_content_check CHECK ((num_nonnulls(body, sealed, erased_at) = 1)),
  CONSTRAINT entries_kind_check CHECK ((kind > 1)),
  CONSTRAINT entries_sealed_check CHECK (((num_nonnulls(epoch, counter, prev) = CASE WHEN (num_nonnulls(sealed, sealed_hash) = 1) THEN 3 ELSE 0 END) AND ((sealed_hash IS NULL) OR (erased_at IS NOT NULL)))),
  CONSTRAINT entries_target_check CHECK (((target_seq IS NULL) = (target_id IS NULL)))
) PARTITION BY RANGE (id);
CREATE INDEX entries_target_idx ON entries USING btree (conversation_id, target_id, id) WHERE (target_id IS NOT NULL);
CREATE INDEX entries_xid_idx ON entries USING brin (xid) WITH (pages_per_range='32', autosummarize='on');
GRANT INSERT, SELECT, UPDATE ON entries TO aparte_service;

-- The keys of one sealed entry on their way, until every device has acknowledged it; 60 days at most: envelopes, or in a
-- group one for all. Owned by the slice messages.
CREATE TABLE message_key_sets (
  conversation_id uuid NOT NULL,  -- Where.
  seq bigint NOT NULL,  -- Position of the entry.
  id uuid NOT NULL,  -- Its id, for its age.
  envelopes bytea,  -- count u8 || device 16 × n || (type u8 || length be16 || body) × n; each device is given its own.
  group_key bytea,  -- The sender-key message that holds the entry's key; every device is given it.
  CONSTRAINT message_key_sets_pkey PRIMARY KEY (conversation_id, seq),
  CONSTRAINT message_key_sets_one_check CHECK ((num_nonnulls(envelopes, group_key) = 1))
);
CREATE INDEX message_key_sets_id_idx ON message_key_sets USING brin (id) WITH (pages_per_range='32', autosummarize='on');
GRANT DELETE, INSERT, SELECT ON message_key_sets TO aparte_service;

-- The sender-key chain that a device last used in a conversation. Owned by the slice messages.
CREATE TABLE sender_chains (
  conversation_id uuid NOT NULL,  -- Where.
  device_id uuid NOT NULL,  -- Whose chain.
  chain_id bigint NOT NULL,  -- Its number, made by the device.
  complete bigint NOT NULL,  -- The newest epoch in which every device that could read had it.
  has_pending boolean NOT NULL DEFAULT false,  -- Distributions came since: the next entry commits them.
  CONSTRAINT sender_chains_pkey PRIMARY KEY (conversation_id, device_id),
  CONSTRAINT sender_chains_chain_id_check CHECK (((chain_id >= 0) AND (chain_id <= 2147483647))),
  CONSTRAINT sender_chains_complete_check CHECK ((complete > 0))
) WITH (fillfactor=60);
GRANT INSERT, SELECT, UPDATE ON sender_chains TO aparte_service;

-- What one device needs to read another's chain, on its way there; 60 days at most. Owned by the slice messages.
CREATE TABLE distributions (
  conversation_id uuid NOT NULL,  -- Where.
  sender_device_id uuid NOT NULL,  -- Whose chain.
  chain_id bigint NOT NULL,  -- Which.
  device_id uuid NOT NULL,  -- For whom.
  id uuid NOT NULL,  -- Of the upload; of the entry once there is one.
  epoch bigint NOT NULL,  -- In which the device was found to be listed.
  type smallint NOT NULL,  -- 2 a pairwise message, 3 a first one, 0 empty.
  body bytea NOT NULL,  -- The pairwise message.
  seq bigint,  -- Position of the entry that committed it; without, it is pending and nobody is given it.
  CONSTRAINT distributions_body_check CHECK ((length(body) <= 4096)),
  CONSTRAINT distributions_chain_id_check CHECK (((chain_id >= 0) AND (chain_id <= 2147483647))),
  CONSTRAINT distributions_empty_check CHECK (((type = 0) = (length(body) = 0))),
  CONSTRAINT distributions_epoch_check CHECK ((epoch > 0)),
  CONSTRAINT distributions_type_check CHECK ((type = ANY (ARRAY[0, 2, 3])))
);
CREATE INDEX distributions_id_idx ON distributions USING brin (id) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX distributions_pending_idx ON distributions USING btree (id) WHERE (seq IS NULL);
CREATE UNIQUE INDEX distributions_pending_key ON distributions USING btree (conversation_id, sender_device_id, chain_id, device_id) WHERE (seq IS NULL);
CREATE UNIQUE INDEX distributions_seq_key ON distributions USING btree (conversation_id, device_id, seq);
GRANT DELETE, INSERT, SELECT, UPDATE ON distributions TO aparte_service;

-- What was sent in the last 30 days, whatever became of it: a repeat is answered as before. Owned by the slice
-- messages.
CREATE TABLE sends (
  conversation_id uuid NOT NULL,  -- Where.
  device_id uuid NOT NULL,  -- Key together with conversation and client id.
  client_message_id uuid NOT NULL,  -- Made by the client.
  id uuid NOT NULL,  -- The entry it became.
  seq bigint NOT NULL,  -- Its position.
  digest bigint NOT NULL,  -- First 8 bytes of SHA-256 over what was asked: another content under the same id is refused.
  CONSTRAINT sends_pkey PRIMARY KEY (conversation_id, device_id, client_message_id)
);
CREATE INDEX sends_id_idx ON sends USING brin (id) WITH (pages_per_range='32', autosummarize='on');
GRANT DELETE, INSERT, SELECT ON sends TO aparte_service;

-- Messages that somebody deleted for themselves only. Owned by the slice messages.
CREATE TABLE hidden_messages (
  account_id uuid NOT NULL,  -- For whom it is hidden.
  conversation_id uuid NOT NULL,  -- Where it is.
  id uuid NOT NULL,  -- Which message.
  ordinal bigint NOT NULL,  -- Of the message: an exception of the unread count.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- Since when.
  CONSTRAINT hidden_messages_pkey PRIMARY KEY (account_id, conversation_id, id),
  CONSTRAINT hidden_messages_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(account_id) ON DELETE CASCADE,
  CONSTRAINT hidden_messages_conversation_id_id_fkey FOREIGN KEY (conversation_id, id) REFERENCES messages(conversation_id, id)
);
CREATE INDEX hidden_messages_ordinal_idx ON hidden_messages USING btree (account_id, conversation_id, ordinal);
GRANT DELETE, INSERT, SELECT ON hidden_messages TO aparte_service;

-- Ranges, insert-only: this device has stored, or shown, everything up to here. Owned by the slice receipts.
CREATE TABLE receipts (
  conversation_id uuid NOT NULL,  -- Where.
  kind receipt_kind NOT NULL,  -- read implies delivered.
  device_id uuid NOT NULL,  -- Which device says so.
  up_to_seq bigint NOT NULL,  -- Up to which position.
  at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When; of a message it is the earliest row at or above its position.
  CONSTRAINT receipts_pkey PRIMARY KEY (conversation_id, kind, device_id, up_to_seq),
  CONSTRAINT receipts_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id)
);
GRANT DELETE, INSERT, SELECT ON receipts TO aparte_service;

-- Who did what, append-only, a month per partition; ids are copied without references. Owned by the slice audit.
CREATE TABLE audit_entries (
  id uuid NOT NULL DEFAULT id_now(clock_timestamp()),  -- UUIDv7.
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- When.
  event text NOT NULL,  -- What happened, in the past tense: `session_opened`.
  severity audit_severity NOT NULL DEFAULT 'info'::audit_severity,  -- How much it matters.
  account_id uuid,  -- Who did it, if somebody did.
  session_id uuid,  -- In which session.
  request_id uuid,  -- In which request.
  conversation_id uuid,  -- In which conversation.
  resource_type text,  -- What it was done to: kind of thing.
  resource_id text,  -- What it was done to: its id.
  ip text,  -- For security events alone.
  user_agent text,  -- For security events alone.
  details jsonb NOT NULL DEFAULT '{}'::jsonb,  -- Ids and numbers; never content or secrets.
  CONSTRAINT audit_entries_pkey PRIMARY KEY (created_at, id),
  CONSTRAINT audit_entries_event_check CHECK (((length(event) >= 1) AND (length(event) <= 50))),
  CONSTRAINT audit_entries_resource_id_check CHECK ((length(resource_id) <= 100)),
  CONSTRAINT audit_entries_resource_type_check CHECK ((length(resource_type) <= 50)),
  CONSTRAINT audit_entries_user_agent_check CHECK ((length(user_agent) <= 300))
) PARTITION BY RANGE (created_at);
CREATE INDEX audit_entries_account_id_idx ON audit_entries USING btree (account_id, created_at) WHERE (account_id IS NOT NULL);
CREATE INDEX audit_entries_conversation_id_idx ON audit_entries USING btree (conversation_id, created_at) WHERE (conversation_id IS NOT NULL);
CREATE INDEX audit_entries_event_idx ON audit_entries USING btree (event, created_at);
CREATE INDEX audit_entries_ip_idx ON audit_entries USING btree (ip, created_at) WHERE (ip IS NOT NULL);
CREATE INDEX audit_entries_resource_idx ON audit_entries USING btree (resource_type, resource_id);
CREATE INDEX audit_entries_severity_idx ON audit_entries USING btree (severity, created_at) WHERE (severity > 'info'::audit_severity);
CREATE TRIGGER audit_entries_immutable_trigger BEFORE DELETE OR UPDATE ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_truncate_trigger BEFORE TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT, SELECT ON audit_entries TO aparte_service;

-- Jobs that wait or run. Defined by PgQueuer; owned by the slice jobs.
CREATE TABLE pgqueuer (
  id bigserial NOT NULL,  -- Serial.
  priority integer NOT NULL,  -- Higher first.
  queue_manager_id uuid,  -- The process that runs it.
  created timestamptz NOT NULL DEFAULT now(),  -- When it was queued.
  updated timestamptz NOT NULL DEFAULT now(),  -- When it last changed.
  heartbeat timestamptz NOT NULL DEFAULT now(),  -- Last sign of life of the process that runs it.
  execute_after timestamptz NOT NULL DEFAULT now(),  -- Not before.
  status pgqueuer_status NOT NULL,  -- queued or picked, failed when given up.
  entrypoint text NOT NULL,  -- Name of the job.
  dedupe_key text,  -- While it waits or runs there is no second one with this key.
  payload bytea,  -- The struct that was enqueued, as JSON.
  headers jsonb,  -- Not used by us.
  attempts integer NOT NULL DEFAULT 0,  -- How often it was tried.
  slot bigint,  -- Not used by us.
  CONSTRAINT pgqueuer_pkey PRIMARY KEY (id)
);
CREATE INDEX pgqueuer_ep_ea_idx ON pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::pgqueuer_status);
CREATE INDEX pgqueuer_ep_prio_id_idx ON pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::pgqueuer_status);
CREATE INDEX pgqueuer_picked_heartbeat_idx ON pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::pgqueuer_status);
CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::pgqueuer_status) AND (slot IS NOT NULL));
CREATE INDEX pgqueuer_priority_id_id1_idx ON pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::pgqueuer_status);
CREATE INDEX pgqueuer_queue_manager_id_idx ON pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);
CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status])) AND (dedupe_key IS NOT NULL));
CREATE INDEX pgqueuer_updated_id_id1_idx ON pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::pgqueuer_status);
CREATE TRIGGER tg_pgqueuer_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON pgqueuer FOR EACH STATEMENT EXECUTE FUNCTION fn_pgqueuer_changed();
GRANT DELETE, INSERT, SELECT, UPDATE ON pgqueuer TO aparte_service;

-- What became of jobs, kept 30 days. Defined by PgQueuer; owned by the slice jobs.
CREATE TABLE pgqueuer_log (
  id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,  -- Serial.
  created timestamptz NOT NULL DEFAULT now(),  -- When.
  job_id bigint NOT NULL,  -- Which job.
  status pgqueuer_status NOT NULL,  -- What became of it.
  priority integer NOT NULL,  -- As in pgqueuer.
  entrypoint text NOT NULL,  -- As in pgqueuer.
  traceback jsonb,  -- Never written by us: exceptions may quote what people wrote.
  aggregated boolean DEFAULT false,  -- Counted into statistics.
  CONSTRAINT pgqueuer_log_pkey PRIMARY KEY (id)
);
CREATE INDEX pgqueuer_log_created ON pgqueuer_log USING btree (created);
CREATE INDEX pgqueuer_log_job_id_status ON pgqueuer_log USING btree (job_id, created DESC);
CREATE INDEX pgqueuer_log_not_aggregated ON pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);
CREATE INDEX pgqueuer_log_status ON pgqueuer_log USING btree (status);
GRANT DELETE, INSERT, SELECT, UPDATE ON pgqueuer_log TO aparte_service;

-- The calendar. Defined by PgQueuer; owned by the slice jobs.
CREATE TABLE pgqueuer_schedules (
  id bigserial NOT NULL,  -- Serial.
  expression text NOT NULL,  -- Cron expression, UTC.
  entrypoint text NOT NULL,  -- Name of the step.
  heartbeat timestamptz NOT NULL DEFAULT now(),  -- Last sign of life of the process that runs it.
  created timestamptz NOT NULL DEFAULT now(),  -- When the row was made.
  updated timestamptz NOT NULL DEFAULT now(),  -- When it last changed.
  next_run timestamptz NOT NULL DEFAULT now(),  -- When it is due.
  last_run timestamptz,  -- When it last ran.
  status pgqueuer_status DEFAULT 'queued'::pgqueuer_status,  -- queued or picked.
  CONSTRAINT pgqueuer_schedules_pkey PRIMARY KEY (id),
  CONSTRAINT pgqueuer_schedules_expression_entrypoint_key UNIQUE (expression, entrypoint)
);
GRANT DELETE, INSERT, SELECT, UPDATE ON pgqueuer_schedules TO aparte_service;

-- Counts of jobs by second. Defined by PgQueuer; owned by the slice jobs.
CREATE TABLE pgqueuer_statistics (
  id bigserial NOT NULL,  -- Serial.
  created timestamptz NOT NULL DEFAULT date_trunc('sec'::text, now()),  -- Which second.
  count bigint NOT NULL,  -- How many.
  priority integer NOT NULL,  -- As in pgqueuer.
  status pgqueuer_status NOT NULL,  -- As in pgqueuer.
  entrypoint text NOT NULL,  -- As in pgqueuer.
  CONSTRAINT pgqueuer_statistics_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);
GRANT DELETE, INSERT, SELECT, UPDATE ON pgqueuer_statistics TO aparte_service;

GRANT USAGE ON SEQUENCE pgqueuer_id_seq TO aparte_service;
GRANT USAGE ON SEQUENCE pgqueuer_schedules_id_seq TO aparte_service;
GRANT USAGE ON SEQUENCE pgqueuer_statistics_id_seq TO aparte_service;
