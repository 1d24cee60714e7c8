-- A word on every table, column and function of 0001 to 0016: docs/schema.sql shows what the catalog says, so this is the
-- one place for it. A word costs a lock that stops neither readers nor writers.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

COMMENT ON TABLE log_generation IS
  'One row: which history of the log this is. Restoring a backup or promoting a standby renews it, so that markers given out before are not trusted.';
COMMENT ON COLUMN log_generation.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN log_generation.generation IS 'Part of every marker.';

COMMENT ON TABLE accounts IS
  'Who there is: people, bots, the system''s own account, and placeholders of deleted accounts. Owned by the slice accounts.';
COMMENT ON COLUMN accounts.account_id IS 'UUIDv4, made by the client.';
COMMENT ON COLUMN accounts.kind IS 'Only a person has a password.';
COMMENT ON COLUMN accounts.username IS 'Unique whatever its case; never contains a colon.';
COMMENT ON COLUMN accounts.email IS 'Unique whatever its case; a person has an e-mail address, a phone number or both.';
COMMENT ON COLUMN accounts.phone IS 'E.164; unique.';
COMMENT ON COLUMN accounts.display_name IS 'What others see; NFC, nothing invisible in it.';
COMMENT ON COLUMN accounts.bio IS 'A few lines about oneself.';
COMMENT ON COLUMN accounts.avatar_url IS 'Address of a picture.';
COMMENT ON COLUMN accounts.status_text IS 'A line under the name.';
COMMENT ON COLUMN accounts.time_zone IS 'IANA name.';
COMMENT ON COLUMN accounts.language IS 'BCP 47.';
COMMENT ON COLUMN accounts.role IS 'On the whole platform; roles in a conversation are in members.';
COMMENT ON COLUMN accounts.status IS 'What the person declares; offline means invisible.';
COMMENT ON COLUMN accounts.privacy IS 'Who may write, add, see and find this person; missing keys mean the defaults.';
COMMENT ON COLUMN accounts.is_active IS 'False: closed; no session opens.';
COMMENT ON COLUMN accounts.is_verified IS 'Somebody has checked who this is.';
COMMENT ON COLUMN accounts.is_suspended IS 'True: no session opens either.';
COMMENT ON COLUMN accounts.password_hash IS 'Argon2id, or bcrypt from an import until the next login.';
COMMENT ON COLUMN accounts.failed_login_attempts IS 'Since the last success or lock.';
COMMENT ON COLUMN accounts.lock_count IS 'Locks in a row: each lasts longer than the one before.';
COMMENT ON COLUMN accounts.locked_until IS 'No login before this moment, whatever the password.';
COMMENT ON COLUMN accounts.last_login_at IS 'When a session was last opened.';
COMMENT ON COLUMN accounts.last_seen_at IS 'When a socket was last active; shown as far as privacy allows.';
COMMENT ON COLUMN accounts.created_at IS 'When it was registered.';
COMMENT ON COLUMN accounts.updated_at IS 'When the profile last changed; logins do not count.';
COMMENT ON COLUMN accounts.deleted_at IS 'When it became a placeholder.';

COMMENT ON TABLE account_revs IS
  'One row per account: the lock under which its state gets revisions. Owned by the slice state.';
COMMENT ON COLUMN account_revs.account_id IS 'Whose.';
COMMENT ON COLUMN account_revs.rev IS 'The newest revision given.';
COMMENT ON COLUMN account_revs.xid IS
  'Transaction of the newest change: how other nodes find what they were not told of.';

COMMENT ON TABLE account_state IS
  'What one''s own devices must see: the latest value of each key. Owned by the slice state.';
COMMENT ON COLUMN account_state.account_id IS 'Whose.';
COMMENT ON COLUMN account_state.key IS 'As `profile`, `contact:<id>`, `membership:<conversation>`.';
COMMENT ON COLUMN account_state.value IS 'NULL: the key is gone.';
COMMENT ON COLUMN account_state.rev IS 'Grows by one per change of the account.';
COMMENT ON COLUMN account_state.updated_at IS 'When it was put.';

COMMENT ON TABLE devices IS 'Where an account is used. Owned by the slice devices.';
COMMENT ON COLUMN devices.device_id IS 'UUIDv4, made and kept by the device.';
COMMENT ON COLUMN devices.account_id IS 'For ever the same.';
COMMENT ON COLUMN devices.name IS 'As its owner calls it.';
COMMENT ON COLUMN devices.platform IS 'What it runs on.';
COMMENT ON COLUMN devices.is_active IS 'False: revoked.';
COMMENT ON COLUMN devices.created_at IS 'When it was registered.';
COMMENT ON COLUMN devices.updated_at IS 'When it was renamed or revoked.';
COMMENT ON COLUMN devices.last_active_at IS 'When it last opened or refreshed a session.';
COMMENT ON COLUMN devices.is_listed IS 'On the account''s newest device list, or the account has none yet.';
COMMENT ON COLUMN devices.linked_at IS 'When another device admitted it; a first device has none.';

COMMENT ON TABLE sessions IS
  'A login on a device. Tokens are derived from (session, generation) with the server''s key: only a hash and an id are here. Owned by the slice sessions.';
