"""Whose keys we know: every version of a device list is checked against the one before it, and only then believed.

A list that is refused is kept as evidence and told in a notice, and changes nothing. Lists that the server serves are
asked for from the pinned version on, that one included: so a server that went back, or tells others another story, is
found out. What another of one's own devices has pinned comes as key, version and hash; until the server has served the
list that fits, nothing is sent to that account.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from uuid import UUID

from aparte.client.api import keys as api
from aparte.client.crypto import lines, own
from aparte.client.errors import KeyRefused
from aparte.client.session import Session
from aparte.client.store import notices, own_keys
from aparte.client.store import pins as rows
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.client.store.pins import PinRow
from aparte.e2ee import device_list
from aparte.e2ee.device_list import Change, DeviceList, ListedDevice, Signed
from aparte.e2ee.errors import BadList, InvalidSignature
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.primitives import sha256
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import ListQuestion, ListsOf, SignedList

AT_ONCE = 100
"""How many accounts' lists are asked for, and taken, at once."""
read = lru_cache(4096)(DeviceList.deserialize)
"""Reads a list that was checked before; those of a whole group are read with every epoch."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The newest list of an account that was checked. `dormant`: ids of listed devices that get no envelopes."""

    account: AccountId
    list: DeviceList
    signed: SignedList = field(repr=False)
    verified_key: bytes | None
    changed_at: int | None
    dormant: frozenset[bytes]
    hash: bytes
    """Of the list."""

    @property
    def is_verified(self) -> bool:
        """Whether the person confirmed the account key that the list names."""
        return self.verified_key == self.list.account_key.serialize()

    def check_may_send(self) -> None:
        """Raise KeyRefused `key_changed` while a verified person's account key is another one than was confirmed."""
        if self.verified_key is not None and not self.is_verified:
            raise KeyRefused("key_changed", data={"account": str(self.account)})


def pinned(tx: Tx, account: AccountId) -> Pin | None:
    """Read what is known of an account; None if that is nothing, or a hash whose list is not here yet."""
    row = rows.select_pin(tx, account)
    return of_row(row) if row and row.list else None


def pinned_many(tx: Tx, accounts: Iterable[AccountId]) -> dict[AccountId, Pin]:
    """Read what is known of many accounts; those of which `pinned` would give None are left out."""
    found = rows.select_pins_of(tx, accounts)
    return {account: of_row(row) for account, row in found.items() if row.list}


def of_row(row: PinRow) -> Pin:
    """Read a pin as it is kept."""
    dormant = frozenset(row.dormant[at : at + 16] for at in range(0, len(row.dormant), 16))
    signed = SignedList(row.list, row.signature)
    return Pin(row.account, read(row.list), signed, row.verified_key, row.changed_at, dormant, row.hash)


def check_may_send(tx: Tx, account: AccountId) -> None:
    """Raise KeyRefused `key_changed` while a verified person's account key is another one than was confirmed."""
    pin = rows.select_pin(tx, account)
    if pin is not None and pin.verified_key is not None and pin.verified_key != pin.account_key:
        raise KeyRefused("key_changed")


def take(tx: Tx, account: AccountId, versions: Sequence[SignedList], now: int, *, is_ours: bool = False) -> bool:
    """Check versions of an account's list and pin the newest; those older than the pinned one are passed over.

    Gives False, and pins nothing more, when versions between are missing here: `refresh` asks for them. Raises
    KeyRefused `bad_list`, `list_forked` or `key_mismatch`; the evidence and the notice are in the transaction, so
    catch it inside. `is_ours`: this device signed them itself, so there is nothing to tell.
    """
    quiet = is_ours or rows.select_pin(tx, account) is None
    for signed in versions:
        row = rows.select_pin(tx, account)
        version = version_of(signed)
        if row is not None and version < row.version:
            continue
        if row is not None and version == row.version:
            _take_same(tx, row, signed, now)
            continue
        if version > (row.version if row else 0) + 1 or (row is not None and not row.list):
            return False
        _take_next(tx, account, row, signed, now, quiet=quiet)
    return True


async def refresh(session: Session, accounts: Iterable[AccountId]) -> None:
    """Fetch what is new of these accounts' lists and take it. Raises KeyRefused for the first list that is refused."""
    wanted = list(dict.fromkeys(accounts))
    failed: list[KeyRefused] = []
    for start in range(0, len(wanted), AT_ONCE):
        failed += await _refreshed(session, wanted[start : start + AT_ONCE])
    if failed:
        raise failed[0]


async def _refreshed(session: Session, wanted: list[AccountId]) -> list[KeyRefused]:
    with session.store.reading() as tx:
        known = {account: row.version for account in wanted if (row := rows.select_pin(tx, account))}
    questions = [ListQuestion(account, known.get(account, 1) - 1) for account in wanted]
    served = {answer.account: answer for answer in await api.lists(session, questions)}
    for account in wanted:
        if account not in served or not served[account].versions:
            older = await _older(session, account) if account in known else []
            served[account] = ListsOf(account, older, False, [])
    failed: list[KeyRefused] = []
    with session.store.transaction(durable=True) as tx:
        for account in wanted:
            try:
                _take_served(tx, account, known.get(account, 0), served[account])
            except KeyRefused as error:
                failed.append(error)
    return failed


async def _older(session: Session, account: AccountId) -> list[SignedList]:
    """Fetch the newest list that is served where the pinned one is not, as evidence; none if there is none."""
    found = await api.lists(session, [ListQuestion(account)])
    return [one for answer in found if answer.account == account for one in answer.versions][-1:]


