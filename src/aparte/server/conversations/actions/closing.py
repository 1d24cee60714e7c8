"""The end of a conversation: gone for everybody, and nothing of it is given to anybody any more."""

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import profiles
from aparte.server.conversations.actions.access import authorise
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Left
from aparte.server.log import actions as log
from aparte.server.log.model import DELETED, Terms
from aparte.server.state import actions as state
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId


async def delete(db: Database, caller: Caller, conversation: ConversationId) -> None:
    """Delete a conversation for everybody; its owner does, and nobody a direct one (C-41, R-133).

    Rows stay, unreachable; the name is free. No entry tells of it, because nobody is left to read one: each member's
    account state does. Refuses with `not_member`, `forbidden`.
    """
    async with db.transaction() as tx:
        head = await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "read")
        if standing.role != "owner" or caller.role == "guest":
            raise Refusal("forbidden", "its owner deletes a conversation")
        await profiles.update_deleted(tx, conversation)
        await log.set_terms(tx, conversation, Terms(closed=DELETED))
        told = await profiles.update_all_out(tx, conversation, head.last)
        await state.put_all(tx, f"membership:{conversation}", told)
        for account in told:
            tx.ring(Left(account, conversation))
        details = {"kind": standing.kind, "members": len(told)}
        await audit.record(
            tx, Event("conversation_deleted", caller.account, caller.session, conversation, details=details)
        )
