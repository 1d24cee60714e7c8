"""What may be said and changed, readable or sealed: pure. Sources: R-184, B-106 (blank text), C-26, G-10, G-11."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid5

from msgspec.structs import replace

from aparte.e2ee import entry as entries
from aparte.e2ee.membership import POLICY_MODERATORS_WRITE
from aparte.e2ee.padding import PADDED_TO
from aparte.server.conversations.model import Right, Standing
from aparte.server.log.model import Since
from aparte.server.messages import content
from aparte.server.messages.model import (
    MISSING,
    RECOVERY_DAYS,
    STORED,
    TOO_OLD,
    Change,
    Cover,
    Covering,
    Repeat,
    State,
    Target,
)
from aparte.wire import kinds, limits
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent, Role
from aparte.wire.errors import Refusal
from aparte.wire.groups import Distributions
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position, time_of
from aparte.wire.kinds import Switch
from aparte.wire.messages import Entry, PostMessage, SendMessage
from aparte.wire.sealed import Envelope, SealEntry

PAGE_BYTES = 512 * 1024
"""What one page of the log weighs at most, so that no reader's buffer is filled by one answer."""
ENTRY_BYTES = 512
AIMING = {kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN}
SWITCHING = {kinds.DELETION, kinds.REACTION, kinds.PIN}
WRITING = {kinds.MESSAGE, kinds.EDIT, kinds.REACTION}
"""What a group's policy may leave to moderators up."""
ROLES: tuple[Role, ...] = ("member", "moderator", "admin", "owner")
RIGHTS: dict[int, Right] = {
    kinds.MESSAGE: "post",
    kinds.EDIT: "post",
    kinds.DELETION: "retract",
    kinds.REACTION: "react",
    kinds.PIN: "pin",
    kinds.PROFILE: "edit_profile",
    kinds.SETTINGS: "edit_profile",
}
RIGHTS_OF_TWO = RIGHTS | {kinds.SETTINGS: "post"}
NEEDS: dict[int, Role] = {kinds.PIN: "moderator", kinds.PROFILE: "admin", kinds.SETTINGS: "admin"}
"""Least role in a group, of kinds that not everybody may write; a deletion is judged with its target."""


def request_digest(conversation: ConversationId, message: SendMessage, body: bytes | None = None) -> int:
    """Stand for a readable message as its sender gave it: what the server makes of it may be another thing by the
    time it is repeated. `body` is its JSON where it is stored as it was given."""
    said = content.as_given(message.content)
    if message.forward is None:
        return digest(conversation, kinds.MESSAGE, message.thread, body or to_json(said))
    origin = message.forward.conversation.bytes + message.forward.message.bytes
    body = to_json(replace(said, text="", format="text")) + origin
    return digest(conversation, kinds.MESSAGE, message.thread, body)


def client_id_of(device: DeviceId, message: PostMessage, idempotency_key: str | None) -> ClientMessageId:
    """Give the client id of a message over REST: its own, or one that follows from the device and what stands for it.

    Ids of two devices never meet (B-008), and what stands for a message is forgotten with its id (B-055).
    """
    named = [name for name in (message.client_message_id, message.client_random, idempotency_key) if name is not None]
    if len(named) != 1:
        raise Refusal("invalid", "one of client_message_id, client_random and the header Idempotency-Key")
    if message.client_message_id is not None:
        return message.client_message_id
    if message.client_random is not None:
        return ClientMessageId(uuid5(device, f"client_random:{message.client_random & 0xFFFF_FFFF}"))
    return ClientMessageId(uuid5(device, f"Idempotency-Key:{idempotency_key}"))


def named(device: DeviceId, message: PostMessage, idempotency_key: str | None) -> SendMessage:
    """Give a message over REST as the gateway takes it."""
    client_message_id = client_id_of(device, message, idempotency_key)
    return SendMessage(client_message_id, message.content, message.thread, message.forward)


def check_hung(state: State | None, what: str) -> State:
    """Nothing hangs on what is not in this conversation, or is gone."""
    if state is None:
        raise Refusal("not_found", what)
    if state.is_gone:
        raise Refusal("gone", what)
    return state


def check_root(state: State) -> Position:
    """Threads have one level: nobody begins one under a reply of another."""
    if state.is_reply:
        raise Refusal("invalid", "a reply of a thread is no root: name its root")
    return state.position