def devices_of(known: DeviceList) -> frozenset[DeviceId]:
    """Name the devices of a list."""
    return frozenset(DeviceId(UUID(bytes=listed.device)) for listed in known.devices)


def version_of(signed: SignedList) -> int:
    """Read the version off a list that is not checked yet; 0 if it has none."""
    return int.from_bytes(signed.list[67:75], "big")


def refused(tx: Tx, account: AccountId, code: str, signed: SignedList | None, now: int) -> KeyRefused:
    """Keep the evidence, write the notice, and give the error to raise."""
    if signed is not None:
        rows.insert_evidence(tx, account, code, (signed.list, signed.signature), now)
    notices.insert_notice(tx, Notice(code, now, account))
    return KeyRefused(code, data={"account": str(account)})


def row_of(account: AccountId, known: DeviceList, signed: SignedList, now: int) -> PinRow:
    """Give the pin of a list that was checked, of an account of which nothing else is known."""
    key = known.account_key.serialize()
    return PinRow(account, key, known.version, known.hash, signed.list, signed.signature, None, None, now, b"")


def _take_served(tx: Tx, account: AccountId, asked: int, answer: ListsOf) -> None:
    """Take what the server answered to a question for version `asked`, the pinned one (0: none), and all after it."""
    now = own.now_ms()
    first = answer.versions[0] if answer.versions else None
    if asked and (first is None or version_of(first) < asked):
        raise refused(tx, account, "list_rolled_back", first, now)
    if asked and first is not None and version_of(first) > asked:
        raise refused(tx, account, "bad_list", first, now)
    if not take(tx, account, answer.versions, now):
        raise refused(tx, account, "bad_list", answer.versions[-1], now)
    dormant = b"".join(sorted(device.bytes for device in answer.dormant))
    rows.update_asked(tx, account, now, dormant)


def _take_next(tx: Tx, account: AccountId, row: PinRow | None, signed: SignedList, now: int, *, quiet: bool) -> None:
    data = Signed(signed.list, signed.signature, signed.previous_signature)
    try:
        if row is None:
            first = device_list.verify_first(data, account.bytes)
            rows.upsert_pin(tx, replace(row_of(account, first, signed, now), resets=0))
            return
        known = read(row.list)
        succession = device_list.verify_next(known, data)
    except BadList:
        raise refused(tx, account, "bad_list", signed, now) from None
    mine = own_keys.select_own_keys(tx)
    is_mine = mine is not None and mine.account == account
    if is_mine and succession.change == "reset":
        raise refused(tx, account, "key_mismatch", signed, now)
    changed = succession.change != "same"
    new = replace(
        row_of(account, succession.list, signed, now),
        previous_signature=signed.previous_signature,
        resets=lines.resets_after(tx, account, row.version, succession.change),
    )
    changed_at = now if changed and row.verified_key is not None else row.changed_at
    rows.upsert_pin(tx, replace(new, verified_key=row.verified_key, changed_at=changed_at, dormant=row.dormant))
    if not quiet:
        _tell(tx, known, succession.list, succession.change, now)
    if is_mine and mine is not None:
        _own_list_changed(tx, mine.device, succession.list, changed=changed)


def _take_same(tx: Tx, row: PinRow, signed: SignedList, now: int) -> None:
    """Compare a list with the pinned one of that version, or complete a pin of which only the hash was known."""
    if sha256(signed.list) != row.hash:
        raise refused(tx, row.account, _fork_or_forgery(row, signed), signed, now)
    if row.list:
        return
    try:
        PublicKey.deserialize(row.account_key).verify(signed.list, signed.signature)
        known = DeviceList.deserialize(signed.list)
    except (BadList, InvalidSignature):
        raise refused(tx, row.account, "bad_list", signed, now) from None
    if (known.account, known.account_key.serialize()) != (row.account.bytes, row.account_key):
        raise refused(tx, row.account, "bad_list", signed, now)
    rows.upsert_pin(tx, replace(row, list=signed.list, signature=signed.signature))


def _fork_or_forgery(row: PinRow, signed: SignedList) -> str:
    """Name what another list of the pinned version is: signed by the same account key, it proves a fork."""
    try:
        PublicKey.deserialize(row.account_key).verify(signed.list, signed.signature)
    except InvalidSignature:
        return "bad_list"
    return "list_forked"


def _own_list_changed(tx: Tx, device: DeviceId, new: DeviceList, *, changed: bool) -> None:
    """Follow the account's own list: a key that was made ready for it, and the end of this device."""
    if changed:
        own.promote(tx, new.account_key.serialize())
    mine = own_keys.select_own_keys(tx)
    if mine is not None and mine.number is not None and new.find(device.bytes) is None:
        own.stop(tx, "revoked")


def _tell(tx: Tx, before: DeviceList, after: DeviceList, change: Change, now: int) -> None:
    """Write notices of a key that changed and of devices that came and went, but for this device itself."""
    account = AccountId(UUID(bytes=after.account))
    if change != "same":
        code = "key_reset" if change == "reset" else "key_changed"
        notices.insert_notice(tx, Notice(code, now, account))
    for code, devices in (("device_added", _only(after, before)), ("device_removed", _only(before, after))):
        for listed in devices:
            notices.insert_notice(tx, Notice(code, now, account, DeviceId(UUID(bytes=listed.device))))


def _only(one: DeviceList, other: DeviceList) -> list[ListedDevice]:
    return [listed for listed in one.devices if other.find(listed.device) is None]
