-- Roles, extensions, closed sets and the functions that make ids.
-- The maintenance role owns everything and runs migrations; `aparte_service` holds the service's grants, and the role
-- that DATABASE_URL names is a member of it.

-- migrate:up
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aparte_service') THEN
    CREATE ROLE aparte_service NOLOGIN;
  END IF;
END $$;

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO aparte_service;
-- Trigger functions and helpers are nobody's business but their users'.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TYPE account_kind AS ENUM ('person', 'bot', 'system', 'placeholder');
CREATE TYPE platform_role AS ENUM ('guest', 'user', 'moderator', 'admin');
CREATE TYPE declared_status AS ENUM ('online', 'away', 'offline');
CREATE TYPE device_platform AS ENUM ('ios', 'android', 'web', 'desktop');
CREATE TYPE conversation_kind AS ENUM ('direct', 'self', 'group', 'room', 'channel');
CREATE TYPE encryption_mode AS ENUM ('e2ee', 'server');
CREATE TYPE base_role AS ENUM ('owner', 'admin', 'moderator', 'member');
CREATE TYPE receipt_kind AS ENUM ('delivered', 'read');
CREATE TYPE audit_severity AS ENUM ('debug', 'info', 'warning', 'error', 'critical');

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;

-- The smallest UUIDv7 of a millisecond: the border of a month.
CREATE FUNCTION id_at(p_ms bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (lpad(to_hex(p_ms), 12, '0') || '00000000000000000000')::uuid
$$;

CREATE FUNCTION id_at(p_at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT id_at(floor(extract(epoch FROM p_at) * 1000)::bigint)
$$;

-- A new UUIDv7 of this moment: 48 bits of milliseconds, random bits, and 47 random low bits that count upwards.
CREATE FUNCTION id_now(p_now timestamptz) RETURNS uuid LANGUAGE sql VOLATILE STRICT AS $$
  SELECT (substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7' || substr(rnd, 1, 3) || '-'
          || substr('89ab', 1 + get_byte(decode(substr(rnd, 4, 2), 'hex'), 0) % 4, 1) || substr(rnd, 6, 3) || '-'
          || to_hex(get_byte(decode(substr(rnd, 18, 2), 'hex'), 0) % 8) || substr(rnd, 20, 11))::uuid
    FROM (SELECT lpad(to_hex(floor(extract(epoch FROM p_now) * 1000)::bigint), 12, '0') AS ms,
                 replace(gen_random_uuid()::text, '-', '') AS rnd) AS parts
$$;

-- The n-th id after another: only the low 48 bits count, and their top bit starts at 0, so they do not overflow.
CREATE FUNCTION id_after(p_id uuid, p_n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (left(p_id::text, 24)
          || lpad(to_hex(('x' || right(p_id::text, 12))::bit(48)::bigint + p_n), 12, '0'))::uuid
$$;

GRANT EXECUTE ON FUNCTION id_at(bigint), id_at(timestamptz), id_now(timestamptz), id_after(uuid, bigint),
  touch_updated_at() TO aparte_service;

-- One row: which history of the log this is. Restoring a backup or promoting a standby renews it, so that markers
-- given out before are not trusted.
CREATE TABLE log_generation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  generation uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO log_generation DEFAULT VALUES;
GRANT SELECT ON log_generation TO aparte_service;

-- migrate:down
DROP TABLE log_generation;
DROP FUNCTION id_after(uuid, bigint), id_now(timestamptz), id_at(timestamptz), id_at(bigint), touch_updated_at();
DROP TYPE audit_severity, receipt_kind, base_role, encryption_mode, conversation_kind, device_platform,
  declared_status, platform_role, account_kind;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
REVOKE USAGE ON SCHEMA public FROM aparte_service;
DROP EXTENSION unaccent;
DROP EXTENSION pg_trgm;
