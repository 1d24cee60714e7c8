"""Passing on: what a newcomer to a group is given of the time before them, by whom and how.

The newest words of the group about itself go to everybody who came after them: from the device that added them, from
those of whoever made their invite link, and from everybody who first gives them a chain. What was said before goes
only if whoever added them wants it and the group allows it, from the newest backwards, in sealed objects. What is owed
is kept until it has gone. A device that was linked to an account which was there already is owed what the group says of
itself by the other devices of its account, and by nobody else. Source: docs/protocol/e2ee.md, 3.4.
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from aparte.client.api import objects as api
from aparte.client.core import retry
from aparte.client.core.bodies import body_of
from aparte.client.crypto import bundles, folding, key_requests, lines, own, pairwise, pins, rosters
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.grantable import Newcomer
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.locks import held
from aparte.client.session import Session
from aparte.client.store import conversations, passing
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.passing import DueRow
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import container, grant, invite
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.errors import BadStatement, NoSession
from aparte.e2ee.grant import Triple
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.membership import POLICY_HISTORY, Action, Statement
from aparte.e2ee.payload import PassedOn
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ConversationId, ObjectId, new_id
from aparte.wire.messages import Entry

AGAIN_MS = 3_600_000
"""When it is tried again after the server has refused, for what it may hold is limited."""
LINKING_MS = 60_000
"""When a device of one's own is tried again that cannot be written to yet: it was put on the list a moment ago."""
LOOKED_AT = 100
"""How many entries are opened and looked at in one transaction, before others have a turn."""
OVER = frozenset({"not_member", "not_found", "forbidden", "blocked", "no_keys", "peer_without_keys"})
"""Refusals after which nothing is owed any more."""


def owe(tx: Tx, conversation: ConversationId, account: AccountId, *, history: bool = False) -> None:
    """Remember that somebody is to be given what the group says of itself; with `history`, also what was said."""
    passing.upsert_due(tx, conversation, account, history=history)


def owe_own_devices(tx: Tx, me: AccountId) -> None:
    """Let a device that was linked just now be owed what every group says of itself."""
    passing.upsert_due_everywhere(tx, me)


def owe_newcomers(tx: Tx, conversation: ConversationId, me: AccountId, accounts: Iterable[AccountId]) -> None:
    """Let those who are given a chain be owed what the group has said of itself before they came."""
    membership, said = folding.state(tx, conversation), _said(tx, conversation)
    known = [rosters.known(tx, conversation, kept.epoch) for kept in said]
    since = min((epoch.statement for epoch in known if epoch is not None), default=None)
    if membership is None or since is None:
        return
    for account in accounts:
        member = membership.members.get(account.bytes)
        if member is not None and (member.number > since or account == me):
            owe(tx, conversation, account)


def meet(tx: Tx, row: ConversationRow, entry: Entry, reader: Reader) -> None:
    """Let the log tell who has come: added by this device, or by a link that one's account has made."""
    body = body_of(entry) if entry.kind == kinds.STATEMENT else None
    if not isinstance(body, kinds.StatementChange):
        return
    try:
        said = Statement.deserialize(body.signed.statement)
    except BadStatement:
        return
    if said.action in {Action.REMOVE, Action.LEAVE}:  # who comes again may come with other devices
        passing.delete_passed(tx, row.conversation, AccountId(UUID(bytes=said.subject)))
    is_added = said.action is Action.ADD and entry.device == reader.device and said.actor == reader.account.bytes
    if is_added or (said.action is Action.JOIN and _is_own_link(tx, row.conversation, reader.account, said.arg)):
        owe(tx, row.conversation, AccountId(UUID(bytes=said.subject)))


def is_due(tx: Tx) -> bool:
    """Tell whether somebody waits for what can be passed on now."""
    return bool(passing.select_due(tx, now_ms()))


async def pass_on(session: Session) -> None:
    """Keep for sending what is owed to everybody who waits; a process that dies in between goes on later."""
    with session.store.reading() as tx:
        if not is_due(tx):
            return
    async with held(session.folder.lock("passing")):
        with session.store.reading() as tx:
            waiting = passing.select_due(tx, now_ms())
        for due in waiting:
            try:
                await _pass_on(session, due)
            except ClientError as error:
                _put_off(session, due, error)


def _put_off(session: Session, due: DueRow, error: ClientError) -> None:
    """Forget what can never be passed on, and try again later what the server takes no more of."""
    if isinstance(error, NotSignedIn) or retry.is_transient(error):
        raise error
    with session.store.transaction() as tx:
        if error.code in OVER:
            passing.delete_due(tx, due)
        else:
            passing.update_look_at(tx, due, now_ms() + AGAIN_MS)


async def _pass_on(session: Session, due: DueRow) -> None:
    me = session.profile.account
    with session.store.reading() as tx:
        newcomer = _newcomer(tx, due, me)
        triples = _lacking(tx, due, newcomer) if newcomer is not None else []
    has_history = newcomer is not None and due.history and bool(newcomer.membership.policy & POLICY_HISTORY)
    devices = await _devices(session, newcomer) if newcomer is not None and (triples or has_history) else []
    if triples:
        _pass_said(session, due, triples, devices)
    if newcomer is not None and has_history:
        await _pass_history(session, due, newcomer, devices)
    with session.store.transaction() as tx:
        if due.account == me and triples and not _are_all_there(tx, me, devices):
            passing.update_look_at(tx, due, now_ms() + LINKING_MS)
        else:
            passing.delete_due(tx, due)


