# ruff: noqa: ARG002 - a rule names all that it could go by
"""Lies that a server can tell about groups, each a rule for `tests/support/malice.py`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from aparte.client.crypto import pins
from aparte.e2ee.membership import Statement
from aparte.e2ee.primitives import sha256
from aparte.e2ee.roster import roster
from aparte.wire import kinds
from aparte.wire.conversations import Conversation
from aparte.wire.groups import (
    Distributions,
    EpochMembers,
    MemberVersion,
    NewStatements,
    SignedStatement,
    StatementPage,
)
from aparte.wire.ids import FIRST_ID, AccountId, ConversationId, DeviceId, EntryId
from aparte.wire.kinds import StatementChange
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope, Sealed, SealEntry
from tests.support.circle import Circle
from tests.support.lies import Held
from tests.support.malice import Malice, Refused, Rule
from tests.support.talk import Talker

change = msgspec.structs.replace


def statement_of(entry: Entry) -> StatementChange | None:
    """What a membership entry says, whichever way it came."""
    return msgspec.convert(entry.body, StatementChange) if entry.kind == kinds.STATEMENT else None


def number_of(signed: SignedStatement) -> int:
    """Which statement of its chain it is."""
    return int.from_bytes(signed.statement[33:41], "big")


def at(place: Entry, said: StatementChange) -> Entry:
    """A membership entry in the place of another one."""
    account = AccountId(msgspec.convert(said.signed.statement[74:90], AccountId))
    return Entry(place.seq, place.id, kinds.STATEMENT, place.at, account, body=said)


def given_to(evil: Malice, device: DeviceId) -> list[Envelope]:
    """Everything that anybody has sealed for a device: chains, keys of entries, payloads."""
    chains = [envelope for _, given in evil.given for envelope in given.envelopes]
    entries = [envelope for seen in evil.seen for envelope in seen.entry.envelopes]
    posted = [Envelope(one.device, 2, one.body) for _, wanted in evil.posted for one in wanted.payloads]
    return [envelope for envelope in (*chains, *entries, *posted) if envelope.device == device]


# A member of the server's own -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tale:
    """What the server says the group is: one statement more, the epoch that it would begin, and who would be in it."""

    conversation: ConversationId
    signed: SignedStatement
    epoch: int
    roster: bytes
    members: list[MemberVersion]
    number: int
    """Of the statement, by where it stands; an old one says another number itself."""


async def tale(circle: Circle, ghost: Talker, signed: SignedStatement) -> Tale:
    """Make everything about a false statement fit: nobody finds it out by anything but the statement itself."""
    true = await circle.epoch()
    with ghost.client._session.store.reading() as tx:
        own = pins.pinned(tx, ghost.account)
    assert own is not None
    lists = {ghost.account: own.list}
    with circle.members[0].client._session.store.reading() as tx:
        for member in true.members:
            pin = pins.pinned(tx, member.account)
            assert pin is not None
            assert pin.list.version == member.version
            lists[member.account] = pin.list
    hashes = {account.bytes: known.hash for account, known in lists.items()}
    members = [MemberVersion(account, known.version) for account, known in lists.items()]
    digest = roster(circle.id.bytes, sha256(signed.statement), hashes)
    members.sort(key=lambda one: one.account)
    return Tale(circle.id, signed, true.epoch + 1, digest, members, true.statement + 1)


class FalseMember(Rule):
    """Tells some devices a tale, wherever they ask: in the log, in the chain, in the epoch, and when they send."""

    def __init__(self, told: Tale, *readers: Talker) -> None:
        """Tell these."""
        self.told = told
        self.readers = {reader.device for reader in readers}
        self.place: EntryId | None = None
        self.in_log = self.in_chain = 0

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """In the place of the first sealed entry that comes."""
        if reader not in self.readers or conversation != self.told.conversation:
            return entries
        return [self._entry(entry) for entry in entries]

    def _entry(self, entry: Entry) -> Entry:
        if self.place is None and entry.sealed is not None:
            self.place = entry.id
        if entry.id != self.place:
            return entry
        self.done += 1
        self.in_log += 1
        return at(entry, StatementChange(self.told.signed, self.told.epoch, self.told.roster))

    def statements(self, reader: DeviceId, page: StatementPage) -> StatementPage:
        """After the newest one."""
        if reader not in self.readers or page.more:
            return page
        self.in_chain += 1
        return change(page, statements=[*page.statements, self.told.signed])

    def epoch(self, reader: DeviceId, conversation: ConversationId, found: EpochMembers) -> EpochMembers:
        """As if the statement had begun it."""
        if reader not in self.readers:
            return found
        return EpochMembers(self.told.epoch, self.told.roster, self.told.number, self.told.members)

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """Take nothing that is sealed for anybody else."""
        if sender in self.readers and conversation == self.told.conversation and entry.roster != self.told.roster:
            self.done += 1
            raise Refused("stale_epoch", epoch=self.told.epoch, roster=self.told.roster.hex())
        return entry


# Statements that are kept, or shown to some ---------------------------------------------------------------------------


class Kept(Rule):
    """Keeps the first statements that a device signs, and says that it is busy or that others were first."""

    def __init__(self, sender: Talker, code: str = "forbidden") -> None:
        """Keep what this one signs."""
        self.sender, self.code = sender.device, code
        self.kept: NewStatements | None = None

    def new_statements(self, sender: DeviceId, wanted: NewStatements) -> NewStatements:
        """Keep them."""
        if sender != self.sender or self.kept is not None:
            return wanted
        self.kept = wanted
        self.done += 1
        raise Refused(self.code)


class OtherChain(Rule):
    """Tells a device another chain from a statement on: one that is signed as well, and the epoch it would begin.

    The honest statement of that number is hidden from it, wherever it asks.
    """

    def __init__(self, told: "Tale", reader: Talker) -> None:
        """Tell this one."""
        self.told, self.reader = told, reader.device

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """In the log."""
        return [self._entry(entry) if reader == self.reader else entry for entry in entries]

    def _entry(self, entry: Entry) -> Entry:
        said = statement_of(entry)
        if said is None or number_of(said.signed) != number_of(self.told.signed):
            return entry
        self.done += 1
        return at(entry, StatementChange(self.told.signed, self.told.epoch, self.told.roster))

    def statements(self, reader: DeviceId, page: StatementPage) -> StatementPage:
        """In the chain."""
        if reader != self.reader:
            return page
        number = number_of(self.told.signed)
        known = [signed for signed in page.statements if number_of(signed) < number]
        is_there = len(known) < len(page.statements)
        return StatementPage([*known, self.told.signed] if is_there else known, page.more and not is_there)

    def epoch(self, reader: DeviceId, conversation: ConversationId, found: EpochMembers) -> EpochMembers:
        """As if the statement had begun it."""
        if reader != self.reader or found.epoch < self.told.epoch:
            return found
        return EpochMembers(self.told.epoch, self.told.roster, self.told.number, self.told.members)


class Hidden(Rule):
    """Hides from some devices everything about the group's members from a statement on, and lets them send to before.

    Other entries come as they are, each in its place; in that of a hidden statement stands the one before it again.
    """

    def __init__(self, last: SignedStatement, present: EpochMembers, *readers: Talker) -> None:
        """Hide what comes after the last one that these may know, and go on telling the epoch that was present."""
        self.last, self.present = last, present
        self.readers = {reader.device for reader in readers}

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Repeat what is known already."""
        return [self._entry(entry) if reader in self.readers else entry for entry in entries]

    def _entry(self, entry: Entry) -> Entry:
        said = statement_of(entry)
        if said is None or number_of(said.signed) <= number_of(self.last):
            return entry
        self.done += 1
        return at(entry, StatementChange(self.last, self.present.epoch, self.present.roster))

    def statements(self, reader: DeviceId, page: StatementPage) -> StatementPage:
        """End the chain before it."""
        if reader not in self.readers:
            return page
        known = [signed for signed in page.statements if number_of(signed) <= number_of(self.last)]
        return StatementPage(known, page.more and len(known) == len(page.statements))

    def epoch(self, reader: DeviceId, conversation: ConversationId, found: EpochMembers) -> EpochMembers:
        """Go on in the old one."""
        return self.present if reader in self.readers and found.epoch > self.present.epoch else found


