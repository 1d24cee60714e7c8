"""The hub on its own: who was told how far a log reaches is not told again."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from aparte.server.kit.caller import Caller
from aparte.server.kit.doorbell import Hint, ToConversation
from aparte.server.realtime.hub import Hub
from aparte.server.realtime.socket import Socket
from aparte.wire.frames import Moved
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, Position, SessionId


class Alone:
    """No other process."""

    def publish(self, hints: Sequence[Hint]) -> None:
        """Nobody hears."""

    def watch(self, audience: str) -> None:
        """Nobody rings."""

    def unwatch(self, audience: str) -> None:
        """Nobody rang."""


class Wire:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        """Everything is gone at once."""
        return 0

    def is_closing(self) -> bool:
        """Never."""
        return False

    def abort(self) -> None:
        """Never asked."""


async def test_a_look_repeats_no_hint_and_no_entry() -> None:
    """What a group's entry says with a hint, a look fifteen seconds later would say again to each of its members."""
    conversation, entry, wire = ConversationId(uuid4()), EntryId(uuid4()), Wire()
    caller = Caller(AccountId(uuid4()), DeviceId(uuid4()), SessionId(uuid4()), "user", is_listed=True)
    socket = Socket(caller, "json", wire, asyncio.get_running_loop().create_future())
    hub = Hub(Alone())
    hub.add(socket)
    hub.open(socket, [conversation])
    hub.ring([ToConversation(conversation, Moved(conversation, 5, entry))])
    socket.flush()
    assert len(wire.written) == 1
    hub.moved(conversation, Position(5, entry))
    socket.flush()
    assert len(wire.written) == 1
    hub.moved(conversation, Position(6, entry))
    socket.flush()
    assert len(wire.written) == 2
