# ruff: noqa: ARG002 - a rule names all that it could go by
"""Lies that a server can tell, each a rule for `tests/support/malice.py`."""

import os
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList, ListedDevice, Signed
from aparte.e2ee.entry import Head, entry_hash
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.primitives import sha256
from aparte.wire.conversations import Conversation
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId
from aparte.wire.keys import Bundle, Bundles, Lists, SignedList
from aparte.wire.messages import Entry
from aparte.wire.sealed import SealEntry
from tests.support.malice import Refused, Rule
from tests.support.talk import Talker

change = msgspec.structs.replace


class FalseLists(Rule):
    """Serves other versions of one account's list."""

    def __init__(self, account: AccountId, versions: Callable[[list[SignedList]], list[SignedList]]) -> None:
        """Change what is served of an account."""
        self.account = account
        self.versions = versions

    def lists(self, asker: DeviceId, answer: Lists) -> Lists:
        """Serve them."""
        changed = []
        for of in answer.accounts:
            versions = self.versions(of.versions) if of.account == self.account else of.versions
            self.done += versions != of.versions
            changed.append(change(of, versions=versions))
        return Lists(changed)


class FalseBundles(Rule):
    """Serves other bundles."""

    def __init__(self, bundle: Callable[[Bundle], Any]) -> None:
        """Change every bundle."""
        self.bundle = bundle

    def bundles(self, asker: DeviceId, answer: Bundles) -> Any:
        """Serve them."""
        self.done += 1
        return {"bundles": [self.bundle(bundle) for bundle in answer.bundles]}


class Stale(Rule):
    """Tells a device that its epoch is over."""

    def __init__(self, sender: DeviceId, times: int, **data: Any) -> None:
        """Say so a number of times."""
        self.sender, self.times, self.data = sender, times, data

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """Refuse."""
        if sender == self.sender and self.done < self.times:
            self.done += 1
            raise Refused("stale_epoch", **{"epoch": entry.epoch, "roster": entry.roster.hex(), **self.data})
        return entry


def with_a_ghost(signed: SignedList) -> SignedList:
    """Put a device of the server's own on a list; the signature is as it was."""
    known = DeviceList.deserialize(signed.list)
    identity = KeyPair.generate(os.urandom).public
    ghost = ListedDevice(device_list.next_number(known), uuid4().bytes, 77, identity)
    return change(signed, list=next_to(known, (*known.devices, ghost), known.version).serialize())


def next_to(known: DeviceList, devices: tuple[ListedDevice, ...], version: int = 0) -> DeviceList:
    """A version after a list, or another one of the same number."""
    previous = known.previous if version else known.hash
    return DeviceList(known.account, known.account_key, version or known.version + 1, previous, devices)


def signed_by(key: KeyPair, new: DeviceList) -> SignedList:
    """Sign a list."""
    signed: Signed = device_list.sign(new, key, os.urandom)
    return SignedList(signed.list, signed.signature)


class Altered(Rule):
    """Changes what one device gets of sealed entries: the first that fits, the same whenever it is asked for again."""

    def __init__(
        self, reader: Talker, alter: Callable[[Entry], Entry], fits: Callable[[Entry], bool] = lambda _: True
    ) -> None:
        """Alter the first entry that fits."""
        self.reader, self.alter, self.fits = reader.device, alter, fits
        self.chosen: EntryId | None = None

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Alter it."""
        if reader != self.reader:
            return entries
        return [self._alter(entry) if entry.sealed else entry for entry in entries]

    def _alter(self, entry: Entry) -> Entry:
        if self.chosen is None and self.fits(entry):
            self.chosen = entry.id
        if entry.id != self.chosen:
            return entry
        self.done += 1
        return self.alter(entry)


def flipped(data: bytes | None, at: int = 20) -> bytes:
    """Change one bit."""
    assert data is not None
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def sealed(entry: Entry, **fields: Any) -> Entry:
    """Change the sealed part of an entry."""
    assert entry.sealed is not None
    return change(entry, sealed=change(entry.sealed, **fields))


class InPlaceOf(Rule):
    """Shows a device another entry's body at the places given, each with the seq and id of its place."""

    def __init__(self, reader: Talker, bodies: dict[int, Entry]) -> None:
        """Show these."""
        self.reader, self.bodies = reader.device, bodies

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Show them."""
        if reader != self.reader:
            return entries
        shown = []
        for entry in entries:
            other = self.bodies.get(entry.seq)
            self.done += other is not None
            shown.append(change(other, seq=entry.seq, id=entry.id, at=entry.at) if other else entry)
        return shown


class Swapped(Rule):
    """Shows a device the last two sealed entries of a page in each other's place."""

    def __init__(self, reader: Talker) -> None:
        """Change the places for one device."""
        self.reader = reader.device
        self.places: tuple[Entry, Entry] | None = None

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Change them."""
        of_people = [entry for entry in entries if entry.sealed]
        if reader != self.reader or (self.places is None and len(of_people) < 2):
            return entries
        one, two = self.places = self.places or (of_people[-2], of_people[-1])
        self.done += 1
        other = {one.id: two, two.id: one}
        return [change(other.get(e.id, e), seq=e.seq, id=e.id, at=e.at) for e in entries]


class Watching(Rule):
    """Keeps what a device gets, as an honest server would show it."""

    done = 1

    def __init__(self, reader: Talker) -> None:
        """Watch one device."""
        self.reader = reader.device
        self.found: dict[int, Entry] = {}

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Keep them."""
        if reader == self.reader:
            self.found.update({entry.seq: entry for entry in entries})
        return entries


