"""A group told again from its log: who is in it, its epochs and rosters, from nothing but what was signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from aparte.e2ee import membership
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.membership import Membership
from aparte.e2ee.roster import roster
from aparte.e2ee.statement import Statement
from aparte.wire import kinds
from aparte.wire.ids import ConversationId

Lists = Mapping[bytes, Mapping[int, DeviceList]]


@dataclass
class Retold:
    """What follows from the entries so far."""

    membership: Membership | None = None
    versions: dict[bytes, int] = field(default_factory=dict)
    epoch: int = 0


async def lists_of(connection: Any) -> Lists:
    """Every version of every list there is."""
    found: dict[bytes, dict[int, DeviceList]] = {}
    for row in await connection.fetch("SELECT list FROM device_lists"):
        read = DeviceList.deserialize(row["list"])
        found.setdefault(read.account, {})[read.version] = read
    return found


async def check(connection: Any, conversation: ConversationId) -> Membership:
    """Fold the log of a group and compare every epoch with what the server keeps of it; gives the state at its end."""
    lists, told = await lists_of(connection), Retold()
    epochs = {
        row["epoch"]: row
        for row in await connection.fetch("SELECT * FROM epochs WHERE conversation_id = $1", conversation)
    }
    for entry in await connection.fetch("SELECT * FROM entries WHERE conversation_id = $1 ORDER BY seq", conversation):
        said = msgspec.json.decode(entry["body"], type=kinds.KINDS[entry["kind"]].body)
        before = Retold(told.membership, dict(told.versions), told.epoch)
        if entry["kind"] == kinds.STATEMENT:
            statement = Statement.deserialize(said.signed.statement)
            told.membership = _folded(told.membership, statement)
            if said.epoch == 0:
                continue
        elif entry["kind"] != kinds.DEVICES:
            continue
        else:
            account = DeviceList.deserialize(said.devices.list)
            assert account.account in told.versions, "the list of somebody who is not inside"
            told.versions[account.account] = account.version
        told.epoch += 1
        row = epochs.pop(told.epoch)
        assert (said.epoch, said.roster, entry["id"], entry["seq"]) == (
            told.epoch,
            row["roster"],
            row["id"],
            row["seq"],
        )
        _check_epoch(lists, told, before, row)
    assert epochs == {}
    head = await connection.fetchrow("SELECT epoch, roster FROM heads WHERE conversation_id = $1", conversation)
    assert (head["epoch"], head["roster"]) == (told.epoch, said.roster)
    assert told.membership is not None
    return told.membership


def _folded(state: Membership | None, statement: Statement) -> Membership:
    if state is None:
        return membership.begin(statement)
    return membership.apply(state, statement, lambda _account, _old, _new: False)


def _check_epoch(lists: Lists, told: Retold, before: Retold, row: Any) -> None:
    state = told.membership
    assert state is not None
    claimed = {
        row["changed"][at : at + 16]: int.from_bytes(row["changed"][at + 16 : at + 24])
        for at in range(0, len(row["changed"]), 24)
    }
    for account in list(told.versions):
        if account not in state.members:
            del told.versions[account]
    for account in state.members:
        # Which list was the newest when somebody came in only the server knows; the roster holds it to its word.
        told.versions.setdefault(account, claimed.get(account, 0))
    hashes = {account: lists[account][version].hash for account, version in told.versions.items()}
    assert row["roster"] == roster(state.conversation, state.hash, hashes)
    assert row["statement"] == state.number
    different = {
        account: told.versions.get(account, 0)
        for account in told.versions.keys() | before.versions.keys()
        if told.versions.get(account) != before.versions.get(account)
    }
    assert claimed == different
    old, new = _devices(lists, before), _devices(lists, told)
    assert row["added"] == b"".join(sorted(new - old))
    is_other_key = any(
        lists[account][version].account_key != lists[account][told.versions[account]].account_key
        for account, version in before.versions.items()
        if account in told.versions
    )
    assert row["has_removed"] == (not old <= new or bool(before.versions.keys() - told.versions.keys()) or is_other_key)


def _devices(lists: Lists, told: Retold) -> set[bytes]:
    return {device.device for account, version in told.versions.items() for device in lists[account][version].devices}
