"""Gateway frames of receipts: marks are taken at any rate, gathered, and not answered."""

from aparte.server.kit.caller import Caller
from aparte.server.kit.door import Reply
from aparte.server.receipts.coalescer import Coalescer
from aparte.server.receipts.model import Mark
from aparte.wire import frames


class Frames:
    """Frames of receipts."""

    def __init__(self, coalescer: Coalescer) -> None:
        """Keep what gathers them."""
        self._coalescer = coalescer

    def ack(self, caller: Caller, frame: frames.Ack, _reply: Reply) -> None:
        """This device has stored everything up to here."""
        self._coalescer.put(Mark(caller, frame.conversation, "delivered", frame.up_to))

    def read(self, caller: Caller, frame: frames.Read, _reply: Reply) -> None:
        """I have read up to here."""
        self._coalescer.put(Mark(caller, frame.conversation, "read", frame.up_to))
