"""REST bodies of groups: signed membership, invite links, sender-key distributions, sealed objects.

Who is in a group, with which role, follows from statements that its members sign (`docs/protocol/e2ee.md`, 4.2). The
server checks them as clients do, and clients rely on none of it.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.content import ConversationKind, Mode, Profile
from aparte.wire.ids import AccountId, ConversationId, InviteToken, Position
from aparte.wire.keys import BundlesWanted, Signature
from aparte.wire.sealed import ChainId, Envelope

StatementBytes = Annotated[bytes, Meta(min_length=limits.STATEMENT_BYTES, max_length=limits.STATEMENT_BYTES)]
CardBytes = Annotated[bytes, Meta(min_length=1, max_length=limits.INVITE_CARD_BYTES)]


class SignedStatement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One membership statement, signed by its actor's account key; a joining also by the invite link's key."""

    statement: StatementBytes
    signature: Signature
    link_signature: Signature | None = None


class NewGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new group, or an encrypted room or channel: the statement that creates it, and those that add its first
    members, in order.

    The id follows from the first statement and is checked. Doing it twice is doing it once. In a channel only
    moderators up write: the first statement's policy says so (bit 2), or it is refused.
    """

    id: ConversationId
    statements: Annotated[list[SignedStatement], Meta(min_length=1, max_length=limits.GROUP_MEMBERS)]
    kind: Literal["group", "room", "channel"] = "group"


class NewStatements(msgspec.Struct, frozen=True, omit_defaults=True):
    """Statements that continue the chain, in order; all are stored or none, and they begin one epoch.

    `token` goes with a statement that opens a link: whoever shows it may read the chain and join. `card` goes with it:
    what the link says of the group, sealed for those who have the link. `ban` goes with a removal: the server admits
    that person no more until the ban is lifted.
    """

    statements: Annotated[list[SignedStatement], Meta(min_length=1, max_length=limits.GROUP_MEMBERS)]
    token: InviteToken | None = None
    ban: bool = False
    card: CardBytes | None = None


class Admitted(msgspec.Struct, frozen=True):
    """The chain has these statements: its newest number, and the epoch and position that begin with them."""

    conversation: ConversationId
    number: int
    epoch: int
    head: Position


class StatementPage(msgspec.Struct, frozen=True):
    """Statements in order; ask again after the last one while `more`."""

    statements: list[SignedStatement]
    more: bool


class MemberVersion(msgspec.Struct, frozen=True):
    """A member of an epoch, and the version of the device list that counts there; 0 after a reset: no devices."""

    account: AccountId
    version: int


class EpochMembers(msgspec.Struct, frozen=True):
    """What an epoch is made of, as the server tells it: a hint, to be checked against statements, lists and roster."""

    epoch: int
    roster: bytes
    statement: int
    """The number of the newest statement in it."""
    members: list[MemberVersion]


class Invite(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an invite link leads to. Encrypted: the chain is read with the same token; the name is not the server's.

    `card` is what the link says of the group, as it was sealed by whoever opened or renewed it.
    """

    conversation: ConversationId
    kind: ConversationKind
    member_count: int
    number: int = 0
    """The newest statement's; 0 where the server says who is in."""
    expires_at: datetime | None = None
    uses_left: int | None = None
    card: bytes | None = None
    encryption_mode: Mode = "e2ee"
    profile: Profile | None = None
    """Of a room or channel that the server can read."""


class NewCard(msgspec.Struct, frozen=True):
    """What an open link says of its group from here on."""

    card: CardBytes


class NewBan(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ban somebody: who is in is put out (of a group a statement does that, first), who is not is let in no more."""

    reason: Annotated[str, Meta(max_length=limits.REASON)] = ""


class Ban(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody who was banned, by whom and when."""

    account: AccountId
    by: AccountId
    at: datetime
    reason: str = ""


class BanList(msgspec.Struct, frozen=True):
    """Who is banned from a conversation."""

    bans: list[Ban]


# Sender keys ----------------------------------------------------------------------------------------------------------


class Distributions(msgspec.Struct, frozen=True):
    """A part of what devices need to read one of the caller's chains; kept for ten minutes until an entry names it.

    Each envelope holds the chain in a pairwise message; an empty one says that the device's bundle was unusable.
    """

    chain: ChainId
    epoch: Annotated[int, Meta(ge=1, le=limits.SAFE_INTEGER)]
    envelopes: Annotated[list[Envelope], Meta(min_length=1, max_length=limits.DISTRIBUTIONS)]


class BundlesOfMany(msgspec.Struct, frozen=True):
    """Ask for bundles of devices of several people at once."""

    accounts: Annotated[list[BundlesWanted], Meta(min_length=1, max_length=limits.BUNDLE_ACCOUNTS)]


# Sealed objects -------------------------------------------------------------------------------------------------------


class SealedObject(msgspec.Struct, frozen=True):
    """Bytes that only who has the key can read; never changed once stored."""

    data: Annotated[bytes, Meta(min_length=1, max_length=limits.OBJECT_BYTES)]