COMMENT ON COLUMN sessions.session_id IS 'UUIDv4; known to its owner alone.';
COMMENT ON COLUMN sessions.account_id IS 'Who logged in.';
COMMENT ON COLUMN sessions.device_id IS 'Where; one open session per device.';
COMMENT ON COLUMN sessions.generation IS 'How often the refresh token was exchanged, plus one.';
COMMENT ON COLUMN sessions.refresh_hash IS 'SHA-256 of the refresh token in force, in hexadecimal.';
COMMENT ON COLUMN sessions.previous_refresh_hash IS
  'Of the one before: within the grace it is answered again, later it ends the session.';
COMMENT ON COLUMN sessions.rotated_at IS 'When the refresh token was last exchanged.';
COMMENT ON COLUMN sessions.access_id IS 'Id of the access token in force.';
COMMENT ON COLUMN sessions.access_expires_at IS 'When that token ends.';
COMMENT ON COLUMN sessions.ip IS 'Where the login came from; only here and in the audit trail.';
COMMENT ON COLUMN sessions.user_agent IS 'What program it came from.';
COMMENT ON COLUMN sessions.is_active IS 'False: logged out, revoked or found stolen.';
COMMENT ON COLUMN sessions.created_at IS 'When it was opened.';
COMMENT ON COLUMN sessions.last_active_at IS 'When its tokens were last exchanged.';
COMMENT ON COLUMN sessions.expires_at IS 'When it ends if nothing exchanges its tokens.';

COMMENT ON TABLE contacts IS 'Address books: needs nobody''s consent. Owned by the slice contacts.';
COMMENT ON COLUMN contacts.owner_id IS 'Whose book.';
COMMENT ON COLUMN contacts.contact_id IS 'Who is in it; never its owner.';
COMMENT ON COLUMN contacts.nickname IS 'As the owner calls them.';
COMMENT ON COLUMN contacts.created_at IS 'When they were added.';
COMMENT ON COLUMN contacts.updated_at IS 'When the nickname changed.';

COMMENT ON TABLE blocks IS
  'Who does not want to hear of whom: the only truth about blocks. Owned by the slice contacts.';
COMMENT ON COLUMN blocks.blocker_id IS 'Who blocked.';
COMMENT ON COLUMN blocks.blocked_id IS 'Who is blocked; never the same.';
COMMENT ON COLUMN blocks.reason IS 'For the blocker alone.';
COMMENT ON COLUMN blocks.created_at IS 'Since when.';

COMMENT ON TABLE conversations IS 'What conversations are and say of themselves. Owned by the slice conversations.';
COMMENT ON COLUMN conversations.conversation_id IS
  'UUIDv4, made by the server; of an e2ee one UUIDv8, following from its members or its first statement.';
COMMENT ON COLUMN conversations.kind IS 'What kind of conversation it is, for good.';
COMMENT ON COLUMN conversations.encryption_mode IS 'server: the server can read it, and says so.';
COMMENT ON COLUMN conversations.is_public IS 'Found in the directory and open to everybody with an account.';
COMMENT ON COLUMN conversations.name IS 'NULL exactly in e2ee ones: what those are called is sealed.';
COMMENT ON COLUMN conversations.name_key IS 'The name as it is compared, whatever its case; unique among public ones.';
COMMENT ON COLUMN conversations.topic IS 'One line.';
COMMENT ON COLUMN conversations.description IS 'Some lines.';
COMMENT ON COLUMN conversations.creator_id IS 'NULL once the account is gone.';
COMMENT ON COLUMN conversations.max_members IS 'Beyond it joining is refused.';
COMMENT ON COLUMN conversations.member_count IS 'Current members, changed with members in one transaction.';
COMMENT ON COLUMN conversations.created_at IS 'When it was made.';
COMMENT ON COLUMN conversations.updated_at IS 'When it last changed what it says of itself.';
COMMENT ON COLUMN conversations.deleted_at IS 'Set: nobody finds it any more.';

COMMENT ON TABLE heads IS
  'The row that every writer of a conversation locks first, in id order. No index on anything that a send changes, so that updates stay on their page. Owned by the slice log.';
COMMENT ON COLUMN heads.conversation_id IS 'Whose log.';
COMMENT ON COLUMN heads.epoch IS 'Grows with members and devices in e2ee conversations; 0 elsewhere.';
COMMENT ON COLUMN heads.last_seq IS 'Position of the newest entry.';
COMMENT ON COLUMN heads.last_id IS 'Id of the newest entry: pages begin here.';
COMMENT ON COLUMN heads.last_xid IS
  'Transaction of the newest entry: how it is found who moved, exact however long a COMMIT takes.';
COMMENT ON COLUMN heads.last_ordinal IS 'Of the newest message: messages ever sent, never falls.';
COMMENT ON COLUMN heads.message_count IS 'Messages that are there: deletions take one off.';
COMMENT ON COLUMN heads.floor_seq IS 'Oldest position kept.';
COMMENT ON COLUMN heads.floor_id IS 'Its id; older cursors are answered `resync`.';
COMMENT ON COLUMN heads.last_message_at IS 'When the newest message was sent.';
COMMENT ON COLUMN heads.roster IS 'Of the epoch, in e2ee conversations: stands for the members and their devices.';

