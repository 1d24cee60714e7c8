"""Who could read a group at which epoch: computed from statements and lists, whatever the server says it is made of."""

from dataclasses import replace
from uuid import UUID

import pytest
from tests.client.chains import Group
from tests.client.epochs import ANN, BOB, CARL, EVE, NOW, Here, entry, ready, versions
from tests.client.lists import Owner, new_key

from aparte.client import KeyRefused
from aparte.client.crypto import epoch, folding, lists, pins, rosters
from aparte.client.crypto.rosters import Changed
from aparte.client.store import epochs
from aparte.client.store.db import Store
from aparte.e2ee.membership import MODERATOR, Action
from aparte.wire import kinds
from aparte.wire.ids import AccountId, DeviceId

# What the log tells ---------------------------------------------------------------------------------------------------


def test_a_members_new_list_makes_the_next_epoch(here: Here) -> None:
    more = BOB.with_device()
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [more.signed()], NOW)
    roster = here.group.with_list(more).roster()
    assert here.epoch(2, roster, 2) is None
    found = here.epoch(2, roster, 2, Changed(account=BOB.account, version=2))
    assert found is not None
    assert found.find(BOB.account, DeviceId(UUID(bytes=more.list.devices[1].device))) is not None
    assert (found.statement, found.versions[BOB.account], found.versions[EVE.account]) == (3, 2, 1)


def test_a_statement_makes_the_next_epoch(here: Here) -> None:
    after = here.group.without(ANN, EVE).by(ANN, Action.ROLE, subject=BOB.list.account, role=MODERATOR)
    with here.store.transaction() as tx:
        here.learn(tx, after)
    found = here.epoch(2, after.roster(), 2, Changed(statement=5))
    assert found is not None
    assert set(found.lists) == {ANN.account, BOB.account}
    assert [found.role_of(one.account) for one in (ANN, BOB, EVE)] == [4, 2, 0]


def test_a_newcomer_is_in_it_with_the_list_they_had_then(here: Here) -> None:
    """Catching up late, one knows newer lists than the epoch was made of."""
    after = here.group.with_member(ANN, CARL)
    with here.store.transaction() as tx:
        here.learn(tx, after)
        assert pins.take(tx, CARL.account, [CARL.with_device().signed()], NOW)
    found = here.epoch(2, after.roster(), 2, Changed(statement=4))
    assert found is not None
    assert len(found.lists[CARL.account].devices) == 1


def test_of_several_newcomers_with_newer_lists_the_server_tells_which_versions_to_try(here: Here) -> None:
    dave = Owner.new()
    after = here.group.with_member(ANN, CARL).with_member(ANN, dave)
    with here.store.transaction() as tx:
        here.learn(tx, after)
        for owner in (CARL, dave):
            assert pins.take(tx, owner.account, [owner.with_device().signed()], NOW)
    roster = after.roster()
    assert here.epoch(2, roster, 2, Changed(statement=5)) is None
    here.hint(2, 5, versions(ANN, BOB, EVE, CARL, dave))
    assert here.epoch(2, roster, 2, Changed(statement=5)) is not None


def test_a_known_epoch_is_itself_after_a_restart(here: Here) -> None:
    here.hint(1, 1, {})
    epoch._epochs.clear()
    folding._states.clear()
    with here.store.reading() as tx:
        found = rosters.known(tx, here.group.id, 1)
    assert found is not None
    assert found.versions == versions(ANN, BOB, EVE)
    assert found.membership == here.group.now
    assert here.epoch(1, here.group.roster(), 9) == found


# What the server tells falsely ----------------------------------------------------------------------------------------


def test_versions_never_go_back(here: Here) -> None:
    more = BOB.with_device()
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [more.signed()], NOW)
    newer = here.group.with_list(more)
    assert here.epoch(2, newer.roster(), 2, Changed(account=BOB.account, version=2)) is not None
    after = newer.by(ANN, Action.POLICY, policy=1)
    with here.store.transaction() as tx:
        assert folding.take(tx, after.id, after.chain, NOW)
    before = replace(after, people={**after.people, BOB.list.account: BOB}).roster()
    here.hint(3, 4, versions(ANN, BOB, EVE))
    assert here.epoch(3, before, 3, Changed(statement=4)) is None
    assert here.epoch(3, before, 3, Changed(account=BOB.account, version=1)) is None
    assert here.epoch(3, after.roster(), 3, Changed(statement=4)) is not None


def test_statements_never_go_back(here: Here) -> None:
    after = here.group.without(ANN, EVE)
    with here.store.transaction() as tx:
        here.learn(tx, after)
    assert here.epoch(2, after.roster(), 2, Changed(statement=4)) is not None
    here.hint(3, 3, versions(ANN, BOB, EVE))
    assert here.epoch(3, here.group.roster(), 3) is None
    assert here.epoch(3, here.group.roster(), 3, Changed(statement=3)) is None


