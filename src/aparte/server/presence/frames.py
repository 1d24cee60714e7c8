"""Gateway frames of presence: what to whisper about, and that somebody is writing."""

from aparte.server.kit.caller import Caller
from aparte.server.kit.door import Reply
from aparte.server.presence.actions import Presence
from aparte.wire import frames


class Frames:
    """Frames of presence."""

    def __init__(self, presence: Presence) -> None:
        """Ask this presence."""
        self._presence = presence

    async def watch(self, caller: Caller, frame: frames.Watch, reply: Reply) -> None:
        """Whisper about these from now on; how things are now comes at once."""
        for presence in await self._presence.watch(caller, frame, reply):
            reply(presence)

    async def typing(self, caller: Caller, frame: frames.Typing, _reply: Reply) -> None:
        """I am writing, or have stopped."""
        await self._presence.typing(caller, frame.conversation, on=frame.on)
