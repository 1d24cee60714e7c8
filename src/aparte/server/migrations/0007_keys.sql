-- Keys: signed device lists, prekeys, and pairwise messages on their way to one device.

-- migrate:up
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';
-- Listed, or of an account that has no list yet. `linked_at`: another device admitted it then.
ALTER TABLE devices ADD COLUMN is_listed boolean NOT NULL DEFAULT true, ADD COLUMN linked_at timestamptz;

CREATE TABLE device_lists (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  version bigint NOT NULL CHECK (version > 0),
  list bytea NOT NULL CHECK (length(list) BETWEEN 108 AND 1836),
  signature bytea NOT NULL CHECK (length(signature) = 64),
  previous_signature bytea CHECK (length(previous_signature) = 64),
  hash bytea NOT NULL CHECK (length(hash) = 32),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, version)
);

CREATE TABLE device_prekeys (
  device_id uuid PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  registration_id integer NOT NULL CHECK (registration_id BETWEEN 1 AND 16380),
  identity bytea NOT NULL CHECK (length(identity) = 33),
  signed_id bigint NOT NULL,
  signed_key bytea NOT NULL CHECK (length(signed_key) = 33),
  signed_signature bytea NOT NULL CHECK (length(signed_signature) = 64),
  last_resort_id bigint NOT NULL,
  last_resort_key bytea NOT NULL CHECK (length(last_resort_key) = 1569),
  last_resort_signature bytea NOT NULL CHECK (length(last_resort_signature) = 64),
  one_time_high bigint NOT NULL DEFAULT 0,
  one_time_kem_high bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);
CREATE INDEX device_prekeys_account_id_idx ON device_prekeys (account_id);

-- Handed out by deleting; every id up to the high mark of its kind that is not here was handed out.
CREATE TABLE one_time_prekeys (
  device_id uuid NOT NULL REFERENCES devices ON DELETE CASCADE,
  is_kem boolean NOT NULL,
  key_id bigint NOT NULL,
  key bytea NOT NULL CHECK (length(key) = CASE WHEN is_kem THEN 1569 ELSE 33 END),
  signature bytea CHECK (length(signature) = 64),
  PRIMARY KEY (device_id, is_kem, key_id),
  CONSTRAINT one_time_prekeys_signed_check CHECK ((signature IS NOT NULL) = is_kem)
);

-- Pairwise messages that belong to no entry, until their device acknowledges them; 60 days at most.
CREATE TABLE device_envelopes (
  device_id uuid NOT NULL REFERENCES devices ON DELETE CASCADE,
  id uuid NOT NULL,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  sender_device_id uuid NOT NULL,
  payload_id uuid NOT NULL,
  type smallint NOT NULL CHECK (type IN (2, 3)),
  body bytea NOT NULL CHECK (length(body) BETWEEN 1 AND 16384),
  PRIMARY KEY (device_id, id),
  CONSTRAINT device_envelopes_payload_key UNIQUE (device_id, sender_device_id, payload_id)
);
CREATE INDEX device_envelopes_id_idx ON device_envelopes (id);
CREATE INDEX device_envelopes_account_id_idx ON device_envelopes (account_id);

GRANT SELECT, INSERT ON device_lists TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON device_prekeys, one_time_prekeys, device_envelopes TO aparte_service;

-- migrate:down
DROP TABLE device_envelopes, one_time_prekeys, device_prekeys, device_lists;
ALTER TABLE devices DROP COLUMN linked_at, DROP COLUMN is_listed;