def digest(conversation: ConversationId, kind: int, target: EntryId | None, body: bytes) -> int:
    """Stand for what was sent: first 8 bytes of SHA-256(conversation, kind, target, body), as PostgreSQL's bigint."""
    about = conversation.bytes + bytes([kind]) + (target.bytes if target else bytes(16))
    return int.from_bytes(hashlib.sha256(about + body).digest()[:8], "big", signed=True)


def digest_of(change: Change) -> int:
    """Stand for an edit, deletion or restore."""
    return digest(change.conversation, change.kind, change.message, to_json(change.body))


def sealed_digest(conversation: ConversationId, entry: SealEntry) -> int:
    """Stand for a sealed entry: conversation, kind, target and what was sealed, never the envelopes."""
    if entry.target is None:
        return digest(conversation, entry.kind, None, entry.sealed)
    return digest(conversation, entry.kind, entry.target.id, entry.target.hash + entry.sealed)


def check_sealed(entry: SealEntry) -> None:
    """Refuse a sealed entry that no client can have meant: of a length sealing does not give, or without its target."""
    if (len(entry.sealed) - entries.TAG_BYTES) % PADDED_TO:
        raise Refusal("invalid", "sealed has not the length of a sealed content")
    if (entry.target is None) == (entry.kind in AIMING) and entry.kind != kinds.MESSAGE:
        raise Refusal("invalid", "kinds 2 to 5 have a target, 6 and 7 have none")
    if entry.tag is not None and entry.kind != kinds.REACTION:
        raise Refusal("invalid", "only a reaction has a tag")
    if entry.ttl is not None and entry.kind != kinds.MESSAGE:
        raise Refusal("invalid", "only a message disappears")
    if entry.mentions and entry.kind not in {kinds.MESSAGE, kinds.EDIT}:
        raise Refusal("invalid", "only a message or an edit mentions somebody")
    if not entry.on and entry.kind not in SWITCHING:
        raise Refusal("invalid", "only a deletion, a reaction or a pin is taken back")
    if (entry.chain is None) != (entry.key is None) or (entry.key is not None and entry.envelopes):
        raise Refusal("invalid", "a key goes with its chain and without envelopes")
    check_envelopes(entry.envelopes)


def right_for(kind: int, standing: Standing) -> Right:
    """Name the right that a sealed entry is the use of; a deletion's follows from its target too.

    Either of two may set how their conversation is run.
    """
    return RIGHTS[kind] if standing.has_chain else RIGHTS_OF_TWO[kind]


def check_level(target: Target, kind: int) -> None:
    """Threads have one level: nobody begins one under a reply of another."""
    if kind == kinds.MESSAGE and target.is_reply:
        raise Refusal("invalid", "a reply of a thread is no root: name its root")


def check_envelopes(envelopes: Sequence[Envelope]) -> None:
    """Refuse envelopes that no client can have meant."""
    if len({envelope.device for envelope in envelopes}) != len(envelopes):
        raise Refusal("invalid", "two envelopes are for one device")
    if any((envelope.type == 0) != (not envelope.body) for envelope in envelopes):
        raise Refusal("invalid", "an envelope is empty exactly if its type is 0")


def check_fits(covering: Covering, account: AccountId, entry: SealEntry) -> None:
    """Refuse what does not belong into a conversation of this kind, or is not for somebody of this role.

    Of a member: readers check roles too, by the same table (`docs/protocol/e2ee.md`, 3.1).
    """
    if (entry.key is not None) != covering.is_group:
        raise Refusal("invalid", "in a group a key goes in a sender-key message, elsewhere in envelopes")
    if not covering.is_group:
        if entry.kind == kinds.PROFILE:
            raise Refusal("invalid", "only a group has a profile")
        return
    needed = NEEDS.get(entry.kind, "member")
    if entry.kind in WRITING and covering.private.policy & POLICY_MODERATORS_WRITE:
        needed = "moderator"
    if ROLES.index(covering.private.roles[account]) < ROLES.index(needed):
        raise Refusal("forbidden")


def hash_of(conversation: ConversationId, account: AccountId, device: DeviceId, entry: SealEntry) -> bytes:
    """Name a sealed entry as its readers will: from its head, rebuilt, and the digest of what was sealed."""
    head = entries.Head(
        entry.kind,
        conversation.bytes,
        account.bytes,
        device.bytes,
        entry.epoch,
        entry.roster,
        entry.counter,
        entry.client_message_id.bytes,
        entry.prev,
        entry.target.hash if entry.target else entries.ZERO_HASH,
    )
    return entries.entry_hash(head, hashlib.sha256(entry.sealed).digest())


