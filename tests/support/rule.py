# ruff: noqa: ARG002 - a rule names all that it could go by
"""What a lying server can be told to do: the places on the road where a rule may change what passes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aparte.wire.conversations import Conversation
from aparte.wire.groups import Distributions, EpochMembers, Invite, NewStatements, StatementPage
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.keys import Bundles, Lists, NewPayloads, PayloadPage
from aparte.wire.messages import Entry
from aparte.wire.sealed import SealEntry

NOBODY = DeviceId(UUID(int=0))


class Refused(Exception):
    """What a rule raises instead of letting a request through: the server's refusal."""

    def __init__(self, code: str, **data: Any) -> None:
        super().__init__(code)
        self.code = code
        self.data = data


@dataclass(frozen=True)
class Seen:
    """An entry that a device asked to store, as it left the device, and the server's answer."""

    device: DeviceId
    conversation: ConversationId
    entry: SealEntry
    status: int


class Rule:
    """An evil deed: override what it changes. `done` counts how often it was done: never done, it proves nothing."""

    done = 0

    def lists(self, asker: DeviceId, answer: Lists) -> Lists:
        """Device lists, on their way to a device."""
        return answer

    def bundles(self, asker: DeviceId, answer: Bundles) -> Bundles:
        """Bundles of prekeys, on their way to a device."""
        return answer

    def conversation(self, reader: DeviceId, found: Conversation) -> Conversation:
        """What a device is told of a conversation."""
        return found

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """An entry on its way to the server; raise Refused to keep it."""
        return entry

    def sent(self, seen: Seen) -> None:
        """An entry that the server has answered; raise Refused to answer something else."""

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Entries of a log, on their way to a device: one live, or a page of them."""
        return entries

    def seq(self, reader: DeviceId, conversation: ConversationId, seq: int) -> int:
        """How far a log reaches, as a device is told."""
        return seq

    def payloads(self, reader: DeviceId, page: PayloadPage) -> PayloadPage:
        """Payloads on their way to a device."""
        return page

    def answer(self, asker: DeviceId, path: str, answer: Any) -> Any:
        """Any other answer, as JSON."""
        return answer

    def new_payloads(self, sender: DeviceId, wanted: NewPayloads) -> NewPayloads:
        """Payloads on their way to the server; raise Refused to keep them."""
        return wanted

    # Groups -----------------------------------------------------------------------------------------------------------

    def path(self, asker: DeviceId, method: str, path: str) -> str:
        """Where a request of a device goes."""
        return path

    def token(self, asker: DeviceId, token: str) -> str:
        """With whose access token it goes there."""
        return token

    def statements(self, reader: DeviceId, page: StatementPage) -> StatementPage:
        """Membership statements, on their way to a device, of whatever conversation or invite."""
        return page

    def epoch(self, reader: DeviceId, conversation: ConversationId, found: EpochMembers) -> EpochMembers:
        """What a device is told that an epoch is made of."""
        return found

    def invite(self, reader: DeviceId, found: Invite) -> Invite:
        """What a device is told that an invite leads to."""
        return found

    def new_statements(self, sender: DeviceId, wanted: NewStatements) -> NewStatements:
        """Statements on their way to the server; raise Refused to keep them."""
        return wanted

    def distributions(self, sender: DeviceId, wanted: Distributions) -> Distributions:
        """Sender-key chains on their way to the server, a part at a time; raise Refused to keep them."""
        return wanted
