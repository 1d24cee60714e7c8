"""Acknowledgements, coalesced: at most one a second for each conversation, always the newest position."""

from aparte.wire.frames import Ack
from aparte.wire.ids import ConversationId, Position

INTERVAL = 1.0
"""Seconds between two acknowledgements of one conversation (the receipts of the server have the same grain)."""


class Acks:
    """Collects what has been stored and says when to tell the server."""

    def __init__(self) -> None:
        """Begin with nothing to acknowledge."""
        self._waiting: dict[ConversationId, Position] = {}
        self._last: dict[ConversationId, float] = {}

    def note(self, conversation: ConversationId, position: Position) -> None:
        """Remember that everything up to `position` is stored durably."""
        known = self._waiting.get(conversation)
        if known is None or known.seq < position.seq:
            self._waiting[conversation] = position

    def due(self, now: float, *, closing: bool = False) -> list[Ack]:
        """Take the frames to send at `now` (seconds of any steady clock); all that wait when `closing`."""
        ready = [
            conversation
            for conversation in self._waiting
            if closing or now - self._last.get(conversation, -INTERVAL) >= INTERVAL
        ]
        frames = [Ack(conversation=conversation, up_to=self._waiting.pop(conversation)) for conversation in ready]
        self._last |= dict.fromkeys(ready, now)
        if len(self._last) > 10_000:
            self._last = {c: t for c, t in self._last.items() if now - t < INTERVAL}
        return frames