def cover_of(covering: Covering, sender: DeviceId, envelopes: Sequence[Envelope]) -> Cover:
    """Tell whether every listed device but the sender and the dormant ones has its envelope, and nobody else has one.

    Envelopes of dormant devices are dropped: they catch up in another way.
    """
    given = {envelope.device for envelope in envelopes}
    others = covering.listed - {sender}
    is_covered = given <= others and others - covering.dormant <= given
    kept = tuple(e for e in envelopes if e.device not in covering.dormant)
    return Cover(STORED if is_covered else MISSING, kept)


def cover_of_chain(covering: Covering, sender: DeviceId, pending: frozenset[DeviceId], since: Since | None) -> Cover:
    """Tell whether everybody has a chain once what is pending of it is given out.

    `since`: what changed since the chain was complete; None for one that nobody has yet. A chain goes on when somebody
    comes, and ends when somebody goes.
    """
    if since is not None and since.has_removed:
        return Cover(TOO_OLD)
    others = covering.listed - {sender}
    needed = (others if since is None else others & since.added) - covering.dormant
    return Cover(STORED if needed <= pending else MISSING, commits=pending & others)


def check_distributions(covering: Covering | None, sender: DeviceId, given: Distributions) -> list[Envelope]:
    """Refuse distributions for another epoch than the present one, or for who cannot read; dormant devices get none."""
    check_envelopes(given.envelopes)
    if covering is None or not covering.is_group:
        raise Refusal("mode_mismatch")
    private = covering.private
    if given.epoch != private.epoch:
        raise Refusal("stale_epoch", data={"epoch": private.epoch, "roster": private.roster.hex()})
    if not {envelope.device for envelope in given.envelopes} <= covering.listed - {sender}:
        raise Refusal("missing_devices", "a chain is given to other listed devices alone")
    return [envelope for envelope in given.envelopes if envelope.device not in covering.dormant]


def check_target(target: Target, named: bytes) -> None:
    """The hash that an entry names must be that of the message it aims at."""
    if target.hash is None or not hmac.compare_digest(target.hash, named):
        raise Refusal("target_mismatch")


def check_there(target: Target) -> None:
    """Nobody reacts to, pins or answers what is deleted."""
    if target.deletion is not None or target.is_erased:
        raise Refusal("gone")


def check_readable(standing: Standing) -> None:
    """What is done with words the server can read is not done in an end-to-end encrypted conversation."""
    if standing.mode != "server":
        raise Refusal("mode_mismatch")


def check_repeat(repeat: Repeat, wanted: int) -> None:
    """The same client id for the same thing is a repeat; for another thing it is a mistake of the client."""
    if repeat.digest != wanted:
        raise Refusal("client_id_reused")


def check_edit(target: Target, author: AccountId) -> None:
    """Only the author changes words, and only words that are there."""
    if target.account != author:
        raise Refusal("forbidden", "only the author edits a message")
    if target.deletion is not None or target.is_erased:
        raise Refusal("gone")


def check_delete(target: Target) -> None:
    """What is deleted cannot be deleted again."""
    if target.deletion is not None or target.is_erased:
        raise Refusal("gone")


def check_restore(target: Target, now: datetime) -> None:
    """A deletion can be taken back for 30 days."""
    if target.is_erased:
        raise Refusal("gone")
    if target.deletion is None:
        raise Refusal("invalid", "the message is not deleted")
    if now - time_of(target.deletion) > timedelta(days=RECOVERY_DAYS):
        raise Refusal("gone")


def page_of(found: list[Entry]) -> list[Entry]:
    """Cut a page of the log where it grows too large for one frame; at least one entry is always there."""
    size = 0
    for count, entry in enumerate(found):
        size += weight(entry)
        if count and size > PAGE_BYTES:
            return found[:count]
    return found


def weight(entry: Entry) -> int:
    """About how many bytes an entry takes on the wire: four for each character, and its ids."""
    if entry.sealed is not None:
        envelope = entry.sealed.envelope
        keys = len(envelope.body if envelope else b"") + len(entry.sealed.key or b"")
        return ENTRY_BYTES + (len(entry.sealed.sealed or b"") + keys) * 4 // 3
    body = entry.body.content if isinstance(entry.body, Switch) else entry.body
    if isinstance(body, MessageContent):
        return ENTRY_BYTES + 4 * len(body.text) + (limits.METADATA_BYTES if body.metadata else 0)
    return ENTRY_BYTES
