"""What the synchronisation asks of its driver: plain data, carried out in order."""

from dataclasses import dataclass

from aparte.wire.accounts import StateItem
from aparte.wire.frames import FromClient
from aparte.wire.ids import ConversationId, Position
from aparte.wire.messages import Entry


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request over the gateway; its answer is fed back."""

    frame: FromClient


@dataclass(frozen=True, slots=True)
class Append:
    """Store entries and move the cursor in one transaction, then report the cursor with `stored`."""

    conversation: ConversationId
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class LookUp:
    """Fetch a conversation over REST and keep it, then report it with `known`, or `forget` it if it is not ours."""

    conversation: ConversationId


@dataclass(frozen=True, slots=True)
class Reset:
    """Drop the local log of a conversation and set the cursor before `floor`, then report it with `stored`."""

    conversation: ConversationId
    floor: Position


@dataclass(frozen=True, slots=True)
class Leave:
    """The account is not in this conversation any more."""

    conversation: ConversationId


@dataclass(frozen=True, slots=True)
class PutStates:
    """Store account state together with the revision it reaches."""

    items: list[StateItem]
    rev: int


@dataclass(frozen=True, slots=True)
class PutMarker:
    """Everything that `changes` named is fetched: keep the marker for the next connection."""

    marker: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The server is busy: call `resume` after so many seconds."""

    seconds: float


Step = Ask | Append | LookUp | Reset | Leave | PutStates | PutMarker | Pause
