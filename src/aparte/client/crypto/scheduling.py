"""Scheduled messages of encrypted conversations: sealed now, sent by the server when they are due.

They stand outside of their device's chain. Their key goes out at once: in direct conversations to every device, in
groups to one's own others (the rest find it in the message that waits with it). What was sealed for readers of before
is sealed again by the device that made it, or by another one of the account once that device is gone. Source:
docs/protocol/e2ee.md, 3.2.
"""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from aparte.client.api import scheduled as api
from aparte.client.core import retry
from aparte.client.crypto import delivering, disappearing, distributing, key_requests, sealing
from aparte.client.crypto import own as own_keys
from aparte.client.crypto import pins as known_pins
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.bundles import begin_sessions
from aparte.client.crypto.own import Own, now_ms
from aparte.client.crypto.pins import Pin
from aparte.client.crypto.sealing import BundlesNeeded, EpochUnknown
from aparte.client.crypto.sender_keys import ChainLacking, encrypt
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.session import Session
from aparte.client.store import conversations, early_keys, sealed, state
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.e2ee import content as contents
from aparte.e2ee import entry as entry_seal
from aparte.e2ee import payload
from aparte.e2ee.content import Text
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.e2ee.errors import E2eeError, NoSession
from aparte.e2ee.payload import Keys
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, ScheduledId
from aparte.wire.messages import Scheduled, ScheduledChange, ScheduledSeal
from aparte.wire.sealed import SealedTarget

PREFIX = "scheduled:"
"""Of scheduled messages in the account state; their ids follow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sealed: the words with their time, and the thread that they belong to."""

    client_message_id: ClientMessageId
    text: Text = field(repr=False)
    thread: SealedTarget | None = None


async def post(
    session: Session, row: ConversationRow, plan: Plan, send: Callable[[ScheduledSeal], Awaitable[Scheduled]]
) -> Scheduled:
    """Seal a plan and hand it in, again as long as lists change meanwhile. Its keys are kept for sending then."""
    for _ in range(delivering.ATTEMPTS):
        seal = await _ready(session, row, plan)
        try:
            if row.has_chain:
                await distributing.hand_in(session, row, seal.epoch)
            return await send(seal)
        except ClientError as error:
            if error.code not in delivering.AGAIN:
                raise
            await delivering.renew(session, row, error)
    raise KeyRefused("roster_mismatch")


def opened(tx: Tx, reader: Reader, one: Scheduled) -> Plan | None:
    """Read one of one's own that waits, as a device of one's own has sealed it; None without its key."""
    if one.sealed is None:
        return None
    head = _head(one.conversation, (reader.account, one.device), one.client_message_id, one.sealed)
    digest = entry_hash(head, sha256(one.sealed.sealed))
    for known in early_keys.select_early(tx, digest):
        if known.account != reader.account:
            continue
        with suppress(E2eeError):
            text = contents.decode(kinds.MESSAGE, entry_seal.open_(head, one.sealed.sealed, known.key))
            if isinstance(text, Text) and text.due is not None:
                return Plan(one.client_message_id, text, one.sealed.thread)
    return None


def is_stale(value: Any) -> bool:
    """Tell whether the account state says that a message must be sealed again."""
    return isinstance(value, dict) and value.get("status") == "stale"


async def renew(session: Session, reader: Reader) -> None:
    """Seal again what was overtaken by new lists. What cannot be sealed now stays, and is tried the next time."""
    with session.store.reading() as tx:
        values = [state.select_value(tx, key) for key in state.select_keys(tx, PREFIX)]
        places = {ConversationId(UUID(value["conversation"])) for value in values if is_stale(value)}
        rows = [conversations.select_conversation(tx, place) for place in sorted(places)]
    for row in [row for row in rows if row is not None and row.is_sealed]:
        try:
            for one in await api.mine(session, row.conversation):
                if one.status == "stale":
                    await _renew(session, reader, row, one)
        except NotSignedIn:
            raise
        except ClientError as error:
            if retry.is_transient(error):
                raise


async def change(
    session: Session, row: ConversationRow, one: ScheduledId, plan: Plan, due: datetime | None = None
) -> Scheduled:
    """Seal a message anew in place of the one that waits, which keeps its time unless it is given another one.

    Raises ClientError `over` once it is due.
    """

    async def send(seal: ScheduledSeal) -> Scheduled:
        return await api.change(session, row.conversation, one, ScheduledChange(due=due, sealed=seal))

    return await post(session, row, plan, send)


def forget(session: Session, reader: Reader, one: Scheduled) -> None:
    """Forget the key of one that was taken back: should it come all the same, this device says so."""
    if one.sealed is None:
        return
    head = _head(one.conversation, (reader.account, one.device), one.client_message_id, one.sealed)
    with session.store.transaction() as tx:
        early_keys.delete_early(tx, entry_hash(head, sha256(one.sealed.sealed)))


