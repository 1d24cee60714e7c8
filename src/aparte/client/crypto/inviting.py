"""Invite links: opened by those who may add, followed by whoever has one.

Who follows a link has no word but the link's: the group's id and the seed of a key are in it. So the chain that the
server shows must begin with this id and name this key, and the joining is signed with it.
"""

import re
import secrets
from uuid import UUID, uuid4

from aparte.client import local_log
from aparte.client.api import groups as api
from aparte.client.api.conversations import fetch
from aparte.client.crypto import cards, submitting
from aparte.client.crypto import own as own_keys
from aparte.client.crypto.folding import state
from aparte.client.crypto.learning import know, learn
from aparte.client.crypto.own import Own, now_ms
from aparte.client.crypto.submitting import Opening, signed, submit
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store import invite_links
from aparte.client.store.db import Tx
from aparte.client.store.invite_links import LinkRow
from aparte.e2ee import invite as invites
from aparte.e2ee.errors import BadStatement, InvalidMessage
from aparte.e2ee.invite import Invite
from aparte.e2ee.invite_card import Card
from aparte.e2ee.membership import MEMBER, Action, Fields, Membership, Signed, link_terms
from aparte.wire.conversations import Conversation
from aparte.wire.groups import Invite as Found
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import ConversationId, InviteToken

_LINK = re.compile(r"(?:\S*/i/)?([0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12})#(\S{1,100})")


def link_text(server: str, token: InviteToken, invite: Invite) -> str:
    """Write a link. What is behind the # stays with those who have it."""
    return f"{server}/i/{token}#{invites.text(invite)}"


def parse_link(text: str) -> tuple[InviteToken, Invite]:
    """Read a link. Raises ClientError `bad_invite`."""
    found = _LINK.fullmatch(text.strip())
    if found is None:
        raise KeyRefused("bad_invite")
    try:
        return InviteToken(UUID(found[1])), invites.parse(found[2])
    except InvalidMessage:
        raise KeyRefused("bad_invite") from None


async def link(
    session: Session,
    conversation: ConversationId,
    role: int = MEMBER,
    *,
    expires: int = 0,
    uses: int = 0,
    card: Card | None = None,
) -> str:
    """Open a link by which people join in this role, and give its text.

    `expires`: seconds since 1970, 0 never; `uses`: how many may join by it, 0 any number; `card`: what it says of the
    group to those who have it. Raises ClientError `forbidden`, `invalid` …
    """
    made = Invite(conversation.bytes, secrets.token_bytes(invites.SEED_BYTES))
    public = invites.link_key(made.seed).public
    row = LinkRow(conversation, invites.link_id(public), made.seed, InviteToken(uuid4()))
    try:
        terms = link_terms(expires, uses)
    except BadStatement:
        raise ClientError("invalid") from None

    def build(tx: Tx, own: Own, before: Membership) -> list[Signed]:
        fields: Fields = {"subject_key": public.serialize(), "role": role, "arg": terms}
        return [signed(tx, own, before, Action.LINK, **fields)[0]]

    opening = Opening(row.token, None if card is None else cards.sealed(made.seed, card))
    with session.store.transaction(durable=True) as tx:
        invite_links.insert_link(tx, row, now_ms())
    try:
        await submit(session, conversation, build, opening)
    except ClientError as error:
        if error.status is not None and error.status < 500:
            _forget(session, row)
        raise
    return link_text(session.http.server, row.token, made)


async def close_link(session: Session, conversation: ConversationId, link_id: bytes) -> None:
    """Close a link, whoever has opened it. Raises ClientError `not_found`, `forbidden`."""

    def build(tx: Tx, own: Own, before: Membership) -> list[Signed]:
        known = before.links.get(link_id)
        return [] if known is None else [signed(tx, own, before, Action.LINK, subject_key=known.key33)[0]]

    if await submit(session, conversation, build) is None:
        raise ClientError("not_found", "no open link of this id")
    with session.store.transaction() as tx:
        invite_links.delete_link(tx, conversation, link_id)


