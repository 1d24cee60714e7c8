# ruff: noqa: ARG002 - a rule names all that it could go by
"""The server lies about the keys of a group's members, and about what others have signed meanwhile."""

import base64
import os
from contextlib import suppress
from uuid import uuid4

import msgspec
import pytest

from aparte.client.crypto import pins
from aparte.client.errors import ClientError
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import ADMIN, MEMBER, OWNER, Statement
from aparte.e2ee.roster import roster
from aparte.wire import kinds
from aparte.wire.codec import to_msgpack
from aparte.wire.groups import NewStatements, SignedStatement
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.keys import Bundle
from aparte.wire.kinds import DevicesChange
from aparte.wire.messages import Entry
from tests.support.circle import Circle, gather, roles, state
from tests.support.group_lies import given_to
from tests.support.lies import FalseBundles, signed_by
from tests.support.malice import Malice, Refused, Rule
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


@pytest.fixture
async def circle(evil: Malice, people: Company) -> Circle:
    """Alice's group with bob and carol; alice has spoken."""
    return await gather(evil, people, "three", *[await people.newcomer(name) for name in ("alice", "bob", "carol")])


class Reset(Rule):
    """Shows a device, in the place of a member's new list, one under another account key, and the roster it makes."""

    def __init__(self, circle: Circle, reader: Talker, of: Talker) -> None:
        """Show it to one reader."""
        self.circle, self.reader, self.of = circle, reader, of
        self.key, self.ghost = KeyPair.generate(os.urandom), DeviceId(uuid4())
        self.identity = KeyPair.generate(os.urandom).public

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """In the log."""
        return [self._entry(entry) if reader == self.reader.device else entry for entry in entries]

    def _entry(self, entry: Entry) -> Entry:
        if entry.kind != kinds.DEVICES or entry.account != self.of.account:
            return entry
        self.done += 1
        said = msgspec.convert(entry.body, DevicesChange)
        known = DeviceList.deserialize(said.devices.list)
        device = ListedDevice(1, self.ghost.bytes, 77, self.identity)
        new = DeviceList(known.account, self.key.public, known.version, known.previous, (device,))
        return change(entry, body=change(said, devices=signed_by(self.key, new), roster=self._roster()))

    def _roster(self) -> bytes:
        """The roster of who has keys that follow from those that were admitted: the reset one has none."""
        now = state(self.reader, self.circle.id)
        assert now is not None
        with self.reader.client._session.store.reading() as tx:
            found = {one.account: pins.pinned(tx, one.account) for one in self.circle.members}
        hashes = {account.bytes: pin.list.hash for account, pin in found.items() if pin is not None}
        return roster(self.circle.id.bytes, now.hash, {**hashes, self.of.account.bytes: bytes(32)})


async def test_a_list_under_a_key_of_the_servers_own_brings_no_device_into_the_group(circle: Circle) -> None:
    alice, bob, carol = circle.members
    rule = Reset(circle, alice, bob)
    with circle.evil.doing(rule):
        await circle.people.link(bob)
        await alice.comes(lambda: bool(alice.told() & {"key_changed", "key_reset", "key_mismatch"}))
        with suppress(ClientError):
            await circle.say(alice, "not for the server", deadline=10)
    assert not given_to(circle.evil, rule.ghost)
    assert roles(alice, circle.id)[bob.account.bytes] == MEMBER
    await circle.say(bob, "others read on")
    await carol.hears("others read on")


async def test_a_bad_bundle_blocks_nobody_else(evil: Malice, people: Company) -> None:
    alice, bob, carol = [await people.newcomer(name) for name in ("alice", "bob", "carol")]
    stranger = KeyPair.generate(os.urandom).public.serialize()

    def of_bob(bundle: Bundle) -> Bundle:
        return change(bundle, identity=stranger) if bundle.device == bob.device else bundle

    with evil.doing(FalseBundles(of_bob)):
        made = await alice.client.groups.new_group("three", [bob.username, carol.username])
        circle = Circle(evil, people, made.id, "three", [alice, bob, carol])
        await circle.say(alice, "a first word")
        await carol.hears("a first word")
    assert "device_not_listed" in alice.told()
    given = given_to(evil, bob.device)
    assert given, "nobody told bob's device that there is nothing for it"
    # What comes after may hold something: bob has asked, and with that began a session of his own.
    assert not given[0].body
    await circle.say(carol, "an answer")
    await circle.heard([alice, bob], "an answer")


class Waiting(Rule):
    """Says that others were first, with a statement of its own that is said to wait for being stored."""

    def __init__(self, sender: Talker, forged: SignedStatement) -> None:
        """Say so once."""
        self.sender, self.forged = sender.device, forged

    def new_statements(self, sender: DeviceId, wanted: NewStatements) -> NewStatements:
        """Refuse."""
        if sender != self.sender or self.done:
            return wanted
        self.done += 1
        said = Statement.deserialize(self.forged.statement)
        pending = [base64.b64encode(to_msgpack(self.forged)).decode()]
        raise Refused("stale_membership", number=said.number, hash=said.hash.hex(), pending=pending)


async def test_nothing_is_signed_on_a_statement_that_nobody_has_signed(circle: Circle, people: Company) -> None:
    alice, bob, carol = circle.members
    dave, ghost = await people.newcomer("dave"), await people.newcomer("ghost")
    [true] = [wanted for sender, wanted in circle.evil.signed if sender == alice.device]
    last = Statement.deserialize(true.statements[-1].statement)
    forged = SignedStatement(next_to(last, ghost).serialize(), bytes(64))
    with circle.evil.doing(Waiting(alice, forged)):
        await circle.add(alice, dave)
    submitted = [Statement.deserialize(wanted.statements[0].statement) for _, wanted in circle.evil.signed[-2:]]
    assert [said.previous for said in submitted] == [last.hash] * 2
    wanted = {alice.account.bytes: OWNER, **{one.account.bytes: MEMBER for one in (bob, carol, dave)}}
    await circle.agree([alice, bob, carol, dave], wanted)
    await circle.say(alice, "among us")
    await circle.heard([bob, carol, dave], "among us")
    assert not given_to(circle.evil, ghost.device)


def next_to(last: Statement, ghost: Talker) -> Statement:
    """What the owner would sign to let the ghost in."""
    key = KeyPair.from_private(ghost.account_key()).public.serialize()
    place = (last.conversation, last.number + 1, last.hash)
    return Statement(*place, last.action, last.actor, last.actor_version, ghost.account.bytes, key, ADMIN)
