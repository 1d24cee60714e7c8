"""REST of rooms and channels as a whole: create, find, describe, run, end, and links that lead in. Translate, nothing
else."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.server.conversations import actions
from aparte.server.conversations.model import Wanted, WantedRooms
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire import codec, limits
from aparte.wire.content import ConversationKind
from aparte.wire.conversations import (
    Conversation,
    ConversationChange,
    ConversationPage,
    DirectoryPage,
    InviteLink,
    InviteList,
    NewConversation,
    NewInvite,
)
from aparte.wire.errors import Refusal
from aparte.wire.groups import Invite
from aparte.wire.ids import AccountId, ConversationId, EntryId, InviteId, InviteToken

Limit = Annotated[int, Meta(ge=1, le=limits.PAGE_LIST)]
MetadataText = Annotated[str, Meta(max_length=limits.METADATA_QUERY)]


class ListQuery(msgspec.Struct, frozen=True):
    """`before` is the `next` of the page before. The others leave out what is otherwise: `metadata` is JSON of which
    all must be there, `archived` those that are only read; `pinned`, `put_away` (into one's own archive) and `label`
    are of one's own preferences. Left out, both."""

    before: EntryId | None = None
    kind: ConversationKind | None = None
    public: bool | None = None
    archived: bool | None = None
    creator: AccountId | None = None
    owner: AccountId | None = None
    metadata: MetadataText | None = None
    pinned: bool | None = None
    put_away: bool | None = None
    label: Annotated[str, Meta(max_length=limits.LABEL)] | None = None
    limit: Limit = 50


class DirectoryQuery(msgspec.Struct, frozen=True):
    """`name` finds exactly one, `query` those whose name contains it; `after` is the `next` of the page before.

    `metadata` is JSON of which all must be there. Archived ones are found by `name` alone, and so those that are not
    safe for work, but for who asks for them by `nsfw`.
    """

    name: Annotated[str, Meta(max_length=limits.ROOM_NAME)] | None = None
    query: Annotated[str, Meta(max_length=limits.ROOM_NAME)] | None = None
    kind: Literal["room", "channel"] | None = None
    metadata: MetadataText | None = None
    nsfw: bool = False
    after: Annotated[str, Meta(max_length=400)] = ""
    limit: Limit = 50


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


def json_of(text: str | None) -> dict[str, Any] | None:
    """Read a JSON object out of a query. Refuses with `invalid`."""
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise Refusal("invalid", "metadata is a JSON object") from None
    codec.check_free(found)
    return found


class Doors:
    """REST of rooms and channels."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def create(self, call: Call[NewConversation, Nothing]) -> Conversation:
        """Create a room or channel that the server can read."""
        return await actions.create(self._db, call.caller, call.body)

    async def mine(self, call: Call[Nothing, ListQuery]) -> ConversationPage:
        """List my conversations, newest activity first."""
        query = call.query
        wanted = Wanted(
            before=query.before,
            kind=query.kind,
            is_public=query.public,
            is_archived=query.archived,
            creator=query.creator,
            owner=query.owner,
            metadata=json_of(query.metadata),
            is_pinned=query.pinned,
            is_put_away=query.put_away,
            label=query.label,
            limit=query.limit,
        )
        return await actions.mine(self._db, call.caller, wanted)

    async def get(self, call: Call[Nothing, Nothing]) -> Conversation:
        """Read one of my conversations."""
        return await actions.get(self._db, call.caller, conversation_of(call))

    async def change(self, call: Call[ConversationChange, Nothing]) -> Conversation:
        """Change what a conversation says of itself and how it is run; of an encrypted one only how."""
        return await actions.change(self._db, call.caller, conversation_of(call), call.body)

    async def delete(self, call: Call[Nothing, Nothing]) -> None:
        """Delete a conversation for everybody."""
        await actions.delete(self._db, call.caller, conversation_of(call))

    async def directory(self, call: Call[Nothing, DirectoryQuery]) -> DirectoryPage:
        """Find public rooms and channels."""
        query = call.query
        wanted = WantedRooms(
            name=query.name,
            part=query.query,
            kind=query.kind,
            metadata=json_of(query.metadata),
            nsfw=query.nsfw,
            after=query.after,
            limit=query.limit,
        )
        return await actions.directory(self._db, call.caller, wanted)

    async def create_invite(self, call: Call[NewInvite, Nothing]) -> InviteLink:
        """Make a link into a room or channel; its token is told this once."""
        return await actions.create_invite(self._db, call.caller, conversation_of(call), call.body)

    async def invites(self, call: Call[Nothing, Nothing]) -> InviteList:
        """The links that lead into a room or channel."""
        return await actions.list_invites(self._db, call.caller, conversation_of(call))

    async def close_invite(self, call: Call[Nothing, Nothing]) -> None:
        """Close a link; where there is none, nothing happens."""
        await actions.close_invite(self._db, call.caller, conversation_of(call), InviteId(call.id("invite")))

    async def invite(self, call: Call[Nothing, Nothing]) -> Invite:
        """Where an invite link leads."""
        return await actions.invite(self._db, InviteToken(call.id("token")))

    async def enter(self, call: Call[Nothing, Nothing]) -> Conversation:
        """Come in by a link into a room or channel; coming twice is coming once."""
        return await actions.enter_by_invite(self._db, call.caller, InviteToken(call.id("token")))
