"""Every limit of the wire in one place; each is tested at the limit and one past it."""

PROTOCOL = 1
"""The version of the gateway that `hello` names."""

BODY_BYTES = 524_288
"""Largest REST body."""
FRAME_BYTES = 262_144
"""Largest gateway frame: one sealed body of 65,536 bytes with its envelopes fits, in JSON too."""
JSON_DEPTH = 8
"""Deepest nesting of free JSON (metadata)."""
SAFE_INTEGER = 2**53 - 1
"""Integers beyond it are not the same number in every client."""

USERNAME = (3, 50)
DISPLAY_NAME = 100
EMAIL = 255
PHONE = 20
PASSWORD = (8, 256)
STATUS_TEXT = 200
BIO = 1_000
TIME_ZONE = 50
LANGUAGE = 10
AVATAR_URL = 500
DEVICE_NAME = 100
NICKNAME = 100
BLOCK_REASON = 500

ROOM_NAME = 100
TOPIC = 500
DESCRIPTION = 2_000
WELCOME = 2_000
RULES = 4_000
MEMBERS = 10_000
"""Members of a conversation that the server can read."""
SLOW_MODE_SECONDS = 3_600
TEXT = 4_000
METADATA_BYTES = 8_192
METADATA_KEYS = 50
METADATA_QUERY = 500
"""Characters of JSON in an address: its line fits whatever they are, though each may become twelve."""
STATE_KEY = 100

PAGE_MESSAGES = 100
PAGE_ENTRIES = 500
PAGE_CHANGES = 500
PAGE_LIST = 100
WATCHED = 200
"""How many accounts and conversations one socket may watch for presence and typing."""
DEVICES = 10
"""Devices of one account."""
CONTACTS = 2_000
"""Entries of one address book: the list is answered whole."""
BLOCKS = 2_000
"""People that one account may block."""

LISTED_DEVICES = 32
"""Devices that a list can hold; ten is what the server's policy allows."""
DEVICE_LIST_BYTES = 108 + 54 * LISTED_DEVICES
LIST_VERSIONS = 100
"""Versions of one account's list in one answer."""
ONE_TIME_PREKEYS = 100
"""One-time prekeys of one kind in one upload."""
ONE_TIME_PREKEYS_KEPT = 200
"""One-time prekeys of one kind that the server keeps for a device."""
ENVELOPES = 2 * LISTED_DEVICES
ENVELOPE_BYTES = 4_096
SEALED_BYTES = 65_536
PAYLOAD_BYTES = 16_384
PAGE_PAYLOADS = 100
PAYLOADS_KEPT = 1_000
"""Payloads that wait for one device; one more is refused."""
LINK_CONTAINER_BYTES = 262_144
"""What a new device is given: the account key, the list, the pins of a few thousand people."""

GROUP_MEMBERS = 500
"""Members of an end-to-end encrypted conversation."""
STATEMENT_BYTES = 165
INVITE_CARD_BYTES = 12_288
"""A sealed invite card: name, topic and description at their longest fit."""
PAGE_STATEMENTS = 500
GROUP_KEY_BYTES = 4_096
"""A sender-key message with the content key of an entry; with a restore, of the message's edits too."""
DISTRIBUTIONS = 100
"""Envelopes of one part of a distribution."""
BUNDLE_ACCOUNTS = 50
"""People whose devices' bundles are asked for at once; of their devices BUNDLES in all."""
BUNDLES = 100
OBJECT_BYTES = 262_144
"""A sealed object: a part of the history that is passed on."""

MENTIONS = 50
"""People that one message mentions."""
REFERENCES = 10
"""Other messages that one message refers to, beside the one it answers."""
TTL_SECONDS = (5, 28 * 86_400)
"""How long a disappearing message is there."""
REACTION = 20
"""Characters of a reaction."""
REACTIONS_EACH = 20
"""Different reactions of one person to one message."""
REACTION_KINDS = 50
"""Different reactions of everybody to one message that the server can read."""
REACTORS_SHOWN = 50
"""People named with one reaction; the count says how many there are."""
PINS = 100
"""Pinned messages of one conversation."""
SCHEDULED = 100
"""Messages that one person has scheduled in one conversation."""
SCHEDULE_DAYS = 366
SCHEDULE_SEALED_DAYS = 21
"""How far ahead what is sealed can be scheduled: the keys that open it go out at once."""
IDEMPOTENCY_KEY = 100

ROLE_NAME = 50
CUSTOM_ROLES = 50
"""Roles that one conversation defines."""
REASON = 500
"""Why somebody was silenced or banned, a message flagged or held."""
BANS = 2_000
"""People who are banned from one conversation: the list is answered whole."""
INVITES = 100
"""Open invite links of one conversation."""
LABEL = 50
LABELS = 20
"""Labels that one person gives one conversation."""
DRAFT_BYTES = 16_384
"""A draft as one's own devices seal it."""
REQUEST_NOTE = 200
REQUESTS = 500
"""Contact requests of one account that wait for an answer."""
REQUEST_AGAIN_DAYS = 7

WORD = 100
WORDS = 1_000
"""Entries of one word list."""
HELD = 50
"""Messages of one person that wait for a moderator of one conversation."""
FLAGS_UNTIL_SHOWN = 3
"""Different people whose flags make a message flagged."""

QUERY = 200
"""Characters of a search."""
PAGE_FOUND = 50
