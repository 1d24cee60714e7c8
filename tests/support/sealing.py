"""People with keys and what they seal, for tests of the server: every head is right, the content is noise."""

import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.e2ee.roster import NO_STATEMENT, direct_id
from aparte.e2ee.roster import roster as roster_of
from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.conversations import Conversation
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, SessionId
from aparte.wire.keys import NewDirect, SignedList
from aparte.wire.sealed import Envelope, SealedTarget, SealEntry
from tests.support import keys
from tests.support.people import Device

SHORTEST = 192


async def give_keys(connection: Any, caller: Caller, *more: DeviceId) -> SignedList:
    """Store version 1 of a person's list: with the caller's device, and others that it may name."""
    signed = keys.first_list(caller.account, caller.device, *more)
    await connection.execute(
        "INSERT INTO device_lists (account_id, version, list, signature, hash) VALUES ($1, 1, $2, $3, sha256($2))",
        caller.account,
        signed.list,
        signed.signature,
    )
    return signed


async def add_device(connection: Any, caller: Caller) -> Caller:
    """Another device of a person, on no list yet."""
    device = uuid4()
    await connection.execute(
        "INSERT INTO devices (device_id, account_id, name, platform) VALUES ($1, $2, 'there', 'ios')",
        device,
        caller.account,
    )
    return caller._replace(device=DeviceId(device))


def direct(one: Caller, other: Caller) -> ConversationId:
    """The id of their direct conversation."""
    return ConversationId(UUID(bytes=direct_id(one.account.bytes, other.account.bytes)))


async def open_direct(db: Database, one: Caller, other: Caller) -> Conversation:
    """Open it."""
    return await conversations.open_direct(db, one, NewDirect(direct(one, other), AccountId(other.account)))


async def roster(connection: Any, conversation: ConversationId) -> tuple[int, bytes]:
    """The present epoch and roster."""
    row = await connection.fetchrow("SELECT epoch, roster FROM heads WHERE conversation_id = $1", conversation)
    return row["epoch"], row["roster"]


@dataclass
class Sealer:
    """A device that seals entries for a conversation, each continuing its chain."""

    caller: Caller
    conversation: ConversationId
    epoch: int
    roster: bytes
    others: list[DeviceId]
    counter: int = 0
    prev: bytes = ZERO_HASH
    chain: int | None = None
    """In a group: the sender-key chain that it uses."""
    hashes: dict[ClientMessageId, bytes] = field(default_factory=dict)

    def seal(self, kind: int = 1, target: SealedTarget | None = None, **other: Any) -> SealEntry:
        """The next entry; `other` replaces fields. The chain goes on with it."""
        fields = {
            "client_message_id": ClientMessageId(uuid4()),
            "epoch": self.epoch,
            "roster": self.roster,
            "counter": self.counter + 1,
            "prev": self.prev,
            "sealed": os.urandom(SHORTEST),
            "envelopes": [],
            "kind": kind,
            "target": target,
        }
        if self.chain is None:
            fields["envelopes"] = [Envelope(device, 2, os.urandom(20)) for device in self.others]
        else:
            fields |= {"chain": self.chain, "key": os.urandom(40)}
        entry = SealEntry(**{**fields, **other})
        self.counter, self.prev = entry.counter, self.hash_of(entry)
        self.hashes[entry.client_message_id] = self.prev
        return entry

    def hash_of(self, entry: SealEntry) -> bytes:
        """The hash of an entry of this device, by the specification and not by the server."""
        head = Head(
            entry.kind,
            self.conversation.bytes,
            self.caller.account.bytes,
            self.caller.device.bytes,
            entry.epoch,
            entry.roster,
            entry.counter,
            entry.client_message_id.bytes,
            entry.prev,
            entry.target.hash if entry.target else ZERO_HASH,
        )
        return entry_hash(head, sha256(entry.sealed).digest())

    def at(self, entry: SealEntry, stored: Any) -> SealedTarget:
        """Aim at an entry of this device that was stored."""
        return SealedTarget(EntryId(stored.id), self.hashes[entry.client_message_id])


async def over_the_wire(one: Device, other: Device, *more: Device) -> tuple[Sealer, Sealer]:
    """Open the conversation of two people over REST; gives what each of the first two devices seals with.

    `more` are further listed devices of either.
    """
    a, b = caller_of(one), caller_of(other)
    conversation = direct(a, b)
    await one.post("/conversations/direct", {"id": str(conversation), "account": other.account})
    lists = [DeviceList.deserialize((await person.newest_list()).list) for person in (one, other)]
    present = roster_of(conversation.bytes, NO_STATEMENT, {each.account: each.hash for each in lists})
    listed = [caller_of(device).device for device in (one, other, *more)]
    epoch = (await one.get(f"/conversations/{conversation}"))["epoch"]
    return (
        Sealer(a, conversation, epoch, present, [device for device in listed if device != a.device]),
        Sealer(b, conversation, epoch, present, [device for device in listed if device != b.device]),
    )


def caller_of(device: Device) -> Caller:
    """A device of the wire, as the server knows it."""
    account, session = UUID(device.account), UUID(device.tokens["session_id"])
    return Caller(AccountId(account), DeviceId(UUID(device.id)), SessionId(session), "user", is_listed=True)


@dataclass
class Pair:
    """Alice and Bob with one device each and their conversation."""

    alice: Caller
    bob: Caller
    conversation: ConversationId
    a: Sealer
    b: Sealer


async def pair(db: Database, connection: Any, alice: Caller, bob: Caller) -> Pair:
    """Open the conversation of two people, with keys for both."""
    for person in (alice, bob):
        if not await connection.fetchval("SELECT 1 FROM device_lists WHERE account_id = $1", person.account):
            await give_keys(connection, person)
    conversation = (await open_direct(db, alice, bob)).id
    epoch, present = await roster(connection, conversation)
    a = Sealer(alice, conversation, epoch, present, [bob.device])
    b = Sealer(bob, conversation, epoch, present, [alice.device])
    return Pair(alice, bob, conversation, a, b)
