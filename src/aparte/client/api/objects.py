"""Sealed objects at the server, and the pages of old logs that what is in them opens."""

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.groups import SealedObject
from aparte.wire.ids import ConversationId, EntryId, ObjectId
from aparte.wire.messages import EntryPage


async def put(session: Session, conversation: ConversationId, object_id: ObjectId, data: bytes) -> None:
    """Leave an object; a repeat is stored once. Raises ClientError `too_many`, `storage_full` …"""
    await session.call(Request("PUT", _path(conversation, object_id), to_json(SealedObject(data))), Nothing)


async def get(session: Session, conversation: ConversationId, object_id: ObjectId) -> bytes:
    """Fetch an object. Raises ClientError `not_found`."""
    return (await session.call(Request("GET", _path(conversation, object_id)), SealedObject)).data


async def entries(session: Session, conversation: ConversationId, after: EntryId, limit: int) -> EntryPage:
    """Read the log after an entry, or after the moment that an id stands for."""
    query = {"after": str(after), "limit": str(limit)}
    return await session.call(Request("GET", f"/conversations/{conversation}/entries", query=query), EntryPage)


def _path(conversation: ConversationId, object_id: ObjectId) -> str:
    return f"/conversations/{conversation}/objects/{object_id}"
