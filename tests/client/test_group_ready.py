"""In which epoch a group may be written to: that of the newest lists, looked at again after every change."""

from dataclasses import replace

import pytest
from tests.client.chains import Group
from tests.client.epochs import ANN, BOB, CARL, EVE, NOW, Here, ready
from tests.client.lists import new_key

from aparte.client import ClientError, KeyRefused
from aparte.client.crypto import candidates, folding, pins, rosters, verifying
from aparte.client.crypto.rosters import Changed
from aparte.client.store import epochs
from aparte.client.store.db import Store
from aparte.e2ee.membership import Action


def test_one_may_write_in_the_epoch_of_the_newest_lists(here: Here) -> None:
    assert ready(here) is not None
    with here.store.transaction() as tx:
        assert epochs.select_ready(tx, here.group.id) == 1
    again = ready(here)
    assert again is not None
    assert again.number == 1


def test_every_change_of_anybody_is_looked_at_before_the_next_word(here: Here) -> None:
    assert ready(here) is not None
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [BOB.with_device().signed()], NOW)
    assert ready(here) is None


def test_who_is_verified_and_has_another_key_keeps_everybody_from_writing(here: Here) -> None:
    assert ready(here) is not None
    with here.store.transaction() as tx:
        verifying.accept(tx, BOB.account)
    assert ready(here) is not None
    rotated = BOB.with_key(new_key())
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [rotated.signed(BOB.key)], NOW)
    with pytest.raises(KeyRefused, match="key_changed"):
        ready(here)


def test_nothing_is_written_where_two_stories_are_told(here: Here) -> None:
    assert ready(here) is not None
    one, other = here.group.without(ANN, EVE), here.group.by(ANN, Action.POLICY, policy=1)
    with here.store.transaction() as tx:
        here.learn(tx, one)
        with pytest.raises(KeyRefused):
            folding.take(tx, here.group.id, other.chain[-1:], NOW)
    with pytest.raises(KeyRefused, match="membership_forked"):
        ready(here)
    assert here.epoch(2, one.roster(), 2, Changed(statement=4)) is not None
    with pytest.raises(KeyRefused, match="membership_forked"):
        ready(here)


def test_who_is_out_does_not_write_before_they_have_looked_again(here: Here) -> None:
    after = here.group.with_member(ANN, CARL).by(ANN, Action.LEAVE, subject=ANN.list.account)
    with here.store.transaction() as tx:
        here.learn(tx, after)
    assert ready(here) is None
    with here.store.reading() as tx, pytest.raises(ClientError, match="not_member"):
        rosters.newest(tx, here.row, ANN.account)
    again = after.by(CARL, Action.LEAVE, subject=CARL.list.account).with_member(BOB, ANN)
    with here.store.transaction() as tx:
        assert folding.take(tx, here.group.id, again.chain, NOW)
        rosters.agree(tx, here.row, ANN.account, 3)
    assert ready(here) is not None


def test_a_group_whose_chain_is_not_known_is_not_written_to(anns: Store, group: Group) -> None:
    here = Here(anns, replace(group, chain=()))
    with pytest.raises(KeyRefused, match="no_keys"):
        ready(here)
    with anns.reading() as tx:
        assert candidates.members_of(tx, here.row, ANN.account) == ()


def test_a_number_is_agreed_on_and_forgotten(here: Here) -> None:
    more = BOB.with_device()
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [more.signed()], NOW)
        rosters.agree(tx, here.row, ANN.account, 5)
    found = ready(here)
    assert found is not None
    assert (found.number, found.roster) == (5, here.group.with_list(more).roster())
    with here.store.transaction() as tx:
        rosters.disagree(tx, here.row)
        head = epochs.select_newest_head(tx, here.group.id)
    assert head is not None
    assert head.epoch == 1
    assert ready(here) is None