async def join(session: Session, text: str) -> Conversation:
    """Enter the group that a link leads to; who is in it already stays.

    Raises ClientError `bad_invite` if it does not lead where it says, `invite_over`, `banned`, `room_full`, KeyRefused.
    """
    token, invite = parse_link(text)
    conversation = ConversationId(UUID(bytes=invite.conversation))
    is_inside = await _is_inside(session, conversation)
    card = None if is_inside else await _enter(session, conversation, token, invite)
    made = await fetch(session, conversation)
    local_log.keep(session.store, made)
    if card is not None:
        with session.store.transaction() as tx:
            cards.take(tx, conversation, card)
    await learn(session, conversation)
    return made


async def look(session: Session, text: str) -> tuple[Found, Card | None]:
    """Ask where a link leads, without entering: what the server says of it, and what the link does.

    Raises ClientError `bad_invite`, `invite_over`.
    """
    token, invite = parse_link(text)
    return await _found(session, token, invite)


async def _found(session: Session, token: InviteToken, invite: Invite) -> tuple[Found, Card | None]:
    conversation = ConversationId(UUID(bytes=invite.conversation))
    found = await api.invite(session, token)
    if found.conversation != conversation:
        raise KeyRefused("bad_invite", "the link leads to another group than it says")
    with session.store.transaction() as tx:
        return found, cards.opened(tx, conversation, invite, found.card)


async def _is_inside(session: Session, conversation: ConversationId) -> bool:
    """Tell whether one is in the group already, as both the chain and the server say."""
    me = session.profile.account
    with session.store.reading() as tx:
        known = state(tx, conversation)
    if known is None or me.bytes not in known.members:
        return False
    try:
        await fetch(session, conversation)
    except ClientError as error:
        if error.code != "not_member":
            raise
        return False
    return True


async def _enter(session: Session, conversation: ConversationId, token: InviteToken, invite: Invite) -> Card | None:
    """Join, and give what the link says of the group."""
    _, card = await _found(session, token, invite)
    failed = await know(session, [session.profile.account])
    if failed is not None:
        raise failed
    await learn(session, conversation, token=token)
    await _submit_joining(session, token, invite)
    return card


async def _submit_joining(session: Session, token: InviteToken, invite: Invite) -> None:
    conversation = ConversationId(UUID(bytes=invite.conversation))
    pending: list[SignedStatement] = []
    attempt = 0
    while (one := _joining(session, conversation, invite, pending)) is not None:
        try:
            await api.join(session, token, one)
        except ClientError as error:
            attempt += 1
            if error.code != "stale_membership" or attempt == submitting.ATTEMPTS:
                raise
            pending = await submitting.caught_up(session, conversation, error, attempt, token)
        else:
            return


def _joining(
    session: Session, conversation: ConversationId, invite: Invite, pending: list[SignedStatement]
) -> SignedStatement | None:
    """Sign a joining on the newest membership; None if one is inside."""
    key = invites.link_key(invite.seed)
    with session.store.reading() as tx:
        if state(tx, conversation) is None:
            raise KeyRefused("bad_invite", "the chain does not begin with this group")
        before = submitting.latest(tx, conversation, pending)
        own = own_keys.load(tx)
        if own.account.bytes in before.members:
            return None
        opened = before.links.get(invites.link_id(key.public))
        if opened is None or opened.key33 != key.public.serialize():
            raise ClientError("invite_over")
        mine = submitting.signing_key(tx, own)[1].public.serialize()
        fields: Fields = {"subject": own.account.bytes, "subject_key": mine, "role": opened.role}
        fields["arg"] = invites.link_id(key.public)
        said, _ = signed(tx, own, before, Action.JOIN, link_key=key, **fields)
    return submitting.as_sent([said])[0]


def _forget(session: Session, row: LinkRow) -> None:
    with session.store.transaction() as tx:
        invite_links.delete_link(tx, row.conversation, row.link_id)
