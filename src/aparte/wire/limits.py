"""Every limit of the wire in one place; each is tested at the limit and one past it."""

PROTOCOL = 1
"""The version of the gateway that `hello` names."""

BODY_BYTES = 262_144
"""Largest REST body."""
FRAME_BYTES = 131_072
"""Largest gateway frame: one sealed body of 65,536 bytes with its envelopes fits."""
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
