"""Who is in a group, folded from statements that were checked one by one; what does not follow is kept as evidence.

A statement is taken if it continues the chain that is known here, if the key of its actor's list has signed it and if
its actor may say it. Another one in the place of one that is known proves that the server tells two stories: nothing
is sent to that group any more. Source: docs/protocol/e2ee.md, 4.2.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from uuid import UUID

from aparte.client.crypto import lines, pins
from aparte.client.errors import KeyRefused
from aparte.client.store import epochs, list_versions, notices, statements
from aparte.client.store import pins as pin_rows
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.client.store.statements import StatementRow
from aparte.e2ee import membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.membership import Action, Lines, Membership, Signed, Statement
from aparte.e2ee.primitives import sha256
from aparte.e2ee.roster import uuid8
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId

KEPT = 64
"""How many states are kept in memory, of all groups together."""
ADMITTING = frozenset({Action.CREATE, Action.ADD, Action.JOIN})

_states: OrderedDict[bytes, Membership] = OrderedDict()
"""States by the hash of their newest statement, from which they follow."""


def state(tx: Tx, conversation: ConversationId) -> Membership | None:
    """Give the newest membership of a group that is known here; None of any other conversation."""
    newest = statements.select_newest(tx, conversation)
    return None if newest is None else _folded(tx, conversation, *newest)


def state_at(tx: Tx, conversation: ConversationId, number: int) -> Membership | None:
    """Give the membership after a statement; None while it is not known."""
    digest = statements.select_hash(tx, conversation, number)
    return None if digest is None else _folded(tx, conversation, number, digest)


def is_forked(tx: Tx, conversation: ConversationId) -> bool:
    """Tell whether two valid statements of one number were seen: nothing is sent there any more.

    But for a leaving that did not count, once its signer is out: both stories say so then. Else everybody inside could
    end a group with a leaving that nobody stored.
    """
    now = state(tx, conversation)
    return any(
        said.action is not Action.LEAVE or now is None or said.actor in now.members for said in _forks(tx, conversation)
    )


def is_forked_for_good(tx: Tx, conversation: ConversationId) -> bool:
    """Tell whether nothing that could be signed would settle it."""
    return any(said.action is not Action.LEAVE for said in _forks(tx, conversation))


def take(tx: Tx, conversation: ConversationId, signed: Sequence[SignedStatement], now: int) -> bool:
    """Check statements in order and keep those that continue the chain; compare those that are known.

    Gives False, and takes nothing more, when statements between are missing here: `learn` asks for them. Raises
    KeyRefused `bad_statement` or `membership_forked`; the evidence and the notice are in the transaction, so catch it
    inside.
    """
    for one in signed:
        number = number_of(one)
        newest = statements.select_newest(tx, conversation)
        if number > (newest[0] if newest else 0) + 1:
            return False
        known = statements.select_statements(tx, conversation, number, number)
        if not known:
            _take_next(tx, conversation, one, now)
        elif known[0].statement != one.statement:
            raise _other(tx, conversation, one, now)
    return True


def extended(tx: Tx, before: Membership, signed: Iterable[SignedStatement]) -> Membership:
    """Give the membership after statements that are not stored by anybody yet. Raises BadStatement."""
    for one in signed:
        before = _checked(tx, before, one)
    return before


def unknown_accounts(tx: Tx, signed: Iterable[SignedStatement]) -> set[AccountId]:
    """Name the accounts whose lists must be fetched before these statements can be checked."""
    wanted: set[AccountId] = set()
    for one in signed:
        try:
            said = Statement.deserialize(one.statement)
        except BadStatement:
            continue
        actor, subject = _account(said.actor), _account(said.subject)
        if list_versions.select_list(tx, actor, said.actor_version) is None:
            wanted.add(actor)
        is_known = said.action not in ADMITTING or list_versions.select_line(tx, subject, said.subject_key) is not None
        if not is_known or (said.action in ADMITTING and pins.pinned(tx, subject) is None):
            wanted.add(subject)
    return wanted


def number_of(signed: SignedStatement) -> int:
    """Read the number off a statement that is not checked yet."""
    return int.from_bytes(signed.statement[33:41], "big")


def conversation_of(signed: SignedStatement) -> ConversationId:
    """Read the conversation off a statement that is not checked yet; the first one names none, its id follows."""
    named = signed.statement[17:33]
    return ConversationId(UUID(bytes=named if any(named) else uuid8(sha256(signed.statement))))


def refused(tx: Tx, conversation: ConversationId, code: str, one: SignedStatement, now: int) -> KeyRefused:
    """Keep the evidence, write the notice, and give the error to raise."""
    statements.insert_evidence(tx, conversation, code, (one.statement, one.signature), now)
    notices.insert_notice(tx, Notice(code, now, _account(one.statement[74:90]), None, conversation))
    epochs.delete_ready(tx, conversation)
    return KeyRefused(code, data={"conversation": str(conversation), "number": number_of(one)})


def key_lines(tx: Tx) -> Lines:
    """Answer whether a reset lies between two keys of an account."""
    return lambda account, one, other: lines.is_other(tx, _account(account), one, other)


# One statement --------------------------------------------------------------------------------------------------------


def _take_next(tx: Tx, conversation: ConversationId, one: SignedStatement, now: int) -> None:
    try:
        after = _checked(tx, state(tx, conversation), one)
        if after.conversation != conversation.bytes:
            raise BadStatement
    except BadStatement:
        raise refused(tx, conversation, "bad_statement", one, now) from None
    row = StatementRow(after.number, after.hash, one.statement, one.signature, one.link_signature)
    statements.insert_statement(tx, conversation, row)
    epochs.delete_ready(tx, conversation)
    _keep(after)
    _tell_stranger(tx, conversation, one, now)


def _other(tx: Tx, conversation: ConversationId, one: SignedStatement, now: int) -> KeyRefused:
    """Name what another statement of a known number is: if it could stand there, it proves a fork."""
    try:
        other = _checked(tx, state_at(tx, conversation, number_of(one) - 1), one)
    except BadStatement:
        return refused(tx, conversation, "bad_statement", one, now)
    code = "membership_forked" if other.conversation == conversation.bytes else "bad_statement"
    return refused(tx, conversation, code, one, now)


def _checked(tx: Tx, before: Membership | None, one: SignedStatement) -> Membership:
    """Give the membership after a statement. Raises BadStatement."""
    said = Statement.deserialize(one.statement)
    key = _key_of(tx, _account(said.actor), said.actor_version)
    signed = Signed(one.statement, one.signature, one.link_signature)

    def follows(account: bytes, admitted: bytes, other: bytes) -> bool:
        return lines.follows(tx, _account(account), admitted, other)

    said = membership.verify(signed, key, before, follows)
    return membership.begin(said) if before is None else membership.apply(before, said, key_lines(tx))


def _forks(tx: Tx, conversation: ConversationId) -> list[Statement]:
    found = statements.select_evidence(tx, conversation)
    return [Statement.deserialize(data) for code, data, _ in found if code == "membership_forked"]


def _key_of(tx: Tx, account: AccountId, version: int) -> PublicKey:
    """Give the account key of a version of a list. Raises BadStatement if that is not known here."""
    data = list_versions.select_list(tx, account, version)
    if data is None:
        raise BadStatement
    return pins.read(data).account_key


def _tell_stranger(tx: Tx, conversation: ConversationId, one: SignedStatement, now: int) -> None:
    """Say who was admitted under a key that is not theirs as we know it: they have no devices in this group."""
    said = Statement.deserialize(one.statement)
    subject = _account(said.subject)
    is_known = pin_rows.select_pin(tx, subject) is not None
    if said.action in ADMITTING and is_known and list_versions.select_line(tx, subject, said.subject_key) is None:
        notices.insert_notice(tx, Notice("key_mismatch", now, subject, None, conversation))


# States ---------------------------------------------------------------------------------------------------------------


def _folded(tx: Tx, conversation: ConversationId, number: int, digest: bytes) -> Membership:
    """Fold from the newest state that is at hand."""
    found = _states.get(digest)
    if found is not None:
        _states.move_to_end(digest)
        return found
    rows = statements.select_statements(tx, conversation, 1, number)
    start = next((at for at in range(len(rows) - 1, -1, -1) if rows[at].hash in _states), -1)
    found = _states[rows[start].hash] if start >= 0 else None
    is_other_line = key_lines(tx)
    for row in rows[start + 1 :]:
        said = Statement.deserialize(row.statement)
        found = membership.begin(said) if found is None else membership.apply(found, said, is_other_line)
    if found is None or found.hash != digest:
        raise BadStatement
    _keep(found)
    return found


def _keep(found: Membership) -> None:
    _states[found.hash] = found
    _states.move_to_end(found.hash)
    while len(_states) > KEPT:
        _states.popitem(last=False)


def _account(account: bytes) -> AccountId:
    return AccountId(UUID(bytes=account))
