"""Asking for the key of an entry that this device failed to open, and answering those who ask.

A device asks only after a failure of its own, in a session begun afresh, and only the device that wrote the entry. It
is answered if it was listed when the entry was sealed, and still is, and its owner is inside still; so a newly linked
device never gets history from other people.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from aparte.client.crypto import disappearing, keyring, own, pairwise, pins, rosters, sender_keys
from aparte.client.crypto.arrivals import Reader
from aparte.client.crypto.bundles import begin_sessions
from aparte.client.crypto.own import now_ms
from aparte.client.session import Session
from aparte.client.store import conversations, entries, key_questions, payloads, sealed, sessions
from aparte.client.store.db import Tx
from aparte.client.store.payloads import PayloadRow
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import payload
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.errors import NoSession
from aparte.e2ee.payload import KeyRequest, Keys, Payload
from aparte.wire.ids import AccountId, DeviceId, PayloadId, new_id

HOUR_MS = 3_600_000
AT_ONCE = 500
"""How many waiting entries are looked at for one round of requests."""
ANSWERS_EACH = 3
ANSWERS_AN_HOUR = 100


@dataclass(frozen=True, slots=True)
class _Question:
    account: AccountId
    listed: ListedDevice
    rows: list[SealedRow]


async def ask(session: Session, reader: Reader) -> None:
    """Ask for the keys of entries that could not be opened and were not asked for within the hour."""
    with session.store.reading() as tx:
        questions = _questions(tx, reader)
        fresh = [(one.account, one.listed) for one in questions if _may_renew(tx, one)]
    if fresh:
        await begin_sessions(session, fresh)
    for question in questions:
        with session.store.transaction(durable=True) as tx:
            _keep_question(tx, question, is_fresh=(question.account, question.listed) in fresh)


def put(tx: Tx, account: AccountId, listed: ListedDevice, what: Payload) -> None:
    """Keep a payload for a device until it is sent. Raises NoSession."""
    envelope = pairwise.encrypt(tx, own.load(tx), account, listed, payload.encode(what))
    row = PayloadRow(PayloadId(new_id()), account, envelope.device, envelope.type, envelope.body)
    payloads.insert_payload(tx, row, now_ms())


def answer(tx: Tx, reader: Reader, account: AccountId, listed: ListedDevice, hashes: Iterable[bytes]) -> None:
    """Answer a listed device with the keys that it may have; in a group, the next entry brings it our chain again.

    What is asked of an entry that is not here yet is kept until it is. Raises NoSession.
    """
    device = pairwise.device_of(listed)
    left = ANSWERS_AN_HOUR - payloads.select_answers(tx, device, now_ms() - HOUR_MS)
    pairs: list[tuple[bytes, bytes]] = []
    for digest in dict.fromkeys(hashes):
        if not sealed.select_everywhere(tx, digest):
            key_questions.insert_question(tx, account, device, digest, now_ms())
            continue
        found = _key_for(tx, reader, account, device, digest) if len(pairs) < left else None
        if found is not None and payloads.upsert_answered(tx, digest, device, ANSWERS_EACH, now_ms()):
            pairs.append((found[0], digest))
            if found[1].device == reader.device:
                sender_keys.mark_lacking(tx, found[1].conversation, (account, device), found[1].counter)
    if pairs:
        put(tx, account, listed, Keys(tuple(pairs)))


def answer_kept(session: Session, reader: Reader) -> None:
    """Answer what was asked of entries that have come meanwhile."""
    with session.store.reading() as tx:
        if not key_questions.has_answerable(tx):
            return
    with session.store.transaction(durable=True) as tx:
        for (account, device), hashes in key_questions.take_answerable(tx).items():
            pin = pins.pinned(tx, account)
            listed = pin.list.find(device.bytes) if pin else None
            if listed is not None:
                with suppress(NoSession):
                    answer(tx, reader, account, listed, hashes)


def _key_for(
    tx: Tx, reader: Reader, account: AccountId, device: DeviceId, digest: bytes
) -> tuple[bytes, SealedRow] | None:
    """Give the key of an entry that was sealed for this device, unless it was deleted or is not ours to give."""
    for row in sealed.select_everywhere(tx, digest):
        epoch = rosters.known(tx, row.conversation, row.epoch)
        is_ours = row.device == reader.device or account == reader.account
        entry = entries.select_entry(tx, row.conversation, row.seq)
        if entry is None or row.state != "open" or not is_ours or not _is_inside(tx, reader, row, account):
            continue
        if disappearing.has_ended(tx, row):
            continue
        if epoch is not None and epoch.find(account, device) is not None:
            found = keyring.believed(tx, digest, (entry.account, row.device), reader.account)
            return (found[0].key, row) if found else None
    return None


def _is_inside(tx: Tx, reader: Reader, row: SealedRow, account: AccountId) -> bool:
    """Tell whether somebody is in the conversation still."""
    conversation = conversations.select_conversation(tx, row.conversation)
    return conversation is not None and account in rosters.members_of(tx, conversation, reader.account)


def _questions(tx: Tx, reader: Reader) -> list[_Question]:
    """Group what waits by the device that wrote it, if that is still listed."""
    found: dict[tuple[AccountId, DeviceId], list[SealedRow]] = {}
    for row in sealed.select_waiting(tx, now_ms() - HOUR_MS, AT_ONCE):
        entry = entries.select_entry(tx, row.conversation, row.seq)
        if entry is not None and row.device != reader.device:
            found.setdefault((entry.account, row.device), []).append(row)
    questions: list[_Question] = []
    for (account, device), rows in found.items():
        pin = pins.pinned(tx, account)
        listed = pin.list.find(device.bytes) if pin else None
        if listed is not None:
            questions.append(_Question(account, listed, rows[: payload.REQUESTS_MAX]))
    return questions


def _may_renew(tx: Tx, question: _Question) -> bool:
    known = sessions.select_session(tx, question.account, pairwise.device_of(question.listed))
    return known is None or now_ms() - known.renewed_at >= HOUR_MS


def _keep_question(tx: Tx, question: _Question, *, is_fresh: bool) -> None:
    """Keep the request, and that it was made. Where there is no session it is tried again with the next round."""
    try:
        put(tx, question.account, question.listed, KeyRequest(tuple(row.hash for row in question.rows)))
    except NoSession:
        return
    if is_fresh:
        sessions.update_renewed(tx, question.account, pairwise.device_of(question.listed), now_ms())
    for row in question.rows:
        sealed.update_asked(tx, row, now_ms())
