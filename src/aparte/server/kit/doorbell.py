"""Hints that leave a transaction: collected while it runs, rung after COMMIT, dropped on rollback.

A hint may be lost; whoever needs it finds the truth in PostgreSQL by the next look. An action names an audience and a
frame and never knows a socket. `realtime` answers the bell; `app` connects the two.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from aparte.wire.frames import FromServer, Live
from aparte.wire.ids import AccountId, ConversationId, DeviceId, SessionId
from aparte.wire.sealed import Envelope


class ToConversation(msgspec.Struct, frozen=True, tag=True):
    """Push a frame to every socket of the conversation's members."""

    conversation: ConversationId
    frame: FromServer


class ToAccount(msgspec.Struct, frozen=True, tag=True):
    """Push a frame to every socket of an account."""

    account: AccountId
    frame: FromServer


class ToDevice(msgspec.Struct, frozen=True, tag=True):
    """Push a frame to the socket of one device."""

    device: DeviceId
    frame: FromServer


class ToConversationSealed(msgspec.Struct, frozen=True, tag=True):
    """Push a sealed entry to every socket of the conversation's members, to each with its device's envelope alone."""

    conversation: ConversationId
    frame: Live
    envelopes: list[Envelope]


class Joined(msgspec.Struct, frozen=True, tag=True):
    """From now on the account's sockets belong to the conversation's audience."""

    account: AccountId
    conversation: ConversationId


class Left(msgspec.Struct, frozen=True, tag=True):
    """From now on they no longer do."""

    account: AccountId
    conversation: ConversationId


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A session is over: its socket closes."""

    session: SessionId


Hint = ToConversation | ToConversationSealed | ToAccount | ToDevice | Joined | Left | Ended


class Doorbell(Protocol):
    """What answers: delivers to this process's own sockets at once and tells the other processes."""

    def ring(self, hints: Sequence[Hint]) -> None:
        """Never blocks, never raises."""


class Bells:
    """Several that answer one bell, in order."""

    def __init__(self, *bells: Doorbell) -> None:
        """Ring these."""
        self._bells = bells

    def ring(self, hints: Sequence[Hint]) -> None:
        """Ring each."""
        for bell in self._bells:
            bell.ring(hints)