COMMENT ON TABLE members IS
  'Who is or was in a conversation; who comes back gets the same row with a new beginning. Owned by the slice conversations.';
COMMENT ON COLUMN members.conversation_id IS 'Where.';
COMMENT ON COLUMN members.account_id IS 'Who.';
COMMENT ON COLUMN members.role IS 'One owner per conversation.';
COMMENT ON COLUMN members.joined_seq IS 'Position of the joining.';
COMMENT ON COLUMN members.joined_id IS 'Its id.';
COMMENT ON COLUMN members.joined_at IS 'When, this time.';
COMMENT ON COLUMN members.left_seq IS 'Position of the leaving; NULL while a member.';
COMMENT ON COLUMN members.left_id IS 'Its id.';
COMMENT ON COLUMN members.left_at IS 'When; NULL while a member.';
COMMENT ON COLUMN members.invited_by IS 'Account that let them in, if any did.';
COMMENT ON COLUMN members.message_count IS 'Messages sent here.';
COMMENT ON COLUMN members.read_seq IS 'The read mark: position.';
COMMENT ON COLUMN members.read_id IS 'The read mark: id.';
COMMENT ON COLUMN members.read_ordinal IS
  'The read mark: ordinal; unread = head''s ordinal − this − exceptions after it.';
COMMENT ON COLUMN members.statement IS
  'With a chain of statements: number of the one that let them in, which is the order of admission.';
COMMENT ON COLUMN members.account_key IS 'With a chain of statements: the account key they were let in with.';
COMMENT ON COLUMN members.list_version IS
  'With a chain of statements: the newest list version they ever signed one with.';
COMMENT ON COLUMN members.is_removed IS 'With a chain of statements: was removed and comes back only by being added.';
COMMENT ON COLUMN members.banned_at IS 'Set: is let in no more until it is lifted.';
COMMENT ON COLUMN members.banned_by IS 'Who banned them.';

COMMENT ON TABLE messages IS
  'Entries of kind 1, a month per partition by id: readable or sealed. What stands here is the original; edits are entries. Owned by the slice messages.';
COMMENT ON COLUMN messages.conversation_id IS 'Where.';
COMMENT ON COLUMN messages.id IS
  'UUIDv7 given under the head''s lock: order by id = order by seq; its first 48 bits are the time.';
COMMENT ON COLUMN messages.seq IS '1, 2, 3 … without gaps in a conversation, over messages and entries together.';
COMMENT ON COLUMN messages.account_id IS 'Who sent it; no reference: sending has just proved the member.';
COMMENT ON COLUMN messages.device_id IS 'From which device.';
COMMENT ON COLUMN messages.client_message_id IS 'Made by the client: what makes a repeat a repeat.';
COMMENT ON COLUMN messages.ordinal IS '1, 2, 3 … among the messages of the conversation, for unread counts.';
COMMENT ON COLUMN messages.content IS 'The original, of a readable message; NULL once erased.';
COMMENT ON COLUMN messages.edit_id IS 'The newest edit: what the message says now.';
COMMENT ON COLUMN messages.edit_count IS 'How many edits.';
COMMENT ON COLUMN messages.deletion_id IS 'The entry that deleted it for everyone, while it is deleted.';
COMMENT ON COLUMN messages.xid IS 'Transaction that wrote it, for nodes that look for what they were not told of.';
COMMENT ON COLUMN messages.erased_at IS 'When the content was taken away; the skeleton stays.';
COMMENT ON COLUMN messages.epoch IS 'Of a sealed message: what it was sealed for.';
COMMENT ON COLUMN messages.counter IS 'Of a sealed message: 1, 2, 3 … of its device in the conversation.';
COMMENT ON COLUMN messages.prev IS 'Of a sealed message: hash of its device''s entry before.';
COMMENT ON COLUMN messages.target_seq IS 'Position of the root of its thread, if it is in one.';
COMMENT ON COLUMN messages.target_id IS 'Id of that root.';
COMMENT ON COLUMN messages.target IS 'Of a sealed message: the hash of that root.';
COMMENT ON COLUMN messages.sealed IS
  'The original, of a sealed message: nobody but its readers can read it. NULL once erased.';
COMMENT ON COLUMN messages.sealed_hash IS 'SHA-256 of what was sealed, once it is erased: the chain of hashes holds.';

COMMENT ON TABLE entries IS
  'Everything else that takes a position, a month per partition by id; kinds are in docs/protocol/kinds.md. Owned by the slice log.';