class Without(Rule):
    """Shows a device a log without one entry; those after it move up."""

    def __init__(self, reader: Talker, text_number: int) -> None:
        """Leave out the n-th sealed entry that comes from here on."""
        self.reader, self.number = reader.device, text_number
        self.gone: tuple[ConversationId, int, EntryId] | None = None
        self.passed: set[EntryId] = set()

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Leave it out."""
        if reader != self.reader:
            return entries
        shown = []
        for entry in entries:
            self._count(conversation, entry)
            if self.gone and self.gone[2] == entry.id:
                self.done += 1
            else:
                shown.append(change(entry, seq=self.seq(reader, conversation, entry.seq)))
        return shown

    def _count(self, conversation: ConversationId, entry: Entry) -> None:
        if entry.sealed and self.gone is None:
            self.passed.add(entry.id)
            if len(self.passed) == self.number:
                self.gone = (conversation, entry.seq, entry.id)

    def seq(self, reader: DeviceId, conversation: ConversationId, seq: int) -> int:
        """Tell positions as if it had never been."""
        if reader == self.reader and self.gone and self.gone[0] == conversation and seq >= self.gone[1]:
            return seq - 1
        return seq

    def conversation(self, reader: DeviceId, found: Conversation) -> Conversation:
        """The end of the log likewise."""
        return change(found, head=change(found.head, seq=self.seq(reader, found.id, found.head.seq)))


class Held(Rule):
    """Keeps the first entry of a device to itself; says that the epoch is over, so that it is sealed again, or no."""

    def __init__(self, sender: Talker, code: str = "stale_epoch") -> None:
        """Keep one."""
        self.sender, self.code = sender.device, code
        self.kept: SealEntry | None = None

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """Keep it."""
        if sender != self.sender or self.kept is not None:
            return entry
        self.kept = entry
        self.done += 1
        raise Refused(self.code, epoch=entry.epoch, roster=entry.roster.hex())

    def as_entry(self, like: Entry, reader: Talker) -> Entry:
        """Give what was kept as a reader would be shown it at the place of another entry."""
        assert self.kept is not None
        assert like.sealed is not None
        [envelope] = [one for one in self.kept.envelopes if one.device == reader.device]
        part = change(
            like.sealed,
            epoch=self.kept.epoch,
            roster=self.kept.roster,
            counter=self.kept.counter,
            prev=self.kept.prev,
            sealed=self.kept.sealed,
            envelope=envelope,
        )
        return change(like, client_message_id=self.kept.client_message_id, sealed=part)


class NoPayloads(Rule):
    """Keeps payloads from a device."""

    def __init__(self, reader: Talker) -> None:
        """Keep everything from it."""
        self.reader = reader.device

    def payloads(self, reader: DeviceId, page: Any) -> Any:
        """Show none."""
        if reader == self.reader:
            self.done += 1
            return change(page, payloads=[], more=False)
        return page


def hash_of(entry: Entry, conversation: ConversationId, asked: SealEntry) -> bytes:
    """The hash of an entry, rebuilt as everybody can."""
    assert entry.sealed is not None
    assert entry.device is not None
    head = Head(
        kind=entry.kind,
        conversation=conversation.bytes,
        account=entry.account.bytes,
        device=entry.device.bytes,
        epoch=entry.sealed.epoch,
        roster=entry.sealed.roster,
        counter=entry.sealed.counter,
        client_id=UUID(str(entry.client_message_id)).bytes,
        prev=entry.sealed.prev,
    )
    return entry_hash(head, sha256(asked.sealed))
