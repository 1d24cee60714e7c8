"""An epoch as this device has computed it: who was in the conversation, in which role, on which devices.

Whatever is kept in memory is named by its roster, from which lists and statements follow.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from aparte.client.crypto import folding, pins
from aparte.client.store import list_versions
from aparte.client.store.db import Tx
from aparte.client.store.epochs import EpochRow
from aparte.e2ee.device_list import NO_LIST, DeviceList, ListedDevice
from aparte.e2ee.membership import OWNER, Membership
from aparte.e2ee.roster import NO_STATEMENT, roster
from aparte.wire.ids import AccountId, ConversationId, DeviceId

KEPT = 128
"""How many epochs are kept in memory, of all conversations together."""
LOST = 0
"""In place of the version of a member whose key does not follow from the one that was admitted: no devices."""

Versions = Mapping[AccountId, int]
Name = tuple[ConversationId, int, bytes]

_epochs: OrderedDict[Name, "Epoch"] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch: its lists name every device that could read."""

    number: int
    roster: bytes
    lists: Mapping[AccountId, DeviceList]
    versions: Versions
    """Of those lists; in a group also of members that have none."""
    hashes: Mapping[AccountId, bytes]
    statement: int = 0
    """The newest membership statement in it; 0 where there are none."""
    membership: Membership | None = None

    def find(self, account: AccountId, device: DeviceId) -> ListedDevice | None:
        """Give a device as it was listed then."""
        known = self.lists.get(account)
        return known.find(device.bytes) if known else None

    def role_of(self, account: AccountId) -> int:
        """Give an account's role then, from 1 to 4; 0 for who was not inside. Both own a direct conversation."""
        if self.membership is None:
            return OWNER if account in self.lists else 0
        return self.membership.role_of(account.bytes)


def recalled(name: Name) -> Epoch | None:
    """Give an epoch that is in memory."""
    found = _epochs.get(name)
    if found is not None:
        _epochs.move_to_end(name)
    return found


def stored(tx: Tx, conversation: ConversationId, kept: EpochRow) -> Epoch | None:
    """Read an epoch as it is kept; None if a list or statement of it is missing."""
    membership = folding.state_at(tx, conversation, kept.statement) if kept.statement else None
    return computed(tx, conversation, (kept.epoch, kept.roster), unpacked(kept.listed), membership)


def computed(
    tx: Tx,
    conversation: ConversationId,
    named: tuple[int, bytes],
    versions: Versions,
    membership: Membership | None,
    before: Epoch | None = None,
) -> Epoch | None:
    """Compute an epoch from versions and membership; None unless they are all here and give the roster."""
    lists, hashes = _lists(tx, versions, before)
    if len(hashes) != len(versions) or roster_of(conversation, hashes, membership) != named[1]:
        return None
    statement = membership.number if membership is not None else 0
    found = Epoch(*named, lists, dict(versions), hashes, statement, membership)
    _epochs[(conversation, *named)] = found
    while len(_epochs) > KEPT:
        _epochs.popitem(last=False)
    return found


def roster_of(conversation: ConversationId, hashes: Mapping[AccountId, bytes], membership: Membership | None) -> bytes:
    """Compute the roster of a conversation; without membership, of a direct one."""
    by_account = {account.bytes: digest for account, digest in hashes.items()}
    return roster(conversation.bytes, membership.hash if membership is not None else NO_STATEMENT, by_account)


def row_of(epoch: Epoch, seq: int) -> EpochRow:
    """Give an epoch as it is kept, met at this position."""
    return EpochRow(epoch.number, seq, epoch.roster, packed(epoch.versions), epoch.statement)


def packed(versions: Versions) -> bytes:
    """Write versions as they are kept."""
    return b"".join(account.bytes + version.to_bytes(8, "big") for account, version in sorted(versions.items()))


def unpacked(data: bytes) -> dict[AccountId, int]:
    """Read what `packed` wrote."""
    return {
        AccountId(UUID(bytes=data[at : at + 16])): int.from_bytes(data[at + 16 : at + 24], "big")
        for at in range(0, len(data), 24)
    }


def _lists(
    tx: Tx, versions: Versions, before: Epoch | None
) -> tuple[dict[AccountId, DeviceList], dict[AccountId, bytes]]:
    """Give the lists of these versions and their hashes, those of the epoch before without reading them again."""
    lists: dict[AccountId, DeviceList] = {}
    hashes = {account: NO_LIST for account, version in versions.items() if version == LOST}
    wanted: list[tuple[AccountId, int]] = []
    for account, version in versions.items():
        if version == LOST:
            continue
        if before is not None and before.versions.get(account) == version:
            lists[account], hashes[account] = before.lists[account], before.hashes[account]
        else:
            wanted.append((account, version))
    for ident, _, digest, data in list_versions.select_lists(tx, wanted):
        account = AccountId(UUID(bytes=ident))
        lists[account], hashes[account] = pins.read(data), digest
    return lists, hashes