COMMENT ON COLUMN entries.conversation_id IS 'Where.';
COMMENT ON COLUMN entries.id IS 'As in messages: one order over both tables.';
COMMENT ON COLUMN entries.seq IS 'As in messages: one count over both tables.';
COMMENT ON COLUMN entries.kind IS 'Number in the registry of kinds; never 1.';
COMMENT ON COLUMN entries.account_id IS 'Who did it.';
COMMENT ON COLUMN entries.device_id IS 'From which device, if it was one.';
COMMENT ON COLUMN entries.client_message_id IS 'If a client made one.';
COMMENT ON COLUMN entries.target_seq IS 'Position of the message it changes.';
COMMENT ON COLUMN entries.target_id IS 'Its id.';
COMMENT ON COLUMN entries.body IS 'The struct of its kind; NULL once erased.';
COMMENT ON COLUMN entries.xid IS 'As in messages.';
COMMENT ON COLUMN entries.erased_at IS 'When the body was taken away.';
COMMENT ON COLUMN entries.epoch IS 'As in messages, as all that follows; only of what people seal.';
COMMENT ON COLUMN entries.counter IS 'Of its device''s chain, which goes through both tables.';
COMMENT ON COLUMN entries.prev IS 'Hash of its device''s entry before.';
COMMENT ON COLUMN entries.target IS 'Hash of the message it changes.';
COMMENT ON COLUMN entries.sealed IS 'What was done, for its readers alone.';
COMMENT ON COLUMN entries.sealed_hash IS 'SHA-256 of it, once it is erased.';
COMMENT ON COLUMN entries.tag IS
  'Of a reaction: the same for the same person, message and emoji, and tells which to nobody else.';
COMMENT ON COLUMN entries.is_on IS 'Of a deletion, reaction or pin: false takes it back.';

COMMENT ON TABLE sends IS
  'What was sent in the last 30 days, whatever became of it: a repeat is answered as before. Owned by the slice messages.';
COMMENT ON COLUMN sends.conversation_id IS 'Where.';
COMMENT ON COLUMN sends.device_id IS 'Key together with conversation and client id.';
COMMENT ON COLUMN sends.client_message_id IS 'Made by the client.';
COMMENT ON COLUMN sends.id IS 'The entry it became.';
COMMENT ON COLUMN sends.seq IS 'Its position.';
COMMENT ON COLUMN sends.digest IS
  'First 8 bytes of SHA-256 over what was asked: another content under the same id is refused.';

COMMENT ON TABLE hidden_messages IS 'Messages that somebody deleted for themselves only. Owned by the slice messages.';
COMMENT ON COLUMN hidden_messages.account_id IS 'For whom it is hidden.';
COMMENT ON COLUMN hidden_messages.conversation_id IS 'Where it is.';
COMMENT ON COLUMN hidden_messages.id IS 'Which message.';
COMMENT ON COLUMN hidden_messages.ordinal IS 'Of the message: an exception of the unread count.';
COMMENT ON COLUMN hidden_messages.created_at IS 'Since when.';

COMMENT ON TABLE receipts IS
  'Ranges, insert-only: this device has stored, or shown, everything up to here. Owned by the slice receipts.';
COMMENT ON COLUMN receipts.conversation_id IS 'Where.';
COMMENT ON COLUMN receipts.kind IS 'read implies delivered.';
COMMENT ON COLUMN receipts.device_id IS 'Which device says so.';
COMMENT ON COLUMN receipts.up_to_seq IS 'Up to which position.';
COMMENT ON COLUMN receipts.at IS 'When; of a message it is the earliest row at or above its position.';

COMMENT ON TABLE audit_entries IS
  'Who did what, append-only, a month per partition; ids are copied without references. Owned by the slice audit.';
COMMENT ON COLUMN audit_entries.id IS 'UUIDv7.';
COMMENT ON COLUMN audit_entries.created_at IS 'When.';
COMMENT ON COLUMN audit_entries.event IS 'What happened, in the past tense: `session_opened`.';
COMMENT ON COLUMN audit_entries.severity IS 'How much it matters.';
COMMENT ON COLUMN audit_entries.account_id IS 'Who did it, if somebody did.';
COMMENT ON COLUMN audit_entries.session_id IS 'In which session.';
COMMENT ON COLUMN audit_entries.request_id IS 'In which request.';
COMMENT ON COLUMN audit_entries.conversation_id IS 'In which conversation.';
COMMENT ON COLUMN audit_entries.resource_type IS 'What it was done to: kind of thing.';
COMMENT ON COLUMN audit_entries.resource_id IS 'What it was done to: its id.';
COMMENT ON COLUMN audit_entries.ip IS 'For security events alone.';
COMMENT ON COLUMN audit_entries.user_agent IS 'For security events alone.';
COMMENT ON COLUMN audit_entries.details IS 'Ids and numbers; never content or secrets.';

COMMENT ON TABLE pgqueuer IS 'Jobs that wait or run. Defined by PgQueuer; owned by the slice jobs.';
COMMENT ON COLUMN pgqueuer.id IS 'Serial.';
COMMENT ON COLUMN pgqueuer.priority IS 'Higher first.';
COMMENT ON COLUMN pgqueuer.queue_manager_id IS 'The process that runs it.';
COMMENT ON COLUMN pgqueuer.created IS 'When it was queued.';
COMMENT ON COLUMN pgqueuer.updated IS 'When it last changed.';
COMMENT ON COLUMN pgqueuer.heartbeat IS 'Last sign of life of the process that runs it.';
COMMENT ON COLUMN pgqueuer.execute_after IS 'Not before.';
COMMENT ON COLUMN pgqueuer.status IS 'queued or picked, failed when given up.';
COMMENT ON COLUMN pgqueuer.entrypoint IS 'Name of the job.';
COMMENT ON COLUMN pgqueuer.dedupe_key IS 'While it waits or runs there is no second one with this key.';
COMMENT ON COLUMN pgqueuer.payload IS 'The struct that was enqueued, as JSON.';
COMMENT ON COLUMN pgqueuer.headers IS 'Not used by us.';
COMMENT ON COLUMN pgqueuer.attempts IS 'How often it was tried.';
COMMENT ON COLUMN pgqueuer.slot IS 'Not used by us.';

