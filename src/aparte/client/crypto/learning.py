"""Learning who is in a group: the statements that are missing here, the lists of those they name, the present epoch.

What the server says an epoch is made of is kept as a hint: only what gives its roster is believed. A newcomer learns
the whole chain, from the first statement, which the group's id follows from.
"""

import asyncio
from collections.abc import Iterable, Sequence

from aparte.client.api import groups as api
from aparte.client.core import retry
from aparte.client.crypto import epoch as kept_epochs
from aparte.client.crypto import folding, lines, pins, rosters
from aparte.client.crypto.own import now_ms
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.session import Session
from aparte.client.store import conversations, epochs, list_versions, notices, statements
from aparte.client.store.db import Tx
from aparte.client.store.epochs import Hint
from aparte.client.store.notices import Notice
from aparte.e2ee.membership import MEMBERS_MAX, Membership
from aparte.wire.groups import EpochMembers, SignedStatement
from aparte.wire.ids import AccountId, ConversationId, InviteToken
from aparte.wire.limits import SAFE_INTEGER

LOOKS = 4
"""How often the present epoch is asked for while it changes under our eyes."""
AT_ONCE = 50
"""How many statements are checked in one transaction: what waits for it waits a few milliseconds."""


async def learn(
    session: Session, conversation: ConversationId, number: int | None = None, token: InviteToken | None = None
) -> None:
    """Learn what is missing here of a group: up to an epoch of this number, or the present one, which is agreed on.

    With an invite's `token`, of a group that one is not in: its statements alone. Raises KeyRefused `bad_statement`,
    `membership_forked`, and `roster_mismatch` if nothing signed gives the roster of the present epoch.
    """
    if token is not None:
        await learn_statements(session, conversation, None, token)
        return
    me = session.profile.account
    for look in range(LOOKS):
        manifest = await api.epoch(session, conversation, number)
        if not _is_sound(manifest, number):
            raise ClientError("unexpected_answer", "this is not what an epoch can be made of")
        await learn_statements(session, conversation, manifest.statement)
        failed = await _learn_lists(session, conversation, manifest)
        with session.store.transaction(durable=True) as tx:
            is_settled = _noted(tx, me, conversation, manifest, is_present=number is None)
        if is_settled or number is not None:
            return
        if failed is not None:
            raise failed
        if look:
            await asyncio.sleep(0.2 * look)
    raise _mismatch(session, conversation)


async def introduce(session: Session, conversation: ConversationId) -> None:
    """Learn who is in a group that this device has just heard of; what does not hold is told in a notice."""
    with session.store.reading() as tx:
        is_known = statements.select_newest(tx, conversation) is not None
    if is_known:
        return
    try:
        await learn(session, conversation)
    except ClientError as error:
        if retry.is_transient(error) or isinstance(error, NotSignedIn):
            raise


async def learn_statements(
    session: Session, conversation: ConversationId, up_to: int | None, token: InviteToken | None = None
) -> None:
    """Fetch the statements that are missing here, up to a number or to the newest. Raises KeyRefused."""
    while True:
        with session.store.reading() as tx:
            newest = statements.select_newest(tx, conversation)
        after = newest[0] if newest else 0
        if up_to is not None and after >= up_to:
            return
        page = await api.statements(session, conversation, after, token)
        await take_all(session, conversation, page.statements)
        with session.store.reading() as tx:
            reached = statements.select_newest(tx, conversation)
        if reached == newest:
            if up_to is not None:
                raise _mismatch(session, conversation)
            return
        if not page.more and up_to is None:
            return


async def take_all(session: Session, conversation: ConversationId, signed: Sequence[SignedStatement]) -> None:
    """Take statements, after fetching the lists that checking them needs. Raises KeyRefused."""
    with session.store.reading() as tx:
        wanted = folding.unknown_accounts(tx, signed)
    failed = await know(session, wanted)
    for start in range(0, len(signed), AT_ONCE):
        with session.store.transaction(durable=True) as tx:
            error = taken(tx, conversation, signed[start : start + AT_ONCE])
        if error is not None:
            raise failed or error
        await asyncio.sleep(0)