def _are_all_there(tx: Tx, me: AccountId, devices: Sequence[ListedDevice]) -> bool:
    """Tell whether all other devices of one's own could be written to."""
    pin = pins.pinned(tx, me)
    return pin is None or len(devices) >= len([one for one in pin.list.devices if one.device not in pin.dormant]) - 1


def _newcomer(tx: Tx, due: DueRow, me: AccountId) -> Newcomer | None:
    """Give who waits as the newest statements have it; None if one of the two is out."""
    row, membership = conversations.select_conversation(tx, due.conversation), folding.state(tx, due.conversation)
    if row is None or row.role is None or membership is None:
        return None
    if not {me.bytes, due.account.bytes} <= membership.members.keys():
        return None
    return Newcomer(row, membership, me, due.account)


async def _devices(session: Session, newcomer: Newcomer) -> list[ListedDevice]:
    """Begin sessions with somebody's devices; gives those that can be written to.

    Somebody who has begun anew with other keys has none in the group before they are admitted again.
    """
    account = newcomer.account
    with session.store.reading() as tx:
        is_known = pins.pinned(tx, account) is not None
    if not is_known:
        await pins.refresh(session, [account])
    with session.store.reading() as tx:
        mine, pin = own.load(tx), pins.pinned(tx, account)
        admitted = newcomer.membership.members[account.bytes].key33
        if pin is None or not lines.follows(tx, account, admitted, pin.list.account_key.serialize()):
            raise KeyRefused("no_keys")
        pins.check_may_send(tx, account)
        out_of_reach = {mine.device.bytes, *pin.dormant}
        devices = [listed for listed in pin.list.devices if listed.device not in out_of_reach]
        strange = [(account, one) for one in devices if not pairwise.has_session(tx, mine, account, one)]
    failed = await bundles.begin_sessions(session, strange)
    return [listed for listed in devices if listed.device not in failed]


def _said(tx: Tx, conversation: ConversationId) -> list[SealedRow]:
    """Read what the group says of itself, and its settings, as far as they are open here."""
    newest = (passing.select_said(tx, conversation, kind) for kind in (kinds.PROFILE, kinds.SETTINGS))
    return [kept for kept in newest if kept is not None]


def _lacking(tx: Tx, due: DueRow, newcomer: Newcomer) -> list[Triple]:
    """What was not passed on to somebody; to one's own account always, for who of its devices has it is not kept."""
    is_own = due.account == newcomer.me
    fresh = [kept for kept in _said(tx, due.conversation) if is_own or not passing.has_passed(tx, due, kept.hash)]
    return [triple for kept in fresh if (triple := newcomer.triple(tx, kept)) is not None]


def _pass_said(session: Session, due: DueRow, triples: list[Triple], devices: Sequence[ListedDevice]) -> None:
    """Pass on what the group says of itself, once."""
    with session.store.transaction(durable=True) as tx:
        _put(tx, due, devices, PassedOn(conversation=due.conversation.bytes, triples=grant.pack(triples)))
        for triple in triples:
            passing.insert_passed(tx, due, triple.hash)


async def _pass_history(session: Session, due: DueRow, newcomer: Newcomer, devices: Sequence[ListedDevice]) -> None:
    """Pass on what was said, object by object; each is left at the server before it is told of."""
    before = due.before_seq
    while True:
        triples, before = await _gathered(session, newcomer, before)
        if not triples:
            return
        key, name = secrets.token_bytes(container.KEY_BYTES), ObjectId(new_id())
        data = grant.seal(key, triples, secrets.token_bytes)
        await api.put(session, due.conversation, name, data)
        what = PassedOn(conversation=due.conversation.bytes, object=name.bytes, key=key, sha256=sha256(data))
        with session.store.transaction(durable=True) as tx:
            _put(tx, due, devices, what)
            passing.update_progress(tx, due, before)


async def _gathered(session: Session, newcomer: Newcomer, before: int) -> tuple[list[Triple], int]:
    """Gather triples for one object, the newest first; gives before which position to go on."""
    found: list[Triple] = []
    while len(found) <= grant.TRIPLES_MAX - LOOKED_AT:
        with session.store.reading() as tx:
            rows = passing.select_open(tx, newcomer.row.conversation, before, LOOKED_AT)
            found += [triple for kept in rows if (triple := newcomer.triple(tx, kept)) is not None]
        if not rows:
            break
        before = rows[-1].seq
        await asyncio.sleep(0)
    return found, before


def _put(tx: Tx, due: DueRow, devices: Sequence[ListedDevice], what: PassedOn) -> None:
    for listed in devices:
        with suppress(NoSession):
            key_requests.put(tx, due.account, listed, what)


def _is_own_link(tx: Tx, conversation: ConversationId, me: AccountId, link: bytes) -> bool:
    """Tell whether one's own account has made an invite link."""
    made = (Statement.deserialize(data) for data in passing.select_links(tx, conversation, me))
    return any(invite.link_id(PublicKey.deserialize(said.subject_key)) == link for said in made)