COMMENT ON TABLE pgqueuer_log IS 'What became of jobs, kept 30 days. Defined by PgQueuer; owned by the slice jobs.';
COMMENT ON COLUMN pgqueuer_log.id IS 'Serial.';
COMMENT ON COLUMN pgqueuer_log.created IS 'When.';
COMMENT ON COLUMN pgqueuer_log.job_id IS 'Which job.';
COMMENT ON COLUMN pgqueuer_log.status IS 'What became of it.';
COMMENT ON COLUMN pgqueuer_log.priority IS 'As in pgqueuer.';
COMMENT ON COLUMN pgqueuer_log.entrypoint IS 'As in pgqueuer.';
COMMENT ON COLUMN pgqueuer_log.traceback IS 'Never written by us: exceptions may quote what people wrote.';
COMMENT ON COLUMN pgqueuer_log.aggregated IS 'Counted into statistics.';

COMMENT ON TABLE pgqueuer_schedules IS 'The calendar. Defined by PgQueuer; owned by the slice jobs.';
COMMENT ON COLUMN pgqueuer_schedules.id IS 'Serial.';
COMMENT ON COLUMN pgqueuer_schedules.expression IS 'Cron expression, UTC.';
COMMENT ON COLUMN pgqueuer_schedules.entrypoint IS 'Name of the step.';
COMMENT ON COLUMN pgqueuer_schedules.heartbeat IS 'Last sign of life of the process that runs it.';
COMMENT ON COLUMN pgqueuer_schedules.created IS 'When the row was made.';
COMMENT ON COLUMN pgqueuer_schedules.updated IS 'When it last changed.';
COMMENT ON COLUMN pgqueuer_schedules.next_run IS 'When it is due.';
COMMENT ON COLUMN pgqueuer_schedules.last_run IS 'When it last ran.';
COMMENT ON COLUMN pgqueuer_schedules.status IS 'queued or picked.';

COMMENT ON TABLE pgqueuer_statistics IS 'Counts of jobs by second. Defined by PgQueuer; owned by the slice jobs.';
COMMENT ON COLUMN pgqueuer_statistics.id IS 'Serial.';
COMMENT ON COLUMN pgqueuer_statistics.created IS 'Which second.';
COMMENT ON COLUMN pgqueuer_statistics.count IS 'How many.';
COMMENT ON COLUMN pgqueuer_statistics.priority IS 'As in pgqueuer.';
COMMENT ON COLUMN pgqueuer_statistics.status IS 'As in pgqueuer.';
COMMENT ON COLUMN pgqueuer_statistics.entrypoint IS 'As in pgqueuer.';

COMMENT ON TABLE login_failures IS
  'Guesses at names that nobody has, counted like guesses at accounts, so that a lock does not tell which names exist. Owned by the slice accounts.';
COMMENT ON COLUMN login_failures.name_key IS
  'A MAC of the name under the server''s key: people type passwords into the wrong field.';
COMMENT ON COLUMN login_failures.failed_login_attempts IS 'As in accounts.';
COMMENT ON COLUMN login_failures.lock_count IS 'As in accounts.';
COMMENT ON COLUMN login_failures.locked_until IS 'As in accounts.';
COMMENT ON COLUMN login_failures.tried_at IS 'The newest guess; rows are forgotten by it.';

COMMENT ON TABLE device_lists IS
  'Every version of every account''s signed device list; never changed, never removed. Owned by the slice keys.';
COMMENT ON COLUMN device_lists.account_id IS 'Whose devices.';
COMMENT ON COLUMN device_lists.version IS '1, 2, 3 … without gaps.';
COMMENT ON COLUMN device_lists.list IS 'The signed bytes: 108 and 54 for each device.';
COMMENT ON COLUMN device_lists.signature IS 'XEdDSA by the account key that the list names.';
COMMENT ON COLUMN device_lists.previous_signature IS 'By the account key before, if this version brings another one.';
COMMENT ON COLUMN device_lists.hash IS 'SHA-256 of `list`, which the next version names.';
COMMENT ON COLUMN device_lists.created_at IS 'When it was stored.';

COMMENT ON TABLE device_prekeys IS
  'What a device has published to begin sessions with it. Public keys alone. Owned by the slice keys.';
