-- What members may do beyond their base role: roles that a conversation defines, what is granted or denied to one member
-- alone, silences, and how a member is called here.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

CREATE TABLE conversation_roles (
  conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
  role_id uuid NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
  permissions jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(permissions) = 'object'),
  colour text CHECK (colour ~ '^#[0-9a-f]{6}$'),
  is_default boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, role_id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX conversation_roles_default_key ON conversation_roles (conversation_id) WHERE is_default;
COMMENT ON TABLE conversation_roles IS 'Roles that conversations define for themselves.';
COMMENT ON COLUMN conversation_roles.conversation_id IS 'Whose role it is.';
COMMENT ON COLUMN conversation_roles.role_id IS 'Made by the server.';
COMMENT ON COLUMN conversation_roles.name IS 'For people.';
COMMENT ON COLUMN conversation_roles.permissions IS 'Permission to true (granted) or false (denied); the rest is the base role''s.';
COMMENT ON COLUMN conversation_roles.colour IS 'As #rrggbb.';
COMMENT ON COLUMN conversation_roles.is_default IS 'Given to whoever comes in; one of a conversation at most.';
COMMENT ON COLUMN conversation_roles.created_at IS 'They are listed in this order.';

ALTER TABLE members
  ADD COLUMN role_id uuid,
  ADD COLUMN overrides jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN cannot_post boolean NOT NULL DEFAULT false,
  ADD COLUMN silenced_until timestamptz,
  ADD COLUMN silenced_by uuid,
  ADD COLUMN silence_reason text,
  ADD COLUMN nickname text,
  ADD COLUMN ban_reason text;
-- A role of the same conversation; its end leaves the member, and who they are.
ALTER TABLE members
  ADD CONSTRAINT members_role_id_fkey FOREIGN KEY (conversation_id, role_id) REFERENCES conversation_roles
    ON DELETE SET NULL (role_id) NOT VALID,
  ADD CONSTRAINT members_overrides_check CHECK (jsonb_typeof(overrides) = 'object') NOT VALID,
  ADD CONSTRAINT members_silenced_check CHECK ((silenced_until IS NULL) = (silenced_by IS NULL)
    AND (silenced_until IS NULL) = (silence_reason IS NULL)) NOT VALID,
  ADD CONSTRAINT members_silence_reason_check CHECK (length(silence_reason) <= 500) NOT VALID,
  ADD CONSTRAINT members_nickname_check CHECK (length(nickname) BETWEEN 1 AND 100) NOT VALID,
  ADD CONSTRAINT members_ban_reason_check CHECK (length(ban_reason) <= 500
    AND (ban_reason IS NULL OR banned_at IS NOT NULL)) NOT VALID;
COMMENT ON COLUMN members.role_id IS 'The custom role, of this conversation.';
COMMENT ON COLUMN members.overrides IS 'Permission to true or false, for this member alone.';
COMMENT ON COLUMN members.cannot_post IS 'Derived for sending: roles and overrides leave no right to post. In groups: what narrows beside the chain.';
COMMENT ON COLUMN members.silenced_until IS 'Silenced by a moderator until then; once it is past, not silenced.';
COMMENT ON COLUMN members.silenced_by IS 'By whom.';
COMMENT ON COLUMN members.silence_reason IS 'Why, for who is silenced and for moderators.';
COMMENT ON COLUMN members.nickname IS 'How they are called here; NULL: as everywhere.';
COMMENT ON COLUMN members.ban_reason IS 'Why they are banned, for moderators.';

GRANT SELECT, INSERT, UPDATE, DELETE ON conversation_roles TO aparte_service;

-- migrate:down
-- An older server knows base roles alone: who was silenced speaks again, and everybody has what their base role gives.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE members
  DROP COLUMN ban_reason, DROP COLUMN nickname, DROP COLUMN silence_reason, DROP COLUMN silenced_by,
  DROP COLUMN silenced_until, DROP COLUMN cannot_post, DROP COLUMN overrides, DROP COLUMN role_id;
DROP TABLE conversation_roles;
