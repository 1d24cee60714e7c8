-- What people set for themselves in conversations, and requests to be each other's contact.

-- migrate:up
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TYPE notification_level AS ENUM ('all', 'mentions', 'none');
CREATE TYPE contact_request_status AS ENUM ('pending', 'accepted', 'declined');

-- What one member has set for oneself in one conversation; who has set nothing has no row. It stays when the membership
-- ends. A mute ends by itself at `muted_until`: whoever reads compares with the time. `settings` is free JSON.
CREATE TABLE preferences (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
  level notification_level NOT NULL DEFAULT 'all',
  muted_until timestamptz,
  is_pinned boolean NOT NULL DEFAULT false,
  is_archived boolean NOT NULL DEFAULT false,
  is_marked_unread boolean NOT NULL DEFAULT false,
  labels text[] NOT NULL DEFAULT '{}' CHECK (cardinality(labels) <= 20),
  settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, conversation_id)
) WITH (fillfactor = 80);
CREATE INDEX preferences_conversation_id_idx ON preferences (conversation_id);
CREATE INDEX preferences_pinned_idx ON preferences (account_id) WHERE is_pinned;
CREATE INDEX preferences_archived_idx ON preferences (account_id) WHERE is_archived;
CREATE TRIGGER preferences_updated_at_trigger BEFORE UPDATE ON preferences
  FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- The last request between two people, whoever of them made it: one row a pair. Whether one blocks the other is not
-- said here: the table of blocks is the only truth about that.
CREATE TABLE contact_requests (
  requester_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  addressee_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  status contact_request_status NOT NULL DEFAULT 'pending',
  note text NOT NULL DEFAULT '' CHECK (length(note) <= 200),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  decided_at timestamptz,
  PRIMARY KEY (requester_id, addressee_id),
  CONSTRAINT contact_requests_self_check CHECK (requester_id <> addressee_id),
  CONSTRAINT contact_requests_decided_check CHECK ((status = 'pending') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX contact_requests_pair_key
  ON contact_requests (least(requester_id, addressee_id), greatest(requester_id, addressee_id));
CREATE INDEX contact_requests_addressee_id_idx ON contact_requests (addressee_id);
CREATE INDEX contact_requests_decided_at_idx ON contact_requests (decided_at) WHERE decided_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON preferences TO aparte_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON contact_requests TO aparte_service;

COMMENT ON TABLE preferences IS 'What one member has set for oneself in one conversation; who has set nothing has no row. It stays when the membership ends.';
COMMENT ON COLUMN preferences.account_id IS 'Whose.';
COMMENT ON COLUMN preferences.conversation_id IS 'Where.';
COMMENT ON COLUMN preferences.level IS 'What one is told of: everything, mentions, nothing.';
COMMENT ON COLUMN preferences.muted_until IS 'Silent until then; whoever reads compares with the time.';
COMMENT ON COLUMN preferences.is_pinned IS 'At the top of one''s own list.';
COMMENT ON COLUMN preferences.is_archived IS 'Out of one''s own list.';
COMMENT ON COLUMN preferences.is_marked_unread IS 'Shown as unread until one looks at it.';
COMMENT ON COLUMN preferences.labels IS 'Names by which one finds it, each once.';
COMMENT ON COLUMN preferences.settings IS 'Free JSON of one''s clients, at most 8 KiB.';
COMMENT ON COLUMN preferences.updated_at IS 'Set by trigger.';

COMMENT ON TABLE contact_requests IS 'The last request between two people, whoever made it: one row a pair. Whether one blocks the other is not said here.';
COMMENT ON COLUMN contact_requests.requester_id IS 'Who asks.';
COMMENT ON COLUMN contact_requests.addressee_id IS 'Who is asked.';
COMMENT ON COLUMN contact_requests.status IS 'A block closes what waits: what the blocker was asked is declined.';
COMMENT ON COLUMN contact_requests.note IS 'What the requester says of it.';
COMMENT ON COLUMN contact_requests.created_at IS 'When it was asked.';
COMMENT ON COLUMN contact_requests.decided_at IS 'After a decline the requester waits a week; 30 days later it is forgotten.';

-- migrate:down
DROP TABLE contact_requests, preferences;
DROP TYPE contact_request_status, notification_level;