COMMENT ON COLUMN device_prekeys.device_id IS 'Whose.';
COMMENT ON COLUMN device_prekeys.account_id IS 'Its account.';
COMMENT ON COLUMN device_prekeys.registration_id IS 'Made with the identity; fixed at the first upload.';
COMMENT ON COLUMN device_prekeys.identity IS '05 and the X25519 key that signs the others; fixed at the first upload.';
COMMENT ON COLUMN device_prekeys.signed_id IS 'Number of the signed prekey.';
COMMENT ON COLUMN device_prekeys.signed_key IS 'The signed prekey, renewed every 7 days.';
COMMENT ON COLUMN device_prekeys.signed_signature IS 'XEdDSA by the identity.';
COMMENT ON COLUMN device_prekeys.last_resort_id IS 'Number of the last-resort Kyber prekey.';
COMMENT ON COLUMN device_prekeys.last_resort_key IS 'The Kyber-1024 prekey for when no one-time one is left.';
COMMENT ON COLUMN device_prekeys.last_resort_signature IS 'XEdDSA by the identity.';
COMMENT ON COLUMN device_prekeys.one_time_high IS 'Highest number of a one-time X25519 prekey that was ever stored.';
COMMENT ON COLUMN device_prekeys.one_time_kem_high IS 'The same of one-time Kyber prekeys.';
COMMENT ON COLUMN device_prekeys.updated_at IS 'When something was published last.';

COMMENT ON TABLE one_time_prekeys IS
  'One-time prekeys in stock: handing one out deletes it, and a number up to the high mark never comes back. Owned by the slice keys.';
COMMENT ON COLUMN one_time_prekeys.device_id IS 'Whose.';
COMMENT ON COLUMN one_time_prekeys.is_kem IS 'A Kyber-1024 key; else X25519.';
COMMENT ON COLUMN one_time_prekeys.key_id IS 'Number given by the device.';
COMMENT ON COLUMN one_time_prekeys.key IS 'The public key with its type byte.';
COMMENT ON COLUMN one_time_prekeys.signature IS 'XEdDSA by the identity; of Kyber keys alone.';

COMMENT ON TABLE device_envelopes IS
  'Pairwise messages that belong to no entry, until their device acknowledges them; 60 days at most. Owned by the slice keys.';
COMMENT ON COLUMN device_envelopes.device_id IS 'For whom.';
COMMENT ON COLUMN device_envelopes.id IS 'UUIDv7 given by the server: their order.';
COMMENT ON COLUMN device_envelopes.account_id IS 'Whose device sent it.';
COMMENT ON COLUMN device_envelopes.sender_device_id IS 'From which device.';
COMMENT ON COLUMN device_envelopes.payload_id IS 'Made by the sender, so that a repeat is stored once.';
COMMENT ON COLUMN device_envelopes.type IS '2 a message of a session, 3 its first.';
COMMENT ON COLUMN device_envelopes.body IS 'Encrypted for that device alone.';

COMMENT ON TABLE epochs IS
  'Every epoch of an e2ee conversation, so that the head of an old entry can be rebuilt. Owned by the slice log.';
COMMENT ON COLUMN epochs.conversation_id IS 'Where.';
COMMENT ON COLUMN epochs.epoch IS '1, 2, 3 … without gaps.';
COMMENT ON COLUMN epochs.roster IS 'Of this epoch, for good.';
COMMENT ON COLUMN epochs.seq IS 'The position it begins at.';
COMMENT ON COLUMN epochs.statement IS 'Number of the newest membership statement; 0 where there are none.';
COMMENT ON COLUMN epochs.id IS
  'Of the entry it begins with; NULL in those from before there were groups, and where there is no entry.';
COMMENT ON COLUMN epochs.changed IS
  'Members whose list is another than in the epoch before: account 16 || version be64, 0 is out.';
COMMENT ON COLUMN epochs.added IS 'Devices that can read from here on and could not before, 16 bytes each.';
COMMENT ON COLUMN epochs.has_removed IS 'Somebody or some device is out, or an account key is another one.';

COMMENT ON TABLE chains IS
  'The newest sealed entry of each device: the next continues its counter and names its hash. Owned by the slice log.';
COMMENT ON COLUMN chains.conversation_id IS 'Where.';
COMMENT ON COLUMN chains.device_id IS 'Whose.';
COMMENT ON COLUMN chains.counter IS 'Of its newest entry: how many it has sealed here.';
COMMENT ON COLUMN chains.hash IS 'Of its newest entry.';

COMMENT ON TABLE message_key_sets IS
  'The keys of one sealed entry on their way, until every device has acknowledged it; 60 days at most: envelopes, or a group key, one for all. Owned by the slice messages.';
COMMENT ON COLUMN message_key_sets.conversation_id IS 'Where.';
COMMENT ON COLUMN message_key_sets.seq IS 'Position of the entry.';
COMMENT ON COLUMN message_key_sets.id IS 'Its id, for its age.';
COMMENT ON COLUMN message_key_sets.envelopes IS
  'count u8 || device 16 × n || (type u8 || length be16 || body) × n; each device is given its own.';
COMMENT ON COLUMN message_key_sets.group_key IS
  'The sender-key message that holds the entry''s key; every device is given it.';

COMMENT ON TABLE link_offers IS
  'Offers of new devices to be linked, for two minutes; gone with the session that made them. Owned by the slice linking.';