# Epochs ---------------------------------------------------------------------------------------------------------------


class FalseEpoch(Rule):
    """Tells a device something else of what an epoch is made of."""

    def __init__(self, reader: Talker, lie: Callable[[EpochMembers], EpochMembers]) -> None:
        """Change what this one is told."""
        self.reader, self.lie = reader.device, lie

    def epoch(self, reader: DeviceId, conversation: ConversationId, found: EpochMembers) -> EpochMembers:
        """Change it."""
        if reader != self.reader:
            return found
        self.done += 1
        return self.lie(found)


# Chains ---------------------------------------------------------------------------------------------------------------


class Withheld(Rule):
    """Keeps from one device every chain that it is given, and says that it was stored."""

    def __init__(self, reader: Talker) -> None:
        """Keep them from this one."""
        self.reader = reader.device

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Hand out entries without them."""
        return [self._without(entry) if reader == self.reader else entry for entry in entries]

    def _without(self, entry: Entry) -> Entry:
        if entry.sealed is None or entry.sealed.envelope is None or entry.sealed.key is None:
            return entry
        self.done += 1
        return change(entry, sealed=change(entry.sealed, envelope=None))


class Spoilt(Rule):
    """Changes chains on their way to the server, those for one device."""

    def __init__(self, reader: Talker, spoil: Callable[[Envelope], Envelope]) -> None:
        """Change what this one is given."""
        self.reader, self.spoil = reader.device, spoil

    def distributions(self, sender: DeviceId, wanted: Distributions) -> Distributions:
        """Change it."""
        envelopes = [self._spoilt(envelope) for envelope in wanted.envelopes]
        return change(wanted, envelopes=envelopes)

    def _spoilt(self, envelope: Envelope) -> Envelope:
        if envelope.device != self.reader or not envelope.type:
            return envelope
        self.done += 1
        return self.spoil(envelope)


class Handing(Rule):
    """Gives somebody who is out everything that somebody inside would get: the access token of a device that is away.

    What was given to anybody of this group before is at hand too: `evil.given`.
    """

    def __init__(self, evil: Malice, outsider: Talker, insider: Talker) -> None:
        """Let the outsider in by the insider's door."""
        self.outsider, self.door = outsider.device, evil.token_of(insider.device)

    def token(self, asker: DeviceId, token: str) -> str:
        """Open the door."""
        if asker != self.outsider:
            return token
        self.done += 1
        return self.door


