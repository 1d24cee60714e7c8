"""Invite links: where one leads, the chain it lets its holder read, and coming in by it.

A link that is over for whatever reason is answered as one that was never made.
"""

from datetime import UTC, datetime

from aparte.e2ee.statement import Action
from aparte.server.conversations import fold, invitations, links, rules
from aparte.server.conversations.actions import admitting
from aparte.server.conversations.actions.access import authorise
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.conversations.actions.groups import page_of
from aparte.server.conversations.actions.room_invites import open_of
from aparte.server.conversations.model import LinkRow, Submission
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Reader
from aparte.server.log import actions as log
from aparte.wire.errors import Refusal
from aparte.wire.groups import Admitted, Invite, SignedStatement, StatementPage
from aparte.wire.ids import ConversationId, InviteToken

LATEST = 253_402_300_800
"""The year 10000: a link that ends later does not end as far as anybody can write."""


async def invite(db: Database, token: InviteToken) -> Invite:
    """Tell where a link leads, into whichever kind of conversation. Refuses with `invite_over`."""
    async with db.read() as reader:
        found = await open_of(reader, token)
        if found is not None:
            return invitations.shown_to_invited(found)
        link = await _open(reader, token)
    return Invite(
        link.conversation,
        link.kind,
        link.member_count,
        link.number,
        datetime.fromtimestamp(link.expires, UTC) if 0 < link.expires < LATEST else None,
        link.uses - link.used if link.uses else None,
        link.card,
    )


async def renew_card(db: Database, caller: Caller, conversation: ConversationId, link_id: bytes, card: bytes) -> None:
    """Replace what an open link says of its group; for those who may change what the group says of itself.

    Refuses with `not_member`, `mode_mismatch`, `forbidden`, and `not_found` where no such link is open.
    """
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "read")
        rules.check_chain(standing)
        rules.check("edit_profile", standing, caller.role)
        if not await links.update_card(tx, conversation, link_id, card):
            raise Refusal("not_found")


async def invite_statements(db: Database, token: InviteToken, after: int) -> StatementPage:
    """Read the chain that a link leads to: whoever comes checks first that it is the one they were told of."""
    async with db.read() as reader:
        link = await _open(reader, token)
        return await page_of(reader, link.conversation, after)


async def join_by_link(
    db: Database, gathering: Gathering, caller: Caller, token: InviteToken, given: SignedStatement
) -> Admitted:
    """Come in by a link. Refuses with `invite_over`, `banned`, `forbidden` (was removed), `room_full`, and as
    `submit` does; the same statement again is answered as it was, even if the link is over since.
    """
    rules.check_platform(caller.role)
    said = fold.read([given])
    fold.check_actor(said, caller.account)
    statement = said[0].statement
    if statement.action is not Action.JOIN:
        raise Refusal("bad_statement", "a link is for joining")
    submission = Submission(fold.conversation_of(statement), caller, said)
    async with db.read() as reader:
        repeat = await admitting.repeat_of(reader, submission)
        if repeat is not None:
            return repeat
        link = await _open(reader, token)
    if (link.conversation.bytes, link.link_id) != (statement.conversation, statement.arg):
        raise Refusal("bad_statement", "the statement is for another link")
    return await gathering.submit(submission)


async def _open(reader: Reader, token: InviteToken) -> LinkRow:
    return fold.check_link(await links.select_link(reader, fold.token_hash(token)), now().timestamp())