COMMENT ON COLUMN link_offers.offer_id IS 'Made by the new device, which shows it.';
COMMENT ON COLUMN link_offers.account_id IS 'Whose list it wants to be on.';
COMMENT ON COLUMN link_offers.device_id IS 'The new device.';
COMMENT ON COLUMN link_offers.session_id IS 'Its login, which can do nothing else.';
COMMENT ON COLUMN link_offers.ip IS 'Where it asked from, for the eyes of its owner.';
COMMENT ON COLUMN link_offers.offer IS 'Identity, registration id, device and ML-KEM key.';
COMMENT ON COLUMN link_offers.answer IS 'What a listed device answered, once; only the new device can use it.';
COMMENT ON COLUMN link_offers.answered_by IS 'Which device that is; it alone may admit.';
COMMENT ON COLUMN link_offers.container IS 'What is for the new device, sealed; there once it was admitted.';
COMMENT ON COLUMN link_offers.list_version IS 'The version of the list that names it first.';
COMMENT ON COLUMN link_offers.created_at IS 'When.';
COMMENT ON COLUMN link_offers.expires_at IS 'Two minutes later; ten after the admission.';

COMMENT ON TABLE statements IS
  'The signed chain that membership follows from, wherever more than two are in something encrypted. Owned by the slice conversations.';
COMMENT ON COLUMN statements.conversation_id IS 'Where.';
COMMENT ON COLUMN statements.number IS '1, 2, 3 … without gaps.';
COMMENT ON COLUMN statements.statement IS 'As it was signed.';
COMMENT ON COLUMN statements.signature IS 'By the account key of who did it.';
COMMENT ON COLUMN statements.link_signature IS 'Of a joining, also by the key of the invite link.';
COMMENT ON COLUMN statements.epoch IS 'That began with it, or with a later one stored together with it.';

COMMENT ON TABLE memberships IS
  'The end of each chain of statements, and what follows from it for the conversation as a whole. Owned by the slice conversations.';
COMMENT ON COLUMN memberships.conversation_id IS 'Where.';
COMMENT ON COLUMN memberships.number IS 'Of the newest statement.';
COMMENT ON COLUMN memberships.hash IS 'Of the newest statement: the next one names it.';
COMMENT ON COLUMN memberships.policy IS
  'Bits: 1 members may add, 2 history may be passed on, 4 only moderators up write.';

COMMENT ON TABLE invite_links IS
  'Links into encrypted groups, rooms and channels, open and closed. Owned by the slice conversations.';
COMMENT ON COLUMN invite_links.conversation_id IS 'Where it leads.';
COMMENT ON COLUMN invite_links.link_id IS 'First half of the SHA-256 of its key.';
COMMENT ON COLUMN invite_links.link_key IS 'What joinings are signed with.';
COMMENT ON COLUMN invite_links.account_id IS 'Who opened it: whoever comes by it is their guest.';
COMMENT ON COLUMN invite_links.role IS 'What it makes of who comes.';
COMMENT ON COLUMN invite_links.expires IS 'Seconds since 1970; 0 never.';
COMMENT ON COLUMN invite_links.uses IS 'How many may come; 0 any number.';
COMMENT ON COLUMN invite_links.used IS 'How many came.';
COMMENT ON COLUMN invite_links.is_open IS 'False once it is closed.';
COMMENT ON COLUMN invite_links.token_hash IS 'SHA-256 of the token that finds it.';
COMMENT ON COLUMN invite_links.card IS
  'What the conversation is called, sealed for those who have the link; NULL once it is closed.';

COMMENT ON TABLE sender_chains IS
  'The sender-key chain that a device last used in a conversation. Owned by the slice messages.';
COMMENT ON COLUMN sender_chains.conversation_id IS 'Where.';
COMMENT ON COLUMN sender_chains.device_id IS 'Whose chain.';
COMMENT ON COLUMN sender_chains.chain_id IS 'Its number, made by the device.';
COMMENT ON COLUMN sender_chains.complete IS 'The newest epoch in which every device that could read had it.';
COMMENT ON COLUMN sender_chains.has_pending IS 'Distributions came since: the next entry commits them.';

COMMENT ON TABLE distributions IS
  'What one device needs to read another''s chain, on its way there; 60 days at most. Owned by the slice messages.';
COMMENT ON COLUMN distributions.conversation_id IS 'Where.';
COMMENT ON COLUMN distributions.sender_device_id IS 'Whose chain.';
COMMENT ON COLUMN distributions.chain_id IS 'Which.';
COMMENT ON COLUMN distributions.device_id IS 'For whom.';
COMMENT ON COLUMN distributions.id IS 'Of the upload; of the entry once there is one.';
COMMENT ON COLUMN distributions.epoch IS 'In which the device was found to be listed.';
COMMENT ON COLUMN distributions.type IS '2 a pairwise message, 3 a first one, 0 empty.';
COMMENT ON COLUMN distributions.body IS 'The pairwise message.';
COMMENT ON COLUMN distributions.seq IS
  'Position of the entry that committed it; without, it is pending and nobody is given it.';

COMMENT ON TABLE objects IS
  'Sealed objects that members of encrypted conversations leave for each other, for 30 days. Owned by the slice objects.';
