-- Accounts, their state, devices, sessions, contacts and blocks.

-- migrate:up
CREATE TABLE accounts (
  account_id uuid PRIMARY KEY,
  kind account_kind NOT NULL DEFAULT 'person',
  username text NOT NULL CONSTRAINT accounts_username_check CHECK (username ~ '^[A-Za-z0-9_-]{3,50}$'),
  email text CONSTRAINT accounts_email_check
    CHECK (length(email) <= 255 AND email ~* '^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$'),
  phone text CONSTRAINT accounts_phone_check CHECK (phone ~ '^\+[0-9]{6,15}$'),
  display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
  bio text CHECK (length(bio) <= 1000),
  avatar_url text CHECK (length(avatar_url) <= 500),
  status_text text CHECK (length(status_text) <= 200),
  time_zone text DEFAULT 'UTC' CHECK (length(time_zone) <= 50),
  language text NOT NULL DEFAULT 'fr' CHECK (length(language) <= 10),
  role platform_role NOT NULL DEFAULT 'user',
  status declared_status NOT NULL DEFAULT 'online',
  privacy jsonb NOT NULL DEFAULT '{}',
  is_active boolean NOT NULL DEFAULT true,
  is_verified boolean NOT NULL DEFAULT false,
  is_suspended boolean NOT NULL DEFAULT false,
  password_hash text CHECK (length(password_hash) <= 255),
  failed_login_attempts integer NOT NULL DEFAULT 0 CHECK (failed_login_attempts >= 0),
  lock_count integer NOT NULL DEFAULT 0 CHECK (lock_count >= 0),
  locked_until timestamptz,
  last_login_at timestamptz,
  last_seen_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at timestamptz,
  CONSTRAINT accounts_reachable_check CHECK (kind <> 'person' OR email IS NOT NULL OR phone IS NOT NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX accounts_username_key ON accounts (lower(username));
CREATE UNIQUE INDEX accounts_email_key ON accounts (lower(email)) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX accounts_phone_key ON accounts (phone) WHERE phone IS NOT NULL;
CREATE INDEX accounts_role_idx ON accounts (role) WHERE role <> 'user';
CREATE TRIGGER accounts_updated_at_trigger BEFORE UPDATE OF username, email, phone, display_name, bio, avatar_url,
  status_text, time_zone, language, role, status, privacy, is_active, is_verified, is_suspended ON accounts
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- What one's own devices must see, latest value per key; `rev` grows per account under the lock of its row here.
CREATE TABLE account_revs (
  account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  rev bigint NOT NULL DEFAULT 0,
  xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
) WITH (fillfactor = 60);
CREATE INDEX account_revs_xid_idx ON account_revs (xid);
CREATE TABLE account_state (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 100),
  value jsonb,
  rev bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, key)
) WITH (fillfactor = 80);
CREATE INDEX account_state_rev_idx ON account_state (account_id, rev);

CREATE TABLE devices (
  device_id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  platform device_platform NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_active_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);
CREATE INDEX devices_account_id_idx ON devices (account_id, is_active);
CREATE TRIGGER devices_updated_at_trigger BEFORE UPDATE OF name, platform, is_active ON devices
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- A login. Tokens are derived from (session, generation) with the server's key: only their hashes and ids are here.
CREATE TABLE sessions (
  session_id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id uuid NOT NULL REFERENCES devices ON DELETE CASCADE,
  generation integer NOT NULL DEFAULT 1 CHECK (generation > 0),
  refresh_hash text NOT NULL CHECK (length(refresh_hash) = 64),
  previous_refresh_hash text CHECK (length(previous_refresh_hash) = 64),
  rotated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  access_id uuid NOT NULL,
  access_expires_at timestamptz NOT NULL,
  ip text,
  user_agent text CHECK (length(user_agent) <= 300),
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_active_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT sessions_expires_at_check CHECK (expires_at > created_at)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX sessions_refresh_hash_key ON sessions (refresh_hash);
CREATE INDEX sessions_previous_refresh_hash_idx ON sessions (previous_refresh_hash);
CREATE INDEX sessions_account_id_idx ON sessions (account_id) WHERE is_active;
CREATE INDEX sessions_device_id_idx ON sessions (device_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

CREATE TABLE contacts (
  owner_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  contact_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  nickname text CHECK (length(nickname) <= 100),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (owner_id, contact_id),
  CONSTRAINT contacts_self_check CHECK (owner_id <> contact_id)
);
CREATE INDEX contacts_contact_id_idx ON contacts (contact_id);
CREATE TRIGGER contacts_updated_at_trigger BEFORE UPDATE ON contacts
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE blocks (
  blocker_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  blocked_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  reason text CHECK (length(reason) <= 500),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (blocker_id, blocked_id),
  CONSTRAINT blocks_self_check CHECK (blocker_id <> blocked_id)
);
CREATE INDEX blocks_blocked_id_idx ON blocks (blocked_id);

GRANT SELECT, INSERT, UPDATE ON accounts, account_revs, account_state, devices TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, contacts, blocks TO aparte_service;

-- migrate:down
DROP TABLE blocks, contacts, sessions, devices, account_state, account_revs, accounts;