def taken(tx: Tx, conversation: ConversationId, signed: Sequence[SignedStatement]) -> KeyRefused | None:
    """Take statements; gives the refusal, whose notice and evidence are in the transaction."""
    try:
        folding.take(tx, conversation, signed, now_ms())
    except KeyRefused as error:
        return error
    return None


async def know(session: Session, accounts: Iterable[AccountId]) -> KeyRefused | None:
    """Fetch the lists of accounts, with every version that ever was; gives the first refusal."""
    wanted = sorted(set(accounts))
    failed: KeyRefused | None = None
    for learning in (pins.refresh, lines.complete):
        try:
            await learning(session, wanted)
        except KeyRefused as error:
            failed = failed or error
    return failed


def _is_sound(manifest: EpochMembers, number: int | None) -> bool:
    """Tell whether numbers and sizes of an answer are within their limits, and it is about what was asked."""
    numbers = [manifest.epoch, manifest.statement, *(member.version for member in manifest.members)]
    is_asked = number is None or manifest.epoch == number
    return is_asked and len(manifest.members) <= MEMBERS_MAX and all(0 <= one <= SAFE_INTEGER for one in numbers)


def _mismatch(session: Session, conversation: ConversationId) -> KeyRefused:
    """Write the notice, and give the error to raise: an epoch is not what was signed, or is kept from us."""
    with session.store.transaction() as tx:
        notices.insert_notice(tx, Notice("roster_mismatch", now_ms(), None, None, conversation))
    return KeyRefused("roster_mismatch", data={"conversation": str(conversation)})


async def _learn_lists(session: Session, conversation: ConversationId, manifest: EpochMembers) -> KeyRefused | None:
    """Fetch the lists that an epoch is said to be made of and that are not here; gives the first refusal."""
    with session.store.reading() as tx:
        membership = folding.state_at(tx, conversation, manifest.statement)
        wanted = _missing(tx, manifest, membership)
    return await know(session, wanted)


def _missing(tx: Tx, manifest: EpochMembers, membership: Membership | None) -> set[AccountId]:
    inside = membership.members if membership is not None else {}
    told = {member.account: member.version for member in manifest.members if member.account.bytes in inside}
    here = {(account, version) for account, version, _, _ in list_versions.select_lists(tx, told.items())}
    return {
        account
        for account, version in told.items()
        if (version and (account.bytes, version) not in here)
        or pins.pinned(tx, account) is None
        or list_versions.has_gaps(tx, account)
        or (not version and not lines.is_lost(tx, account, inside[account.bytes].key33))
    }


def _noted(tx: Tx, me: AccountId, conversation: ConversationId, manifest: EpochMembers, *, is_present: bool) -> bool:
    """Keep the hint; of the present epoch, agree on its number if it is made of the newest that is known here."""
    versions = {member.account: member.version for member in manifest.members}
    epochs.upsert_hint(tx, conversation, manifest.epoch, Hint(manifest.statement, kept_epochs.packed(versions)))
    row = conversations.select_conversation(tx, conversation)
    if not is_present or row is None:
        return True
    named = (manifest.epoch, manifest.roster)
    computed = rosters.compute(tx, row, me, named, epochs.NOT_MET)
    newest = folding.state(tx, conversation)
    if computed is None or newest is None or newest.number != manifest.statement:
        return False
    _, roster = rosters.newest(tx, row, me)
    if roster != manifest.roster:
        return False
    head = epochs.select_newest_head(tx, conversation)
    if head is not None and head.epoch > manifest.epoch:
        epochs.delete_not_met(tx, conversation)
    rosters.meet(tx, conversation, computed[0])
    return True