def milliseconds(when: datetime) -> int:
    """Give a time as contents have it."""
    return round(when.timestamp() * 1000)


def moment(at: int) -> datetime:
    """Give a time of a content as everybody has it."""
    return datetime.fromtimestamp(at / 1000, UTC)


async def _renew(session: Session, reader: Reader, row: ConversationRow, one: Scheduled) -> None:
    with session.store.reading() as tx:
        plan = opened(tx, reader, one) if _is_ours(tx, reader, one.device) else None
    if plan is not None:
        with suppress(KeyRefused):
            await change(session, row, one.id, plan)


def _is_ours(tx: Tx, reader: Reader, device: DeviceId) -> bool:
    """Tell whether this device is the one to seal something again: it did before, or who did is gone."""
    pin = known_pins.pinned(tx, reader.account)
    return device == reader.device or (pin is not None and pin.list.find(device.bytes) is None)


async def _ready(session: Session, row: ConversationRow, plan: Plan) -> ScheduledSeal:
    """Seal a plan, fetching what that needs."""
    unusable: frozenset[bytes] = frozenset()
    looks = 0
    while True:
        try:
            with session.store.transaction(durable=True) as tx:
                return _seal(tx, row, plan, unusable)
        except BundlesNeeded as needed:
            unusable |= await begin_sessions(session, needed.devices)
        except ChainLacking:
            await distributing.make(session, row)
        except EpochUnknown:
            looks += 1
            if looks > delivering.LOOKS:
                raise ClientError("stale_epoch", "no epoch is made of the newest lists") from None
            await delivering.learn_epoch(session, row)
        except KeyRefused as error:
            if error.code != "no_keys":
                raise
            await delivering.learn_lists(session, row)


def _seal(tx: Tx, row: ConversationRow, plan: Plan, unusable: frozenset[bytes]) -> ScheduledSeal:
    own = own_keys.load(tx)
    (epoch, roster), readers = sealing.epoch_of(tx, row, own)
    ttl = plan.text.ttl or disappearing.default(tx, row.conversation)
    text = replace(plan.text, at=now_ms(), after=sealed.select_newest(tx, row.conversation), ttl=ttl)
    thread_hash = plan.thread.hash if plan.thread is not None else ZERO_HASH
    head = Head(
        kind=kinds.MESSAGE,
        conversation=row.conversation.bytes,
        account=own.account.bytes,
        device=own.device.bytes,
        epoch=epoch,
        roster=roster,
        counter=0,
        client_id=plan.client_message_id.bytes,
        target=thread_hash,
    )
    key = secrets.token_bytes(entry_seal.KEY_BYTES)
    body = entry_seal.seal(head, contents.encode(text), key)
    digest = entry_hash(head, sha256(body))
    pair = Keys(((key, digest),))
    _give(tx, own, _readers(tx, own, readers), pair, unusable)
    early_keys.insert_early(tx, ContentKey(digest, key, own.account, own.device), now_ms())
    seal = ScheduledSeal(epoch, roster, body, plan.thread, sealing.mentions_of(text), disappearing.hint(text))
    if readers is not None:
        return seal
    chain, message = encrypt(tx, row.conversation, payload.encode(pair))
    return replace(seal, chain=chain, key=message)


def _readers(tx: Tx, own: Own, readers: dict[AccountId, Pin] | None) -> dict[AccountId, Pin]:
    """Give whose devices are sent the key at once: of everybody, or in a group one's own."""
    if readers is not None:
        return readers
    pin = known_pins.pinned(tx, own.account)
    return {own.account: pin} if pin is not None else {}


def _give(tx: Tx, own: Own, readers: dict[AccountId, Pin], pair: Keys, unusable: frozenset[bytes]) -> None:
    """Keep the key for every other device until it is sent. Raises BundlesNeeded."""
    missing: list[tuple[AccountId, ListedDevice]] = []
    for account, pin in readers.items():
        for listed in pin.list.devices:
            if listed.device in pin.dormant or listed.device in {own.device.bytes, *unusable}:
                continue
            try:
                key_requests.put(tx, account, listed, pair)
            except NoSession:
                missing.append((account, listed))
    if missing:
        raise BundlesNeeded(missing)


def _head(
    conversation: ConversationId, by: tuple[AccountId, DeviceId], client_id: ClientMessageId, seal: ScheduledSeal
) -> Head:
    """Rebuild the head of what was sealed."""
    return Head(
        kind=kinds.MESSAGE,
        conversation=conversation.bytes,
        account=by[0].bytes,
        device=by[1].bytes,
        epoch=seal.epoch,
        roster=seal.roster,
        counter=0,
        client_id=client_id.bytes,
        target=seal.thread.hash if seal.thread is not None else ZERO_HASH,
    )
