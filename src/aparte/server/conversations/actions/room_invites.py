"""Links into rooms and channels that the server can read: make, list, close, and come in by one.

Of the token only its hash is kept; it is told once, to who makes the link. A link that is over for whatever reason is
answered as one that was never made.
"""

import secrets
from uuid import UUID

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import fold, invitations, invites, links, rules, store
from aparte.server.conversations.actions.access import administer, seen
from aparte.server.conversations.actions.membership import admit
from aparte.server.conversations.model import InviteRow, Standing
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Reader
from aparte.server.log import actions as log
from aparte.wire.conversations import Conversation, InviteLink, InviteList, NewInvite
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, InviteId, InviteToken, new_id


async def create_invite(db: Database, caller: Caller, conversation: ConversationId, wanted: NewInvite) -> InviteLink:
    """Make a link. Refuses with `not_member`, `mode_mismatch`, `forbidden`, `archived`, `invalid`, `too_many`."""
    token = InviteToken(UUID(bytes=secrets.token_bytes(16)))
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await administer(tx, caller, conversation, "invite")
        moment = now()
        there = await invites.select_invites(tx, conversation=conversation)
        invitations.check_new(standing, wanted, there, moment)
        new = InviteRow(
            conversation,
            InviteId(new_id()),
            caller.account,
            wanted.role,
            wanted.expires_at,
            wanted.uses,
            0,
            moment,
            None,
        )
        made = await invites.insert_invite(tx, new, fold.token_hash(token))
        event = Event("invite_created", caller.account, caller.session, conversation, ("invite", made.id))
        await audit.record(tx, event)
    return _shown(made, token)


async def list_invites(db: Database, caller: Caller, conversation: ConversationId) -> InviteList:
    """List the links that lead here at present, the oldest first, to who may make some."""
    async with db.read() as reader:
        await _looking_after(reader, caller, conversation)
        moment = now()
        there = await invites.select_invites(reader, conversation=conversation)
    return InviteList([_shown(one) for one in there if invitations.leads(one, moment)])


async def close_invite(db: Database, caller: Caller, conversation: ConversationId, invite: InviteId) -> None:
    """Close a link; one that is closed stays so. Refuses with `not_member`, `mode_mismatch`, `forbidden`."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await _looking_after(tx, caller, conversation)
        there = await invites.select_invites(tx, conversation=conversation)
        for one in (one for one in there if one.id == invite):
            invitations.check_close(standing, one)
            await invites.update_revoked(tx, conversation, invite)
            event = Event("invite_closed", caller.account, caller.session, conversation, ("invite", invite))
            await audit.record(tx, event)


async def enter_by_invite(db: Database, caller: Caller, token: InviteToken) -> Conversation:
    """Come in by a link; whoever is in stays as they are, and is not counted.

    Refuses with `invite_over`, `banned`, `room_full`, `forbidden`, and `mode_mismatch` where a joining is signed.
    """
    rules.check_platform(caller.role)
    async with db.transaction() as tx:
        found = await open_of(tx, token)
        if found is None:
            is_signed = await links.select_link(tx, fold.token_hash(token)) is not None
            raise Refusal("mode_mismatch" if is_signed else "invite_over")
        head = await log.lock(tx, found.conversation)
        member = await store.select_member(tx, found.conversation, caller.account)
        if member is None or not member.is_current:
            link = await open_of(tx, token)
            if link is None:
                raise Refusal("invite_over")
            invitations.check_room(await store.select_room(tx, link.conversation))
            await admit(tx, caller, head, caller.account, link.role, link.by)
            await invites.update_invite_used(tx, link.conversation, link.id)
        return await seen(tx, caller.account, found.conversation)


async def open_of(reader: Reader, token: InviteToken) -> InviteRow | None:
    """Find where a token leads at present."""
    moment = now()
    there = await invites.select_invites(reader, token_hash=fold.token_hash(token))
    return next((one for one in there if invitations.leads(one, moment)), None)


async def _looking_after(reader: Reader, caller: Caller, conversation: ConversationId) -> Standing:
    """Who may invite sees and closes links, also where an archive keeps them from making any."""
    standing = await administer(reader, caller, conversation, "read")
    rules.check_platform(caller.role)
    invitations.check_right(standing)
    return standing


def _shown(one: InviteRow, token: InviteToken | None = None) -> InviteLink:
    return InviteLink(one.id, one.role, one.uses, one.used, one.by, one.created_at, one.expires_at, token)
