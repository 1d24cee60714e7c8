"""The server's search: in what it can read, of people who let themselves be found, of rooms."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from aparte.client.answers import FoundMessage
from aparte.client.api import accounts
from aparte.client.api import search as api
from aparte.client.changing import entry_id
from aparte.client.places import Places
from aparte.client.readable import Readable
from aparte.client.session import Session
from aparte.wire import limits
from aparte.wire.accounts import Person
from aparte.wire.codec import to_json
from aparte.wire.conversations import DirectoryRow
from aparte.wire.search import Has


class Filters(TypedDict, total=False):
    """What leaves out messages, beside words or instead."""

    where: str | None
    """Only in this conversation."""
    sender: str | None
    """Only by this person."""
    before: datetime | UUID | str | None
    """Before a time, or a message."""
    after: datetime | UUID | str | None
    has: Iterable[Has]
    """Only with all of these: link, code, mention, reply, reaction, pin, thread."""
    metadata: Mapping[str, Any] | None
    """Only where this JSON is part of the message's metadata."""


class Search:
    """`client.search`. What is said in encrypted conversations is not found: the server cannot read it."""

    def __init__(self, session: Session, places: Places, readable: Readable) -> None:
        """Ask in the name of a session."""
        self._session = session
        self._places = places
        self._readable = readable

    async def messages(self, words: str = "", *, limit: int = 20, **filters: Unpack[Filters]) -> list[FoundMessage]:
        """Find messages in the readable conversations one is in, newest first.

        `words`: words, "phrases", -exclusions, OR. `before` and `after`: times, or ids of messages; the id of the last
        one that was found continues. Raises ClientError `mode_mismatch` for an encrypted conversation, `unavailable`.
        """
        query = {"q": words} | await self._query(filters)
        found: list[FoundMessage] = []
        while len(found) < limit:
            query["limit"] = str(min(limit - len(found), limits.PAGE_FOUND))
            page = await api.messages(self._session, query)
            shown = await self._readable.shown([one.message for one in page.found])
            rows = zip(shown, page.found, strict=True)
            found += [FoundMessage(message, tuple(one.highlights)) for message, one in rows]
            if page.next is None:
                break
            query["cursor"] = str(page.next)
        return found

    async def _query(self, filters: Filters) -> dict[str, str]:
        query: dict[str, str] = {}
        if (where := filters.get("where")) is not None:
            query["in"] = str(await self._places.resolve(where))
        if (sender := filters.get("sender")) is not None:
            query["from"] = str(await accounts.account_named(self._session, sender))
        if (before := filters.get("before")) is not None:
            query["before"] = _moment(before)
        if (after := filters.get("after")) is not None:
            query["after"] = _moment(after)
        if has := list(filters.get("has", ())):
            query["has"] = ",".join(has)
        if metadata := filters.get("metadata"):
            query["metadata"] = to_json(dict(metadata)).decode()
        return query

    async def people(self, words: str, *, only_contacts: bool = False, limit: int = 20) -> list[Person]:
        """Find people by a name or its beginning, words of it, something like it, or a whole address; best first."""
        query = {"q": words, "mine": str(only_contacts).lower(), "limit": str(limit)}
        return (await api.people(self._session, query)).people

    async def rooms(
        self, words: str = "", *, metadata: Mapping[str, Any] | None = None, nsfw: bool = False, limit: int = 20
    ) -> list[DirectoryRow]:
        """Find public rooms and channels, and one's own that the server can read, the best match first."""
        query = {"q": words, "nsfw": str(nsfw).lower(), "limit": str(limit)}
        query |= {"metadata": to_json(dict(metadata)).decode()} if metadata else {}
        return (await api.rooms(self._session, query)).rooms


def _moment(value: datetime | UUID | str) -> str:
    """Write a time with its zone (one without is of this machine's), or the id of a message."""
    return value.astimezone().isoformat() if isinstance(value, datetime) else str(entry_id(value))
