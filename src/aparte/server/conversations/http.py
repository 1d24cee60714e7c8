"""REST of conversations: translate, nothing else."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from aparte.server.conversations import actions
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire import limits
from aparte.wire.conversations import Conversation
from aparte.wire.groups import (
    Admitted,
    EpochMembers,
    NewCard,
    NewGroup,
    NewStatements,
    SignedStatement,
    StatementPage,
)
from aparte.wire.ids import ConversationId, InviteToken
from aparte.wire.keys import NewDirect


class StatementsQuery(msgspec.Struct, frozen=True):
    """`after` is the number of the newest statement that one has."""

    after: Annotated[int, Meta(ge=0, le=limits.SAFE_INTEGER)] = 0


class EpochQuery(msgspec.Struct, frozen=True):
    """`number` is that of an epoch; left out, the present one."""

    number: Annotated[int, Meta(ge=1, le=limits.SAFE_INTEGER)] | None = None


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


class Doors:
    """REST of conversations."""

    def __init__(self, db: Database, gathering: Gathering) -> None:
        """Keep what the actions need."""
        self._db = db
        self._gathering = gathering

    async def open_direct(self, call: Call[NewDirect, Nothing]) -> Conversation:
        """Open the direct conversation with somebody, or one's notes to oneself; opening twice is opening once."""
        return await actions.open_direct(self._db, call.caller, call.body)

    async def join(self, call: Call[Nothing, Nothing]) -> Conversation:
        """Join a public room; joining twice is joining once."""
        return await actions.join(self._db, call.caller, conversation_of(call))

    async def leave(self, call: Call[Nothing, Nothing]) -> None:
        """Leave; an owner's room passes on."""
        await actions.leave(self._db, call.caller, conversation_of(call))

    # Groups -----------------------------------------------------------------------------------------------------------

    async def create_group(self, call: Call[NewGroup, Nothing]) -> Conversation:
        """Begin a group: the statement that creates it, and those that add people. Twice is once."""
        return await actions.create_group(self._db, call.caller, call.body)

    async def submit(self, call: Call[NewStatements, Nothing]) -> Admitted:
        """Continue a group's chain with signed statements; all are stored or none."""
        return await actions.submit(self._db, self._gathering, call.caller, conversation_of(call), call.body)

    async def statements(self, call: Call[Nothing, StatementsQuery]) -> StatementPage:
        """The chain of a group after a statement."""
        return await actions.statements(self._db, call.caller, conversation_of(call), call.query.after)

    async def epoch(self, call: Call[Nothing, EpochQuery]) -> EpochMembers:
        """What an epoch of a group is made of."""
        return await actions.epoch(self._db, call.caller, conversation_of(call), call.query.number)

    async def renew_card(self, call: Call[NewCard, Nothing]) -> None:
        """What an open link says of its group, anew, sealed for those who have the link."""
        await actions.renew_card(self._db, call.caller, conversation_of(call), call.id("link").bytes, call.body.card)

    async def invite_statements(self, call: Call[Nothing, StatementsQuery]) -> StatementPage:
        """The chain of the group that an invite link leads to."""
        return await actions.invite_statements(self._db, InviteToken(call.id("token")), call.query.after)

    async def join_by_link(self, call: Call[SignedStatement, Nothing]) -> Admitted:
        """Come in by an invite link."""
        token = InviteToken(call.id("token"))
        return await actions.join_by_link(self._db, self._gathering, call.caller, token, call.body)
