"""Who could read a group at which epoch: computed from statements and lists, whatever the server says it is made of."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.client.chains import Group
from tests.client.lists import Owner, new_key

from aparte.client import ClientError, KeyRefused
from aparte.client.crypto import beginning, candidates, epoch, folding, lists, pins, rosters, verifying
from aparte.client.crypto.rosters import Changed, Epoch
from aparte.client.profiles import Folder
from aparte.client.store import conversations, epochs, notices, profile
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store, Tx
from aparte.client.store.epochs import NOT_MET, Hint
from aparte.e2ee.membership import MODERATOR, Action
from aparte.wire import kinds
from aparte.wire.ids import AccountId, DeviceId, EntryId
from aparte.wire.messages import Entry

NOW = 1_800_000_000_000
MY_DEVICE = DeviceId(uuid4())
ANN, BOB, EVE, CARL = Owner.new(), Owner.new(), Owner.new(), Owner.new()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    here = Folder.of("ann", tmp_path).open(None, create=True)
    with here.transaction() as tx:
        profile.upsert_profile(tx, "http://x", ANN.account, MY_DEVICE, "ann")
    yield here
    here.close()


class Here:
    """The store of somebody in a group, and what the log tells it."""

    def __init__(self, store: Store, group: Group) -> None:
        self.store, self.group = store, group
        with store.transaction() as tx:
            tx.run(
                """
                INSERT INTO conversations (conversation_id, kind, encryption_mode, name, name_key, topic, description,
                                           role, cursor_seq, cursor_id, listened_seq)
                VALUES (?, 'group', 'e2ee', '', '', '', '', 'owner', 0, ?, 0)
                """,
                group.id.bytes,
                bytes(16),
            )
            self.learn(tx, group)
            row = conversations.select_conversation(tx, group.id)
        assert row is not None
        self.row: ConversationRow = row

    @staticmethod
    def learn(tx: Tx, group: Group) -> None:
        """Take the newest lists of everybody, and the chain."""
        for owner in group.people.values():
            assert pins.take(tx, owner.account, [owner.signed()], NOW)
        assert folding.take(tx, group.id, group.chain, NOW)

    def epoch(self, number: int, roster: bytes, seq: int, changed: Changed | None = None) -> Epoch | None:
        """Compute an epoch and keep it, as the log's entries do."""
        with self.store.transaction() as tx:
            found = rosters.compute(tx, self.row, ANN.account, (number, roster), seq, changed)
            if found is not None:
                rosters.meet(tx, self.group.id, found[0])
        return found[1] if found is not None else None

    def hint(self, number: int, statement: int, versions: Mapping[AccountId, int]) -> None:
        with self.store.transaction() as tx:
            epochs.upsert_hint(tx, self.group.id, number, Hint(statement, epoch.packed(versions)))

    def told(self) -> list[str]:
        with self.store.reading() as tx:
            return [notice.code for notice in notices.select_unshown(tx)]


def versions(*owners: Owner) -> dict[AccountId, int]:
    return {owner.account: owner.list.version for owner in owners}


@pytest.fixture
def group() -> Group:
    return Group.of(ANN, [BOB, EVE])


@pytest.fixture
def here(store: Store, group: Group) -> Here:
    """Ann, who knows the first epoch."""
    made = Here(store, group)
    made.hint(1, 3, versions(ANN, BOB, EVE))
    assert made.epoch(1, group.roster(), 1) is not None
    return made


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
def test_an_epoch_is_not_what_the_server_says(store: Store, group: Group, lie: str) -> None:
    here = Here(store, group)
    with store.transaction() as tx:
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


def test_who_began_anew_themselves_asks_to_be_admitted_again(store: Store) -> None:
    anew = ANN.with_key(new_key())
    here = Here(store, Group.of(BOB, [ANN]))
    with store.transaction() as tx:
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


def test_who_was_admitted_under_a_key_of_somebody_elses_has_no_devices(store: Store) -> None:
    group = Group.of(ANN, [BOB]).with_member(ANN, replace(EVE, key=new_key()))
    here = Here(store, replace(group, people={**group.people, EVE.list.account: EVE}))
    here.hint(1, 3, {**versions(ANN, BOB, EVE)})
    assert here.epoch(1, here.group.roster(), 1) is None
    here.hint(1, 3, {**versions(ANN, BOB), EVE.account: 0})
    found = here.epoch(1, here.group.roster(EVE), 1)
    assert found is not None
    assert EVE.account not in found.lists
    with store.reading() as tx:
        readers, roster = rosters.newest(tx, here.row, ANN.account)
    assert set(readers) == {ANN.account, BOB.account}
    assert roster == here.group.roster(EVE)


# Writing --------------------------------------------------------------------------------------------------------------


def ready(here: Here) -> Epoch | None:
    with here.store.transaction() as tx:
        return rosters.ready(tx, here.row)


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


def test_a_group_whose_chain_is_not_known_is_not_written_to(store: Store, group: Group) -> None:
    here = Here(store, replace(group, chain=()))
    with pytest.raises(KeyRefused, match="no_keys"):
        ready(here)
    with store.reading() as tx:
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


# Entries of the log ---------------------------------------------------------------------------------------------------


def entry(seq: int, actor: Owner, body: object, kind: int = kinds.STATEMENT) -> Entry:
    return Entry(seq, EntryId(UUID(int=seq)), kind, NOW, actor.account, body=body)


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