# The group itself -----------------------------------------------------------------------------------------------------


class Disguised(Rule):
    """Says something else of one conversation."""

    def __init__(
        self, readers: Iterable[Talker], conversation: ConversationId, lie: Callable[[Conversation], Conversation]
    ) -> None:
        """Tell these, wherever they ask."""
        self.readers, self.of, self.lie = {reader.device for reader in readers}, conversation, lie

    def conversation(self, reader: DeviceId, found: Conversation) -> Conversation:
        """Change it."""
        if reader not in self.readers or found.id != self.of:
            return found
        self.done += 1
        return self.lie(found)


class Elsewhere(Rule):
    """Leads an invite to another group: who asks for the one token is answered as if they had asked for the other."""

    def __init__(self, token: str, other: str) -> None:
        """Answer with the other."""
        self.tokens = token, other

    def path(self, asker: DeviceId, method: str, path: str) -> str:
        """Lead it there."""
        token, other = self.tokens
        self.done += token in path
        return path.replace(token, other)


def statement_entry(told: Tale, like: Talker) -> Entry:
    """The membership entry of a tale; its place is given by who shows it."""
    said = StatementChange(told.signed, told.epoch, told.roster)
    return Entry(0, FIRST_ID, kinds.STATEMENT, datetime.now(UTC), like.account, body=said)


def held_in_group(held: Held, like: Entry) -> Entry:
    """What was kept of a group, as a reader would be shown it who has its sender's chain."""
    kept = held.kept
    assert kept is not None
    part = Sealed(kept.epoch, kept.roster, kept.counter, kept.prev, None, kept.sealed, None, None, kept.key)
    return change(like, client_message_id=kept.client_message_id, sealed=part)


def as_statement(signed: SignedStatement) -> Statement:
    """Read what was signed."""
    return Statement.deserialize(signed.statement)
