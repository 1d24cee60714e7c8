"""Who is in a group, changed: groups made, people added and put out, roles, policy; each by signed statements.

What the chain says is read with `state` and learnt with `learn`. Whoever changes something signs with the account key
of their newest list on the newest statement there is, and anew if others were first (`submit`).
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal

from aparte.client import local_log
from aparte.client.api import groups as api
from aparte.client.crypto import folding, lines, own, passing, pins
from aparte.client.crypto.folding import is_forked, state, state_at, take
from aparte.client.crypto.inviting import close_link, join, link, link_text, look, parse_link
from aparte.client.crypto.learning import learn, take_all
from aparte.client.crypto.own import Own
from aparte.client.crypto.submitting import as_sent, signed, signing_key, submit, with_keys
from aparte.client.errors import ClientError
from aparte.client.session import Session
from aparte.client.store.db import Tx
from aparte.e2ee import membership
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import MEMBER, MEMBERS_MAX, Action, Fields, Membership, Signed
from aparte.wire.conversations import Conversation
from aparte.wire.groups import Admitted, NewGroup
from aparte.wire.ids import AccountId, ConversationId

__all__ = [
    "add",
    "close_link",
    "create",
    "is_forked",
    "join",
    "learn",
    "leave",
    "link",
    "link_text",
    "look",
    "parse_link",
    "policy",
    "remove",
    "role",
    "state",
    "state_at",
    "submit",
    "take",
]

Chained = Literal["group", "room", "channel"]
"""The kinds of conversations whose members follow from statements."""
Subjects = Sequence[tuple[bytes, bytes]]
"""People who are admitted: account and account key."""


async def create(
    session: Session, accounts: Iterable[AccountId], policy_bits: int, kind: Chained = "group"
) -> Conversation:
    """Make a group, or an encrypted room or channel, of oneself and others.

    Raises ClientError `peer_without_keys`, `blocked`, KeyRefused …
    """
    me = session.profile.account
    others = [account for account in dict.fromkeys(accounts) if account != me]
    if len(others) >= MEMBERS_MAX:
        raise ClientError("room_full")
    await with_keys(session, others)
    with session.store.reading() as tx:
        mine = own.load(tx)
        version, key = signing_key(tx, mine)
        subjects = [(account.bytes, _key_of(tx, account)) for account in others]
    chain = await asyncio.to_thread(_first_statements, (me.bytes, version, key), policy_bits, subjects)
    sent = as_sent(chain)
    conversation = folding.conversation_of(sent[0])
    made = await api.create(session, NewGroup(conversation, sent, kind))
    if (made.id, made.kind) != (conversation, kind):
        raise ClientError("unexpected_answer", "another conversation was made")
    local_log.keep(session.store, made)
    await take_all(session, conversation, sent)
    with suppress(ClientError):  # the group is there, whatever becomes of looking at it
        await learn(session, conversation)
    return made


async def add(
    session: Session,
    conversation: ConversationId,
    accounts: Iterable[AccountId],
    *,
    role: int = MEMBER,
    history: bool = False,
) -> Admitted | None:
    """Add people; who is inside already stays, but for those who have begun anew with other keys: they come in again.

    They are given what the group says of itself, and with `history` what was said before, if its policy allows that.
    Raises ClientError `peer_without_keys`, `forbidden`, `blocked`, `banned`, `room_full`, KeyRefused.
    """
    wanted = list(dict.fromkeys(accounts))
    await with_keys(session, wanted)
    came: list[AccountId] = []

    def build(tx: Tx, mine: Own, before: Membership) -> list[Signed]:
        came[:] = [account for account in wanted if not _is_well_inside(tx, before, account)]
        chain: list[Signed] = []
        for account in came:
            given = MEMBER if account.bytes in before.members else role
            fields: Fields = {"subject": account.bytes, "subject_key": _key_of(tx, account), "role": given}
            one, before = signed(tx, mine, before, Action.ADD, **fields)
            chain.append(one)
        return chain

    admitted = await submit(session, conversation, build)
    with session.store.transaction(durable=True) as tx:
        for account in came:
            passing.owe(tx, conversation, account, history=history)
    return admitted


async def remove(
    session: Session, conversation: ConversationId, account: AccountId, *, ban: bool = False
) -> Admitted | None:
    """Put somebody out. Raises ClientError `no_such_member`, `forbidden`, `peer_is_there`."""

    def build(tx: Tx, mine: Own, before: Membership) -> list[Signed]:
        if account.bytes not in before.members:
            raise ClientError("no_such_member")
        return [signed(tx, mine, before, Action.REMOVE, subject=account.bytes)[0]]

    return await submit(session, conversation, build, ban=ban)


async def leave(session: Session, conversation: ConversationId) -> None:
    """Leave; what is stored here stays. Who owns the group is followed by the highest role, then the longest inside."""

    def build(tx: Tx, mine: Own, before: Membership) -> list[Signed]:
        if mine.account.bytes not in before.members:
            return []
        return [signed(tx, mine, before, Action.LEAVE, subject=mine.account.bytes)[0]]

    try:
        await submit(session, conversation, build)
    except ClientError as error:  # others were first: one is out already
        if error.code != "not_member":
            raise
    local_log.leave(session.store, conversation)


async def role(session: Session, conversation: ConversationId, account: AccountId, wanted: int) -> Admitted | None:
    """Give somebody another role, 1 to 4; giving 4 hands the group over. Raises ClientError `no_such_member` …"""

    def build(tx: Tx, mine: Own, before: Membership) -> list[Signed]:
        known = before.members.get(account.bytes)
        if known is None:
            raise ClientError("no_such_member")
        if known.role == wanted:
            return []
        return [signed(tx, mine, before, Action.ROLE, subject=account.bytes, role=wanted)[0]]

    return await submit(session, conversation, build)


async def policy(session: Session, conversation: ConversationId, wanted: int) -> Admitted | None:
    """Change the policy, as bits. Raises ClientError `forbidden`."""

    def build(tx: Tx, mine: Own, before: Membership) -> list[Signed]:
        return [] if before.policy == wanted else [signed(tx, mine, before, Action.POLICY, policy=wanted)[0]]

    return await submit(session, conversation, build)


def _first_statements(owner: tuple[bytes, int, KeyPair], policy_bits: int, subjects: Subjects) -> list[Signed]:
    """Sign what creates a group and admits its first members; hundreds take a while, give it a thread."""
    account, version, key = owner
    public = key.public.serialize()
    said = membership.create(account, version, policy_bits, secrets.token_bytes(16), public)
    chain, now = [membership.sign(said, key, secrets.token_bytes)], membership.begin(said)
    for subject, subject_key in subjects:
        fields: Fields = {"subject": subject, "subject_key": subject_key, "role": MEMBER}
        said = membership.next_statement(now, Action.ADD, account, version, **fields)
        now = membership.apply(now, said, lambda _account, _one, _other: False)
        chain.append(membership.sign(said, key, secrets.token_bytes))
    return chain


def _is_well_inside(tx: Tx, before: Membership, account: AccountId) -> bool:
    """Tell whether somebody is inside under the key they have now, or one that it came from."""
    inside = before.members.get(account.bytes)
    return inside is not None and not lines.is_other(tx, account, inside.key33, _key_of(tx, account))


def _key_of(tx: Tx, account: AccountId) -> bytes:
    """Give the account key of somebody's newest list. Raises ClientError `peer_without_keys`."""
    pin = pins.pinned(tx, account)
    if pin is None:
        raise ClientError("peer_without_keys", str(account), data={"accounts": [str(account)]})
    return pin.list.account_key.serialize()
