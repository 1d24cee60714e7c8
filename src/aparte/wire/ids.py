"""Ids and positions.

Accounts and devices are UUIDv4 made by the client, conversations UUIDv4 made by the server (encrypted ones are UUIDv8
that follow from the accounts, or from the statement that
creates a group), entries UUIDv7 given by the log. A place in a conversation is the pair (seq, id):
compare and count with `seq`, page with `id`.
"""

from datetime import UTC, datetime
from typing import NewType
from uuid import UUID, uuid4

import msgspec

AccountId = NewType("AccountId", UUID)
DeviceId = NewType("DeviceId", UUID)
SessionId = NewType("SessionId", UUID)
ConversationId = NewType("ConversationId", UUID)
EntryId = NewType("EntryId", UUID)
ClientMessageId = NewType("ClientMessageId", UUID)
PayloadId = NewType("PayloadId", UUID)
OfferId = NewType("OfferId", UUID)
InviteToken = NewType("InviteToken", UUID)
ObjectId = NewType("ObjectId", UUID)
RoleId = NewType("RoleId", UUID)
InviteId = NewType("InviteId", UUID)
ScheduledId = NewType("ScheduledId", UUID)
HeldId = NewType("HeldId", UUID)

FIRST_ID = EntryId(UUID(int=0))
"""Before every entry."""
LAST_ID = EntryId(UUID(int=2**128 - 1))
"""After every entry."""


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in a conversation's log. `seq` counts 1, 2, 3 … without gaps; order by `id` is the same order."""

    seq: int
    id: EntryId


START = Position(0, FIRST_ID)
"""The position before the first entry."""


def new_id() -> UUID:
    """Make a random id, as clients do for accounts, devices and messages."""
    return uuid4()


def time_of(entry: UUID) -> datetime:
    """Tell when an entry was written: the first 48 bits of its UUIDv7 are milliseconds since 1970 (RFC 9562)."""
    return datetime.fromtimestamp((entry.int >> 80) / 1000, UTC)


def first_id_at(moment: datetime) -> EntryId:
    """Give the smallest entry id of a moment, the border of a month's partition for instance."""
    return EntryId(UUID(int=int(moment.timestamp() * 1000) << 80))
