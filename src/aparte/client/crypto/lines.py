"""Lines of account keys: a key and those that followed it, each signed for by the one before.

Where an account begins anew with a key that nothing signs for, another line begins. Who was admitted to a group under
one line is not in it under another: the server alone can make an account begin anew. What happened before the first
version that another of one's own devices has told of is learnt afterwards (`complete`): it must end in what is pinned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from aparte.client.api import keys as api
from aparte.client.crypto.own import now_ms
from aparte.client.errors import KeyRefused
from aparte.client.session import Session
from aparte.client.store import list_versions, notices
from aparte.client.store import pins as rows
from aparte.client.store.db import Tx
from aparte.client.store.list_versions import ListRow
from aparte.client.store.notices import Notice
from aparte.e2ee import device_list
from aparte.e2ee.device_list import Change, DeviceList, Signed
from aparte.e2ee.errors import BadList
from aparte.wire.ids import AccountId
from aparte.wire.keys import ListQuestion, SignedList

UNKNOWN = -1
"""In place of a count that an older Aparté did not keep."""


def follows(tx: Tx, account: AccountId, admitted: bytes, key: bytes) -> bool:
    """Tell whether a key is that which was admitted, or came from it by rotations. Keys not known here do not.

    One that was rotated away before does not either: it may be a thief's.
    """
    if admitted == key:
        return True
    before, after = list_versions.select_first(tx, account, admitted), list_versions.select_first(tx, account, key)
    return before is not None and after is not None and before[0] == after[0] and before[1] < after[1]


def is_other(tx: Tx, account: AccountId, admitted: bytes, key: bytes) -> bool:
    """Tell whether an account is known to have begun anew between the key that was admitted and a later one."""
    first, second = list_versions.select_line(tx, account, admitted), list_versions.select_line(tx, account, key)
    return first is not None and second is not None and first < second


def has_version(tx: Tx, account: AccountId, admitted: bytes, version: int) -> bool:
    """Tell whether a version is signed by the key that was admitted, or one that came from it by rotations."""
    first = list_versions.select_first(tx, account, admitted)
    return first is not None and version >= first[1] and list_versions.select_resets(tx, account, version) == first[0]


def is_lost(tx: Tx, account: AccountId, admitted: bytes) -> bool:
    """Tell whether an account is known to have begun anew since this key was admitted, or never to have had it."""
    line = list_versions.select_line(tx, account, admitted)
    newest = list_versions.select_newest_version(tx, account)
    after = list_versions.select_resets(tx, account, newest)
    return newest > 0 and after is not None and (line is None or after > line)


def resets_after(tx: Tx, account: AccountId, version: int, change: Change) -> int:
    """Count the new beginnings up to the version that follows one."""
    before = list_versions.select_resets(tx, account, version)
    return UNKNOWN if before is None else before + (change == "reset")


async def complete(session: Session, accounts: Iterable[AccountId]) -> None:
    """Learn the versions before those that are known here. Raises KeyRefused `bad_list` if they do not lead there."""
    with session.store.reading() as tx:
        wanted = [account for account in dict.fromkeys(accounts) if list_versions.has_gaps(tx, account)]
    if not wanted:
        return
    served = await api.lists(session, [ListQuestion(account) for account in wanted])
    with session.store.transaction(durable=True) as tx:
        failed = [
            _refused(tx, answer.account, answer.versions)
            for answer in served
            if answer.account in wanted and not _take_all(tx, answer.account, answer.versions)
        ]
    if failed:
        raise failed[0]


def _take_all(tx: Tx, account: AccountId, versions: Sequence[SignedList]) -> bool:
    """Keep every version up to the pinned one if they are one chain that ends in it; tells whether they do."""
    pin = rows.select_pin(tx, account)
    try:
        chain = _chain(account, versions[: pin.version] if pin is not None else [])
    except BadList:
        return False
    if pin is None or len(chain) != pin.version or chain[-1].hash != pin.hash:
        return False
    for row in chain:
        list_versions.insert_list(tx, account, row)
    return True


def _chain(account: AccountId, versions: Sequence[SignedList]) -> list[ListRow]:
    """Check versions from the first on, each against the one before. Raises BadList."""
    found: list[ListRow] = []
    known: DeviceList | None = None
    for signed in versions:
        data = Signed(signed.list, signed.signature, signed.previous_signature)
        row = ListRow(len(found) + 1, b"", signed.list, signed.signature, signed.previous_signature, 0)
        if known is None:
            known = device_list.verify_first(data, account.bytes)
        else:
            succession = device_list.verify_next(known, data)
            row = replace(row, resets=(found[-1].resets or 0) + (succession.change == "reset"))
            known = succession.list
        found.append(replace(row, hash=known.hash))
    return found


def _refused(tx: Tx, account: AccountId, versions: Sequence[SignedList]) -> KeyRefused:
    if versions:
        rows.insert_evidence(tx, account, "bad_list", (versions[-1].list, versions[-1].signature), now_ms())
    notices.insert_notice(tx, Notice("bad_list", now_ms(), account))
    return KeyRefused("bad_list", data={"account": str(account)})
