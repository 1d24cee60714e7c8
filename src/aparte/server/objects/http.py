"""REST of sealed objects: translate, nothing else."""

from typing import Any

from aparte.server.kit.blobs import Blobs
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.objects import actions
from aparte.wire.groups import SealedObject
from aparte.wire.ids import ConversationId, ObjectId


def place_of(call: Call[Any, Any]) -> tuple[ConversationId, ObjectId]:
    """Read conversation and object off the path."""
    return ConversationId(call.id("conversation")), ObjectId(call.id("object"))


class Doors:
    """`/conversations/{conversation}/objects/{object}`."""

    def __init__(self, db: Database, blobs: Blobs) -> None:
        """Serve out of this folder."""
        self._db = db
        self._blobs = blobs

    async def put(self, call: Call[SealedObject, Nothing]) -> None:
        """Leave sealed bytes for the other members, for thirty days, under an id of one's own making."""
        await actions.put(self._db, self._blobs, call.caller, place_of(call), call.body.data)

    async def get(self, call: Call[Nothing, Nothing]) -> SealedObject:
        """Fetch what a member has left."""
        return SealedObject(await actions.get(self._db, self._blobs, call.caller, *place_of(call)))
