"""Who could read an encrypted conversation at which epoch, computed from lists that were checked, never believed.

A roster that the server names must be one that follows from versions we have checked, none of them older than in the
epoch before. So it can neither add a reader nor go back to one who was removed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from uuid import UUID

from aparte.client.crypto import pins
from aparte.client.crypto.pins import Pin
from aparte.client.errors import KeyRefused
from aparte.client.store import epochs
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.epochs import EpochRow
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.roster import NO_STATEMENT, roster
from aparte.wire.ids import AccountId, ConversationId, DeviceId

Versions = Mapping[AccountId, int]
_deserialized = lru_cache(256)(DeviceList.deserialize)


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch as we have computed it: its lists name every device that could read."""

    number: int
    roster: bytes
    lists: Mapping[AccountId, DeviceList]

    def find(self, account: AccountId, device: DeviceId) -> ListedDevice | None:
        """Give a device as it was listed then."""
        known = self.lists.get(account)
        return known.find(device.bytes) if known else None


def members_of(row: ConversationRow, me: AccountId) -> tuple[AccountId, ...]:
    """Name the accounts of a direct conversation, or of notes to oneself."""
    return (me,) if row.peer is None else (me, row.peer)


def known(tx: Tx, conversation: ConversationId, number: int) -> Epoch | None:
    """Read an epoch that was computed before."""
    row = epochs.select_epoch(tx, conversation, number)
    return None if row is None else _epoch_of(tx, row)


def compute(
    tx: Tx, conversation: ConversationId, members: Iterable[AccountId], named: tuple[int, bytes], seq: int
) -> tuple[EpochRow, Epoch] | None:
    """Compute the epoch of the number and roster that the log names at `seq`; None if the lists do not give it."""
    number, digest = named
    row = epochs.select_epoch(tx, conversation, number)
    if row is None or (row.seq == epochs.NOT_MET and row.roster != digest):
        before = epochs.select_newest(tx, conversation, seq)
        least = _unpacked(before.listed) if before is not None and before.epoch < number else {}
        versions = _resolved(tx, conversation, members, digest, least)
        if versions is None:
            return None
        row = EpochRow(number, seq, digest, _packed(versions))
    found = _epoch_of(tx, row) if row.roster == digest else None
    return None if found is None else (EpochRow(number, seq, digest, row.listed), found)


def meet(tx: Tx, conversation: ConversationId, row: EpochRow) -> None:
    """Keep an epoch that the log has named, and where it did first."""
    known = epochs.select_epoch(tx, conversation, row.epoch)
    if known is not None and known.roster != row.roster:
        epochs.delete_not_met(tx, conversation)
    if known is None or row.seq < known.seq:
        epochs.upsert_epoch(tx, conversation, row)


def newest(tx: Tx, row: ConversationRow, me: AccountId) -> tuple[dict[AccountId, Pin], bytes]:
    """Give the newest lists of a conversation's members and their roster. Raises KeyRefused `no_keys`."""
    found: dict[AccountId, Pin] = {}
    for account in members_of(row, me):
        pin = pins.pinned(tx, account)
        if pin is None:
            raise KeyRefused("no_keys", data={"account": str(account)})
        found[account] = pin
    return found, roster_of(row.conversation, {account: pin.list.hash for account, pin in found.items()})


def roster_of(conversation: ConversationId, hashes: Mapping[AccountId, bytes]) -> bytes:
    """Compute the roster of a conversation without membership statements."""
    by_account = {account.bytes: digest for account, digest in hashes.items()}
    return roster(conversation.bytes, NO_STATEMENT, by_account)


def agree(tx: Tx, row: ConversationRow, me: AccountId, number: int) -> None:
    """Take the server's number for the epoch of the newest lists, which the log has not named yet."""
    found, computed = newest(tx, row, me)
    epochs.delete_not_met(tx, row.conversation)
    versions = {account: pin.list.version for account, pin in found.items()}
    epochs.upsert_epoch(tx, row.conversation, EpochRow(number, epochs.NOT_MET, computed, _packed(versions)))


def disagree(tx: Tx, row: ConversationRow) -> None:
    """Forget the number that was agreed on: the server has another roster for it."""
    epochs.delete_not_met(tx, row.conversation)


def has_any(tx: Tx, conversation: ConversationId) -> bool:
    """Tell whether any epoch of a conversation is known."""
    return epochs.select_newest(tx, conversation) is not None


def is_truncated(tx: Tx, account: AccountId) -> bool:
    """Tell whether we have an account's lists only from some version on: what was before is not ours to check."""
    versions = epochs.select_versions(tx, account)
    return not versions or versions[-1][0] > 1


def _resolved(
    tx: Tx, conversation: ConversationId, members: Iterable[AccountId], named: bytes, least: Versions
) -> Versions | None:
    """Find the versions that make a roster, the newest first: it is nearly always theirs."""
    accounts = tuple(members)
    for choice in product(*(list(_candidates(tx, account, least)) for account in accounts)):
        hashes = {account: digest for account, (_, digest) in zip(accounts, choice, strict=True)}
        if roster_of(conversation, hashes) == named:
            return {account: version for account, (version, _) in zip(accounts, choice, strict=True)}
    return None


def _candidates(tx: Tx, account: AccountId, least: Versions) -> Iterator[tuple[int, bytes]]:
    for version, digest in epochs.select_versions(tx, account):
        if version >= least.get(account, 0):
            yield version, digest


def _epoch_of(tx: Tx, row: EpochRow) -> Epoch | None:
    lists: dict[AccountId, DeviceList] = {}
    for account, version in _unpacked(row.listed).items():
        data = epochs.select_list(tx, account, version)
        if data is None:
            return None
        lists[account] = _deserialized(data)
    return Epoch(row.epoch, row.roster, lists)


def _packed(versions: Versions) -> bytes:
    return b"".join(account.bytes + version.to_bytes(8, "big") for account, version in sorted(versions.items()))


def _unpacked(data: bytes) -> dict[AccountId, int]:
    return {
        AccountId(UUID(bytes=data[at : at + 16])): int.from_bytes(data[at + 16 : at + 24], "big")
        for at in range(0, len(data), 24)
    }
