"""REST of search: translate, nothing else."""

from datetime import UTC, datetime
from typing import Annotated, Any, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.search import actions
from aparte.server.search.memory import Memory
from aparte.server.search.model import Filters, WantedRooms
from aparte.wire import limits
from aparte.wire.codec import Decoder
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID, LAST_ID, AccountId, ConversationId, EntryId, first_id_at
from aparte.wire.search import FoundMessages, FoundPeople, FoundRooms, Has

Typed = Annotated[str, Meta(max_length=limits.QUERY)]
Page = Annotated[int, Meta(ge=1, le=limits.PAGE_FOUND)]
FreeJson = Annotated[str, Meta(max_length=limits.METADATA_QUERY)]
_decode_object = Decoder(dict[str, Any])


class MessagesQuery(msgspec.Struct, frozen=True, rename={"where": "in", "author": "from"}):
    """Words, "phrases", -exclusions, OR; filters beside or instead. `before` and `after` are entry ids or times; `has`
    names several things separated by commas; `metadata` is JSON that a message's metadata holds."""

    q: Typed = ""
    where: ConversationId | None = None
    author: AccountId | None = None
    before: Annotated[str, Meta(max_length=40)] = ""
    after: Annotated[str, Meta(max_length=40)] = ""
    has: Annotated[str, Meta(max_length=100)] = ""
    metadata: FreeJson = ""
    cursor: EntryId = LAST_ID
    limit: Page = 20


class PeopleQuery(msgspec.Struct, frozen=True):
    """A name or its beginning, words of it, something like it, or a whole address; `mine`: in one's address book."""

    q: Annotated[str, Meta(min_length=1, max_length=limits.QUERY)]
    mine: bool = False
    limit: Page = 20


class RoomsQuery(msgspec.Struct, frozen=True):
    """Words of a name, topic or description; `metadata` is JSON that the room's metadata holds. One of the two."""

    q: Typed = ""
    metadata: FreeJson = ""
    nsfw: bool = False
    limit: Page = 20


class Doors:
    """`/search`."""

    def __init__(self, db: Database, memory: Memory) -> None:
        """Search in this database."""
        self._db = db
        self._memory = memory

    async def messages(self, call: Call[Nothing, MessagesQuery]) -> FoundMessages:
        """Messages of my readable conversations, newest first."""
        query = call.query
        before = min(query.cursor, moment(query.before)) if query.before else query.cursor
        after = moment(query.after) if query.after else FIRST_ID
        metadata = object_of(query.metadata)
        filters = Filters(query.where, query.author, things(query.has), metadata, after, before)
        return await actions.messages(self._db, self._memory, call.caller, query.q, filters, query.limit)

    async def people(self, call: Call[Nothing, PeopleQuery]) -> FoundPeople:
        """People who let me find them."""
        query = call.query
        return await actions.people(self._db, self._memory, call.caller, query.q, query.limit, mine=query.mine)

    async def rooms(self, call: Call[Nothing, RoomsQuery]) -> FoundRooms:
        """Public rooms and channels, and those I am in that the server can read."""
        query = call.query
        metadata = object_of(query.metadata)
        if not query.q.strip() and not metadata:
            raise Refusal("invalid", "give q or metadata")
        wanted = WantedRooms(query.q.strip(), metadata, query.nsfw, query.limit)
        return await actions.rooms(self._db, self._memory, call.caller, wanted)


def moment(text: str) -> EntryId:
    """Read an entry id, or a time with its zone. Raises Refusal `invalid`."""
    try:
        return EntryId(UUID(text))
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return first_id_at(at.astimezone(UTC)) if at.tzinfo is not None else _no_moment()
    except (ValueError, OverflowError):
        return _no_moment()


def _no_moment() -> EntryId:
    raise Refusal("invalid", "before and after are entry ids, or times with their zone")


def things(text: str) -> tuple[Has, ...]:
    """Read what a message must have. Raises Refusal `invalid`."""
    named = tuple(dict.fromkeys(text.split(","))) if text else ()
    known: dict[str, Has] = {thing: thing for thing in get_args(Has)}
    if not set(named) <= set(known):
        raise Refusal("invalid", f"has is of {', '.join(known)}")
    return tuple(known[name] for name in named)


def object_of(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises Refusal `invalid`."""
    if not text:
        return {}
    try:
        found: dict[str, Any] = _decode_object(text.encode())
    except Refusal:
        raise Refusal("invalid", "metadata is a JSON object") from None
    return found
