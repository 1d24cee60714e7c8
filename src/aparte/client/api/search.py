"""The server's search: messages that it can read, people, rooms."""

from aparte.client import local_log
from aparte.client.session import Session
from aparte.client.transport.http import Request
from aparte.wire.search import FoundMessages, FoundPeople, FoundRooms


async def messages(session: Session, query: dict[str, str]) -> FoundMessages:
    """Find messages, newest first."""
    return await session.call(Request("GET", "/search/messages", query=query), FoundMessages)


async def people(session: Session, query: dict[str, str]) -> FoundPeople:
    """Find people, the best match first."""
    found = await session.call(Request("GET", "/search/people", query=query), FoundPeople)
    local_log.keep_people(session.store, found.people)
    return found


async def rooms(session: Session, query: dict[str, str]) -> FoundRooms:
    """Find rooms and channels, the best match first."""
    return await session.call(Request("GET", "/search/rooms", query=query), FoundRooms)
