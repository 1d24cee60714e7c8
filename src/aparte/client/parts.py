"""What an open profile is made of: each part has one subject, and the verbs of `Client` are said to them."""

import asyncio
from collections.abc import Iterable

from aparte.client.api import accounts
from aparte.client.api.conversations import Rooms
from aparte.client.changing import Changing
from aparte.client.contacts import Contacts
from aparte.client.drafts import Drafts
from aparte.client.gateway import Gateway
from aparte.client.groups import Groups
from aparte.client.history import History
from aparte.client.moderation import Moderation
from aparte.client.outbox import Outbox
from aparte.client.places import Places
from aparte.client.preferences import Preferring
from aparte.client.private import Private
from aparte.client.readable import Readable
from aparte.client.roles import Roles
from aparte.client.scheduled import Scheduled
from aparte.client.searching import Search
from aparte.client.sending import Sending
from aparte.client.session import Session
from aparte.client.stream import MessageStream
from aparte.wire.ids import AccountId

NAMES_SECONDS = 5.0
"""How long a message waits for its sender's name."""


class Parts:
    """The parts of an open profile, and the line over which its log comes."""

    def __init__(self, session: Session) -> None:
        """Work with an open session."""
        self._session = session
        self._rooms = Rooms(session)
        self._outbox = Outbox(session)
        self._gateway = Gateway(session, self._rooms, self._changed)
        self._private = Private(session, self._rooms, self._outbox, self._connect)
        self._history = History(session, self._private, self._names)
        self._readable = Readable(session, self._rooms, self._private, self._names)
        self.groups = Groups(session, self._rooms, self._private)
        """Making groups, and who gets into them: what only groups have. Talking there is as anywhere."""
        self._places = Places(session, self._rooms, self.groups, self._private)
        self._drafts = Drafts(session)
        self._changing = Changing(session, self._rooms, self._places, self._private, self._outbox)
        self._sending = Sending(session, self._rooms, self._private, self._outbox)
        self._preferring = Preferring(session, self._places)
        self.scheduled = Scheduled(session, self._rooms, self._places, self._private)
        """Messages that are due later."""
        self.contacts = Contacts(session)
        """The address book, requests to be contacts, blocks, and finding people."""
        self.roles = Roles(session, self._rooms, self._places)
        """Roles that a conversation defines, and what is granted or denied to one member alone."""
        self.moderation = Moderation(session, self._places, self._readable, self._outbox, self._names)
        """Silences, bans, word lists, held messages, flags."""
        self.search = Search(session, self._places, self._readable)
        """The server's search: messages, people, rooms."""
        self._stream: MessageStream | None = None
        self._line: asyncio.Task[None] | None = None

    def _connect(self) -> None:
        if self._line is None:
            self._line = asyncio.ensure_future(self._gateway.run())
            self._line.add_done_callback(lambda _: self._changed())

    def _changed(self) -> None:
        if self._stream is not None:
            self._stream.wake()

    def _line_ended(self) -> BaseException | None:
        if self._line is None or not self._line.done():
            return None
        return None if self._line.cancelled() else self._line.exception()

    async def _names(self, wanted: Iterable[AccountId]) -> dict[AccountId, str]:
        return await accounts.usernames(self._session, wanted, NAMES_SECONDS)