COMMENT ON COLUMN objects.conversation_id IS 'Whose present members may fetch it.';
COMMENT ON COLUMN objects.object_id IS 'Made by the client that left it.';
COMMENT ON COLUMN objects.account_id IS 'Who left it.';
COMMENT ON COLUMN objects.blob_id IS 'The file that holds it, written before the row, under a name never used again.';
COMMENT ON COLUMN objects.size IS 'In bytes.';
COMMENT ON COLUMN objects.sha256 IS 'Of the bytes: the same again is done, others are refused.';
COMMENT ON COLUMN objects.created_at IS 'When.';

COMMENT ON FUNCTION touch_updated_at IS 'Trigger: sets updated_at.';
COMMENT ON FUNCTION id_at(bigint) IS 'The smallest UUIDv7 of a millisecond: the border of a month.';
COMMENT ON FUNCTION id_at(timestamptz) IS 'The smallest UUIDv7 of a moment.';
COMMENT ON FUNCTION id_now IS 'A new UUIDv7 of a moment; its low 47 bits are random and count upwards from there.';
COMMENT ON FUNCTION id_after IS 'The n-th id after another.';
COMMENT ON FUNCTION make_months IS
  'Makes months of messages and entries that are missing; for the maintenance role. Gives how many.';
COMMENT ON FUNCTION send_v1 IS
  'Writes a batch of readable messages in two statements, lock first: one outcome each (migration 0003); stays for servers of before.';
COMMENT ON FUNCTION append_v1 IS
  'Gives the next position to an entry of another kind; SQLSTATE AP001 when the clock is a day behind the log.';
COMMENT ON FUNCTION refuse_change IS 'Trigger: the audit trail is append-only.';
COMMENT ON FUNCTION make_audit_months IS
  'Makes months of audit_entries that are missing; for the maintenance role. Gives how many.';
COMMENT ON FUNCTION fn_pgqueuer_changed IS 'Trigger of PgQueuer: NOTIFY when jobs change.';
COMMENT ON FUNCTION send_v2 IS 'send_v1, also for sealed entries (migration 0008); stays for servers of before.';
COMMENT ON FUNCTION raise_epochs_v1 IS 'raise_epochs_v2 without what is different; stays for servers of before.';
COMMENT ON FUNCTION erase_envelopes_v1 IS
  'Erases the envelopes of ranges that nobody waits for any more; gives how many sets went.';
COMMENT ON FUNCTION raise_epochs_v2 IS
  'Begins the next epoch of many conversations, with an entry in each that says what is different from the epoch before; SQLSTATE AP001 as append_v1.';
COMMENT ON FUNCTION append_statements_v1 IS
  'Appends membership statements, the last of which begins the next epoch; SQLSTATE AP001 as append_v1.';
COMMENT ON FUNCTION send_v3 IS
  'send_v2, also with group keys, chains and the distributions they commit (migration 0013); stays for servers of before.';
COMMENT ON FUNCTION forget_distributions_v1 IS
  'Forgets the distributions that their devices have acknowledged; gives how many went.';
COMMENT ON FUNCTION erase_group_keys_v1 IS
  'Erases the group keys that every device has, and distributions for devices that cannot read any more.';

-- migrate:down
-- Columns that later migrations added brought their words, and keep them.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';
DO $$
DECLARE
  tables name[] := '{
    log_generation, accounts, account_revs, account_state, devices, sessions, contacts, blocks, conversations,
    heads, members, messages, entries, sends, hidden_messages, receipts, audit_entries, pgqueuer, pgqueuer_log,
    pgqueuer_schedules, pgqueuer_statistics, login_failures, device_lists, device_prekeys, one_time_prekeys,
    device_envelopes, epochs, chains, message_key_sets, link_offers, statements, memberships, invite_links,
    sender_chains, distributions, objects
  }';
  keep text[] := '{
    conversations.welcome, conversations.rules, conversations.picture, conversations.is_nsfw,
    conversations.language, conversations.slow_mode_seconds, conversations.ttl_seconds,
    conversations.is_archived, conversations.metadata, heads.slow_seconds, heads.ttl_seconds, heads.closed,
    heads.is_screened, members.role_id, members.overrides, members.cannot_post, members.silenced_until,
    members.silenced_by, members.silence_reason, members.nickname, members.ban_reason, members.last_sent_at,
    messages.reply_id, messages.expires_at, distributions.kept_until
  }';
  functions name[] := '{
    touch_updated_at, id_at, id_now, id_after, make_months, send_v1, append_v1, refuse_change,
    make_audit_months, fn_pgqueuer_changed, send_v2, raise_epochs_v1, erase_envelopes_v1, raise_epochs_v2,
    append_statements_v1, send_v3, forget_distributions_v1, erase_group_keys_v1
  }';
  thing text;
BEGIN
  FOR thing IN
    SELECT CASE WHEN a.attname IS NULL THEN format('TABLE %I', c.relname) ELSE format('COLUMN %I.%I', c.relname, a.attname) END
      FROM pg_description d
      JOIN pg_class c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (tables)
       AND coalesce(c.relname || '.' || a.attname <> ALL (keep), true)
    UNION ALL
    SELECT 'FUNCTION ' || p.oid::regprocedure FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY (functions)
  LOOP
    EXECUTE 'COMMENT ON ' || thing || ' IS NULL';
  END LOOP;
END $$;
