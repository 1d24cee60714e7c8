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
TEXT = 4_000
METADATA_BYTES = 8_192
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
