"""Statements and lists of a group as the log has them: each begins its epoch in its place, or is told."""

from tests.client.chains import Group
from tests.client.epochs import ANN, BOB, CARL, EVE, MY_DEVICE, NOW, Here, entry, ready

from aparte.client.crypto import beginning, lists, pins, rosters
from aparte.client.crypto.rosters import Changed
from aparte.client.store import conversations, epochs
from aparte.client.store.epochs import NOT_MET
from aparte.e2ee.membership import Action
from aparte.wire import kinds


def state(here: Here, seq: int, group: Group, number: int, roster: bytes | None = None) -> bool:
    said = kinds.StatementChange(group.chain[-1], number, roster if roster is not None else group.roster())
    with here.store.transaction() as tx:
        return lists.take_statement(tx, here.row, entry(seq, ANN, said), said, ANN.account)


def test_statements_of_the_log_begin_epochs_and_change_ones_own_role(here: Here) -> None:
    after = here.group.by(ANN, Action.ROLE, subject=BOB.list.account, role=4)
    assert state(here, 2, after, 2)
    with here.store.reading() as tx:
        row = conversations.select_conversation(tx, here.group.id)
        head = epochs.select_head(tx, here.group.id, 2)
    assert row is not None
    assert row.role == "admin"
    assert head is not None
    assert head.seq == 2
    assert here.told() == []


def test_of_statements_that_came_together_the_last_begins_the_epoch(here: Here) -> None:
    with here.store.transaction() as tx:
        assert pins.take(tx, CARL.account, [CARL.signed()], NOW)
    one = here.group.with_member(ANN, CARL)
    both = one.by(ANN, Action.POLICY, policy=1)
    assert state(here, 2, one, 0, b"")
    assert state(here, 3, both, 2)
    assert here.told() == []


def test_a_statement_with_a_false_epoch_is_told(here: Here) -> None:
    after = here.group.without(ANN, EVE)
    assert state(here, 2, after, 2, here.group.roster())
    assert here.told() == ["roster_mismatch"]
    assert ready(here) is None


def test_a_statement_of_before_begins_nothing(here: Here) -> None:
    after = here.group.without(ANN, EVE)
    assert state(here, 2, after, 2)
    assert not state(here, 3, here.group, 3)
    assert here.told() == ["bad_statement"]


def test_a_statement_after_a_hole_is_told(here: Here) -> None:
    one = here.group.without(ANN, EVE)
    assert not state(here, 2, one.by(ANN, Action.POLICY, policy=1), 2)
    assert here.told() == ["bad_statement"]


def test_a_list_of_who_is_not_inside_is_told(here: Here) -> None:
    change = kinds.DevicesChange(CARL.signed(), 2, here.group.roster())
    with here.store.transaction() as tx:
        lists.take_change(tx, here.row, entry(2, CARL, change, kinds.DEVICES), change, ANN.account)
    assert here.told() == ["bad_list"]


def test_epochs_do_not_come_twice(here: Here) -> None:
    after = here.group.without(ANN, EVE)
    assert state(here, 2, after, 1)
    assert here.told() == ["epoch_back"]


def test_before_a_linked_device_nothing_is_wrong(here: Here) -> None:
    """Its account's first list has not named it: what was then is not its to check."""
    with here.store.transaction() as tx:
        assert rosters.unknown_code(tx, here.row, ANN.account, 9) == "roster_mismatch"
        beginning.replace_keys(tx, beginning.make(ANN.account, MY_DEVICE, is_first=True))
        assert pins.take(tx, ANN.account, [ANN.signed()], NOW)
        assert rosters.unknown_code(tx, here.row, ANN.account, 0) == "before_device"
        assert rosters.unknown_code(tx, here.row, ANN.account, 9) == "roster_mismatch"


def test_an_epoch_that_was_only_agreed_on_gives_way_to_the_logs(here: Here) -> None:
    more = BOB.with_device()
    with here.store.transaction() as tx:
        assert pins.take(tx, BOB.account, [more.signed()], NOW)
        rosters.agree(tx, here.row, ANN.account, 2)
    after = here.group.without(ANN, EVE)
    with here.store.transaction() as tx:
        here.learn(tx, after)
    assert here.epoch(2, after.roster(), 2, Changed(statement=4)) is not None
    with here.store.reading() as tx:
        head = epochs.select_head(tx, here.group.id, 2)
    assert head is not None
    assert (head.seq, head.roster) == (2, after.roster())
    assert head.seq != NOT_MET
