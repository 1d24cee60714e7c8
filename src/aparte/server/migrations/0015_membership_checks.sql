-- Look through what was there before 0012 for its checks, in a transaction of its own: it reads the tables and stops
-- nobody meanwhile.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30min';
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_readable_name_check;
ALTER TABLE members VALIDATE CONSTRAINT members_account_key_check;
ALTER TABLE members VALIDATE CONSTRAINT members_banned_check;

-- migrate:down
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
ALTER TABLE conversations DROP CONSTRAINT conversations_readable_name_check;
ALTER TABLE conversations ADD CONSTRAINT conversations_readable_name_check
  CHECK ((encryption_mode = 'e2ee') = (name IS NULL)) NOT VALID;
ALTER TABLE members DROP CONSTRAINT members_account_key_check, DROP CONSTRAINT members_banned_check;
ALTER TABLE members ADD CONSTRAINT members_account_key_check
  CHECK (account_key IS NULL OR length(account_key) = 33) NOT VALID;
ALTER TABLE members ADD CONSTRAINT members_banned_check CHECK ((banned_at IS NULL) = (banned_by IS NULL)) NOT VALID;
