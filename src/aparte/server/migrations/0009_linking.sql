-- Linking: what a new device offers, what a listed one answers, and what that one leaves for it.

-- migrate:up
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Gone with the session that made it; `container` is there once the device was admitted, with the version that lists it.
CREATE TABLE link_offers (
  offer_id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_id uuid NOT NULL REFERENCES devices ON DELETE CASCADE,
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  ip text,
  offer bytea NOT NULL CHECK (length(offer) = 1237),
  answer bytea CHECK (length(answer) = 1169),
  answered_by uuid REFERENCES devices ON DELETE CASCADE,
  container bytea CHECK (length(container) BETWEEN 1 AND 262144),
  list_version bigint,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT link_offers_answered_check CHECK ((answer IS NULL) = (answered_by IS NULL)),
  CONSTRAINT link_offers_admitted_check
    CHECK ((container IS NULL) = (list_version IS NULL) AND (container IS NULL OR answer IS NOT NULL))
);
CREATE INDEX link_offers_account_id_idx ON link_offers (account_id);
CREATE INDEX link_offers_device_id_idx ON link_offers (device_id);
CREATE INDEX link_offers_session_id_idx ON link_offers (session_id);
CREATE INDEX link_offers_answered_by_idx ON link_offers (answered_by);
CREATE INDEX link_offers_expires_at_idx ON link_offers (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON link_offers TO aparte_service;

-- migrate:down
DROP TABLE link_offers;