LIES: dict[str, tuple[int, dict[AccountId, int]]] = {
    "somebody is added": (3, versions(ANN, BOB, EVE, CARL)),
    "somebody is left out": (3, versions(ANN, BOB)),
    "somebody has no devices": (3, {**versions(ANN, BOB), EVE.account: 0}),
    "a version that nobody has": (3, {**versions(ANN, BOB), EVE.account: 7}),
    "a statement that nobody has": (9, versions(ANN, BOB, EVE)),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_epoch_is_not_what_the_server_says(anns: Store, group: Group, lie: str) -> None:
    here = Here(anns, group)
    with anns.transaction() as tx:
        assert pins.take(tx, CARL.account, [CARL.signed()], NOW)
    statement, told = LIES[lie]
    people = {account.bytes: owner for account in told for owner in (ANN, BOB, EVE, CARL) if owner.account == account}
    hashes = {account: people[account].list.hash for account in people}
    hashes |= {account.bytes: bytes(32) for account, version in told.items() if not version}
    roster = epoch.roster_of(group.id, {AccountId(UUID(bytes=one)): hashes[one] for one in hashes}, group.now)
    here.hint(1, statement, told)
    assert here.epoch(1, roster, 1) is None
    here.hint(1, 3, versions(ANN, BOB, EVE))
    assert here.epoch(1, group.roster(), 1) is not None


def test_who_was_put_out_does_not_come_back_with_a_list(here: Here) -> None:
    after = here.group.without(ANN, EVE)
    with here.store.transaction() as tx:
        here.learn(tx, after)
    assert here.epoch(2, after.roster(), 2, Changed(statement=4)) is not None
    with here.store.transaction() as tx:
        assert pins.take(tx, EVE.account, [EVE.with_device().signed()], NOW)
    assert here.epoch(3, here.group.roster(), 3, Changed(account=EVE.account, version=2)) is None


# Keys that do not follow ----------------------------------------------------------------------------------------------


def test_who_began_anew_has_no_devices_until_admitted_again(here: Here) -> None:
    anew = BOB.with_key(new_key())
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [anew.signed()], NOW)
    lost = here.group.with_list(anew)
    assert here.epoch(2, lost.roster(), 2, Changed(account=BOB.account, version=2)) is None
    found = here.epoch(2, lost.roster(BOB), 2, Changed(account=BOB.account, version=2))
    assert found is not None
    assert BOB.account not in found.lists
    assert found.role_of(BOB.account) == 1
    again = lost.with_member(ANN, anew)
    with here.store.transaction() as tx:
        here.learn(tx, again)
    found = here.epoch(3, again.roster(), 3, Changed(statement=4))
    assert found is not None
    assert found.lists[BOB.account] == anew.list


def test_everybody_is_told_who_began_anew(here: Here) -> None:
    anew = BOB.with_key(new_key())
    change = kinds.DevicesChange(anew.signed(), 2, here.group.with_list(anew).roster(BOB))
    with here.store.transaction() as tx:
        lists.take_change(tx, here.row, entry(2, BOB, change, kinds.DEVICES), change, ANN.account)
        assert epochs.select_head(tx, here.group.id, 2) is not None
    assert here.told() == ["key_reset", "key_mismatch"]
    assert ready(here) is not None


def test_who_began_anew_themselves_asks_to_be_admitted_again(anns: Store) -> None:
    anew = ANN.with_key(new_key())
    here = Here(anns, Group.of(BOB, [ANN]))
    with anns.transaction() as tx:
        assert pins.take(tx, ANN.account, [anew.signed()], NOW)
    with pytest.raises(KeyRefused, match="key_mismatch"):
        ready(here)


def test_who_rotated_their_key_goes_on(here: Here) -> None:
    rotated = BOB.with_key(new_key())
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [rotated.signed(BOB.key)], NOW)
    after = here.group.with_list(rotated)
    found = here.epoch(2, after.roster(), 2, Changed(account=BOB.account, version=2))
    assert found is not None
    assert found.lists[BOB.account] == rotated.list


def test_who_was_admitted_under_a_key_of_somebody_elses_has_no_devices(anns: Store) -> None:
    group = Group.of(ANN, [BOB]).with_member(ANN, replace(EVE, key=new_key()))
    here = Here(anns, replace(group, people={**group.people, EVE.list.account: EVE}))
    here.hint(1, 3, {**versions(ANN, BOB, EVE)})
    assert here.epoch(1, here.group.roster(), 1) is None
    here.hint(1, 3, {**versions(ANN, BOB), EVE.account: 0})
    found = here.epoch(1, here.group.roster(EVE), 1)
    assert found is not None
    assert EVE.account not in found.lists
    with anns.reading() as tx:
        readers, roster = rosters.newest(tx, here.row, ANN.account)
    assert set(readers) == {ANN.account, BOB.account}
    assert roster == here.group.roster(EVE)
