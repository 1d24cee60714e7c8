"""Submitting signed statements: signed on the newest there are, and anew where others were first.

Statements that only admit people may wait a moment at the server, to be stored together with others: who signs
meanwhile signs on those too, after checking them like any other.
"""

import asyncio
import base64
import binascii
import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, Unpack

import msgspec

from aparte.client.api import groups as api
from aparte.client.crypto import folding, pins
from aparte.client.crypto import own as own_keys
from aparte.client.crypto.learning import know, learn, learn_statements
from aparte.client.crypto.own import Own
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store.db import Tx
from aparte.e2ee import membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import Action, Fields, Membership, Signed
from aparte.wire.groups import Admitted, NewStatements, SignedStatement
from aparte.wire.ids import AccountId, ConversationId, InviteToken

ATTEMPTS = 8
"""How often statements are signed anew because others were first."""
_random = random.SystemRandom()
_read = msgspec.msgpack.Decoder(SignedStatement).decode

Build = Callable[[Tx, Own, Membership], list[Signed]]
"""Signs what is to be said on a membership; nothing if that is said already."""


class Opening(NamedTuple):
    """What goes with a statement that opens a link: what finds it, and what it says of the group, sealed."""

    token: InviteToken | None = None
    card: bytes | None = None


NOTHING_OPENED = Opening()


async def submit(
    session: Session,
    conversation: ConversationId,
    build: Build,
    opening: Opening = NOTHING_OPENED,
    *,
    ban: bool = False,
) -> Admitted | None:
    """Sign and submit, and learn the epoch that begins; None if there was nothing left to say.

    Raises ClientError `forbidden`, `stale_membership`, `blocked`, `banned` …, KeyRefused.
    """
    await _known(session, conversation)
    pending: list[SignedStatement] = []
    attempt = 0
    while signed := _built(session, conversation, build, pending):
        try:
            admitted = await api.submit(session, conversation, NewStatements(signed, opening.token, ban, opening.card))
        except ClientError as error:
            attempt += 1
            if error.code != "stale_membership" or attempt == ATTEMPTS:
                raise
            pending = await caught_up(session, conversation, error, attempt)
            continue
        with suppress(ClientError):  # it is said, whatever becomes of looking at it; the log brings it too
            await learn(session, conversation)
        return admitted
    return None


async def caught_up(
    session: Session,
    conversation: ConversationId,
    error: ClientError,
    attempt: int,
    token: InviteToken | None = None,
) -> list[SignedStatement]:
    """After `stale_membership`: learn what others have said; gives what waits to be stored."""
    await asyncio.sleep(0.1 * (attempt - 1) * _random.random())
    await know(session, [session.profile.account])
    await learn_statements(session, conversation, None, token)
    pending = _pending(error)
    with session.store.reading() as tx:
        wanted = folding.unknown_accounts(tx, pending)
    await know(session, wanted)
    return pending


def latest(tx: Tx, conversation: ConversationId, pending: Iterable[SignedStatement]) -> Membership:
    """Give the newest membership with what waits to be stored, as far as that holds. Raises KeyRefused."""
    known = folding.state(tx, conversation)
    if known is None:
        raise KeyRefused("bad_statement", data={"conversation": str(conversation)})
    if folding.is_forked_for_good(tx, conversation):
        raise KeyRefused("membership_forked", data={"conversation": str(conversation)})
    for one in pending:
        if folding.number_of(one) == known.number + 1:
            with suppress(BadStatement):
                known = folding.extended(tx, known, [one])
    return known


def signed(
    tx: Tx, own: Own, before: Membership, action: Action, *, link_key: KeyPair | None = None, **fields: Unpack[Fields]
) -> tuple[Signed, Membership]:
    """Sign a statement, and give the membership after it. Raises ClientError `forbidden` if one may not say it."""
    version, key = signing_key(tx, own)
    said = membership.next_statement(before, action, own.account.bytes, version, **fields)
    try:
        after = membership.apply(before, said, folding.key_lines(tx))
    except BadStatement:
        raise ClientError("forbidden", "the group's membership") from None
    return membership.sign(said, key, secrets.token_bytes, link_key=link_key), after


def signing_key(tx: Tx, own: Own) -> tuple[int, KeyPair]:
    """Give the version of one's own newest list, and the account key. Raises KeyRefused."""
    pin = pins.pinned(tx, own.account)
    if pin is None:
        raise KeyRefused("keys_needed")
    return pin.list.version, own_keys.signing_key(own, pin.list)


def as_sent(statements: Iterable[Signed]) -> list[SignedStatement]:
    """Give statements in the form of the wire."""
    return [SignedStatement(one.statement, one.signature, one.link_signature) for one in statements]


async def with_keys(session: Session, accounts: Sequence[AccountId]) -> None:
    """Learn the lists of people who are to be admitted. Raises ClientError `peer_without_keys`, KeyRefused."""
    failed = await know(session, [session.profile.account, *accounts])
    if failed is not None:
        raise failed
    with session.store.reading() as tx:
        known = {account: pins.pinned(tx, account) for account in accounts}
        for account in accounts:
            pins.check_may_send(tx, account)
    lacking = [str(account) for account, pin in known.items() if pin is None or not pin.list.devices]
    if lacking:
        raise ClientError("peer_without_keys", ", ".join(lacking), data={"accounts": lacking})


async def _known(session: Session, conversation: ConversationId) -> None:
    with session.store.reading() as tx:
        is_known = folding.state(tx, conversation) is not None
    if not is_known:
        await learn(session, conversation)


def _built(
    session: Session, conversation: ConversationId, build: Build, pending: Iterable[SignedStatement]
) -> list[SignedStatement]:
    with session.store.reading() as tx:
        return as_sent(build(tx, own_keys.load(tx), latest(tx, conversation, pending)))


def _pending(error: ClientError) -> list[SignedStatement]:
    """Read the statements that wait at the server; what is none is left out."""
    found: list[SignedStatement] = []
    pending = error.data.get("pending")
    for text in pending if isinstance(pending, list) else []:
        with suppress(binascii.Error, ValueError, TypeError, msgspec.MsgspecError):
            found.append(_read(base64.b64decode(text, validate=True)))
    return found
