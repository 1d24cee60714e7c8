"""Answers of the server's search: in what it can read, of people who let themselves be found."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.accounts import Person
from aparte.wire.conversations import DirectoryRow
from aparte.wire.ids import EntryId
from aparte.wire.messages import Message

Query = Annotated[str, Meta(min_length=1, max_length=limits.QUERY)]
Has = Literal["link", "code", "mention", "reply", "reaction", "pin", "thread"]


class FoundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that was found. `highlights` are places in its text, as pairs of character offsets (begin, end)."""

    message: Message
    highlights: list[tuple[int, int]] = []


class FoundMessages(msgspec.Struct, frozen=True):
    """Messages, newest first; `next` continues."""

    found: list[FoundMessage]
    next: EntryId | None


class FoundPeople(msgspec.Struct, frozen=True):
    """People, the best match first: exact name, beginning of a name, words, similar names."""

    people: list[Person]


class FoundRooms(msgspec.Struct, frozen=True):
    """Public rooms and channels, and the caller's own that the server can read, the best match first."""

    rooms: list[DirectoryRow]
