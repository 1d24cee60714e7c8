"""Statements about who is in a group: taken one by one if they hold, compared if they are known, kept if they lie."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.client.chains import Group, sent
from tests.client.lists import Owner, new_key

from aparte.client import KeyRefused
from aparte.client.crypto import folding, pins
from aparte.client.profiles import Folder
from aparte.client.store import epochs, notices, statements
from aparte.client.store.db import Store
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, OWNER, Action, Statement
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId

NOW = 1_800_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


def know(store: Store, *owners: Owner) -> None:
    with store.transaction() as tx:
        for owner in owners:
            assert pins.take(tx, owner.account, [owner.signed()], NOW)


def take(store: Store, group: Group, *signed: SignedStatement) -> bool:
    """Take statements as callers do: a refusal leaves its evidence."""
    refusal: KeyRefused | None = None
    with store.transaction() as tx:
        try:
            is_complete = folding.take(tx, group.id, signed, NOW)
        except KeyRefused as error:
            refusal = error
    if refusal is not None:
        raise refusal
    return is_complete


def refused(store: Store, group: Group, *signed: SignedStatement) -> str:
    with pytest.raises(KeyRefused) as error:
        take(store, group, *signed)
    return error.value.code


def told(store: Store) -> list[tuple[str, AccountId | None]]:
    with store.reading() as tx:
        return [(notice.code, notice.account) for notice in notices.select_unshown(tx)]


ANN, BOB, EVE = Owner.new(), Owner.new(), Owner.new()


def test_a_chain_is_folded_as_its_members_have_signed_it(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB, EVE]).without(ANN, EVE)
    assert take(store, group, *group.chain)
    with store.reading() as tx:
        assert folding.state(tx, group.id) == group.now
        earlier = folding.state_at(tx, group.id, 3)
        assert folding.state_at(tx, group.id, 5) is None
    assert earlier is not None
    assert set(earlier.members) == {ANN.list.account, BOB.list.account, EVE.list.account}
    assert told(store) == []


def test_what_is_known_is_taken_again_without_a_word(store: Store) -> None:
    know(store, ANN, BOB)
    group = Group.of(ANN, [BOB])
    assert take(store, group, *group.chain)
    resigned = [sent(Statement.deserialize(one.statement), ANN.key) for one in group.chain]
    assert take(store, group, *group.chain, *resigned)
    assert told(store) == []


def test_a_chain_with_a_hole_waits_for_what_is_missing(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB, EVE])
    assert not take(store, group, group.chain[1])
    assert not take(store, group, group.chain[0], group.chain[2])
    with store.reading() as tx:
        assert statements.select_newest(tx, group.id) == (1, Statement.deserialize(group.chain[0].statement).hash)
    assert told(store) == []


def test_what_was_folded_before_is_folded_alike_after_a_restart(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    before = Group.of(ANN, [BOB, EVE])
    group = before.by(ANN, Action.ROLE, subject=BOB.list.account, role=ADMIN)
    assert take(store, group, *group.chain)
    folding._states.clear()
    with store.reading() as tx:
        assert folding.state(tx, group.id) == group.now
        assert folding.state_at(tx, group.id, 3) == before.now


def _unsigned(group: Group) -> SignedStatement:
    return replace_signature(_next(group), bytes(64))


def _by_another_key(group: Group) -> SignedStatement:
    return sent(Statement.deserialize(_next(group).statement), new_key())


def _by_who_may_not(group: Group) -> SignedStatement:
    said = Statement(group.now.conversation, 3, group.now.hash, Action.REMOVE, BOB.list.account, 1, ANN.list.account)
    return sent(said, BOB.key)


def _by_a_stranger(group: Group) -> SignedStatement:
    said = Statement(group.now.conversation, 3, group.now.hash, Action.LEAVE, EVE.list.account, 1, EVE.list.account)
    return sent(said, EVE.key)


def _of_another_group(_: Group) -> SignedStatement:
    return Group.of(ANN, [BOB, EVE]).chain[-1]


def _on_something_else(group: Group) -> SignedStatement:
    return sent(replace(Statement.deserialize(_next(group).statement), previous=bytes(31) + b"\x01"), ANN.key)


def _of_an_unknown_version(group: Group) -> SignedStatement:
    return sent(replace(Statement.deserialize(_next(group).statement), actor_version=2), ANN.key)


def _of_no_form(group: Group) -> SignedStatement:
    known = _next(group)
    return SignedStatement(known.statement[:-1] + b"\x01", known.signature)


def _next(group: Group) -> SignedStatement:
    return group.with_member(ANN, EVE).chain[-1]


def replace_signature(one: SignedStatement, signature: bytes) -> SignedStatement:
    return SignedStatement(one.statement, signature, one.link_signature)


WRONG: dict[str, Callable[[Group], SignedStatement]] = {
    "without a signature": _unsigned,
    "signed by another key": _by_another_key,
    "by a member who may not": _by_who_may_not,
    "by who is not inside": _by_a_stranger,
    "of another group": _of_another_group,
    "on something else": _on_something_else,
    "of a version that is not known": _of_an_unknown_version,
    "of no form": _of_no_form,
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_statement_is_named_and_changes_nothing(store: Store, what: str) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB])
    assert take(store, group, *group.chain)
    assert refused(store, group, WRONG[what](group)) == "bad_statement"
    assert [code for code, _ in told(store)] == ["bad_statement"]
    with store.reading() as tx:
        assert folding.state(tx, group.id) == group.now
        assert not folding.is_forked(tx, group.id)
        [kept] = statements.select_evidence(tx, group.id)
    assert kept[0] == "bad_statement"
    assert take(store, group, _next(group))


def test_a_chain_begins_with_the_groups_id(store: Store) -> None:
    know(store, ANN, BOB)
    group, other = Group.of(ANN, [BOB]), Group.of(ANN, [BOB])
    assert refused(store, group, *other.chain) == "bad_statement"
    with store.reading() as tx:
        assert folding.state(tx, group.id) is None
    assert take(store, group, *group.chain)


def test_a_chain_that_begins_twice_is_no_fork(store: Store) -> None:
    """The id follows from the first statement: another one cannot be the first of this group."""
    know(store, ANN, BOB)
    group = Group.of(ANN, [BOB])
    assert take(store, group, *group.chain)
    assert refused(store, group, Group.of(ANN).chain[0]) == "bad_statement"


def test_two_valid_statements_of_one_number_are_a_fork_for_good(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB])
    one, other = group.with_member(ANN, EVE), group.by(ANN, Action.POLICY, policy=1)
    assert take(store, group, *one.chain)
    assert refused(store, group, other.chain[-1]) == "membership_forked"
    with store.reading() as tx:
        assert folding.is_forked(tx, group.id)
        assert folding.state(tx, group.id) == one.now
        assert [kept[:2] for kept in statements.select_evidence(tx, group.id)] == [
            ("membership_forked", other.chain[-1].statement)
        ]
    assert told(store) == [("membership_forked", ANN.account)]


def test_a_leaving_that_was_not_stored_stops_a_group_only_until_its_signer_is_out(store: Store) -> None:
    """Else whoever is inside could end a group by showing others a leaving of a number that is taken."""
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB, EVE])
    one, leaving = group.by(ANN, Action.POLICY, policy=1), group.by(EVE, Action.LEAVE, subject=EVE.list.account)
    assert take(store, group, *one.chain)
    assert refused(store, group, leaving.chain[-1]) == "membership_forked"
    with store.reading() as tx:
        assert folding.is_forked(tx, group.id)
        assert not folding.is_forked_for_good(tx, group.id)
    assert take(store, group, *one.without(ANN, EVE).chain)
    with store.reading() as tx:
        assert not folding.is_forked(tx, group.id)


def test_another_statement_of_a_number_that_nobody_entitled_signed_is_no_fork(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB])
    assert take(store, group, *group.with_member(ANN, EVE).chain)
    assert refused(store, group, _by_who_may_not(group)) == "bad_statement"
    with store.reading() as tx:
        assert not folding.is_forked(tx, group.id)


def test_a_key_that_was_rotated_away_signs_nothing_more_and_its_successor_does(store: Store) -> None:
    know(store, ANN, BOB)
    group = Group.of(ANN, [BOB])
    assert take(store, group, *group.chain)
    rotated = ANN.with_key(new_key())
    with store.transaction() as tx:
        assert pins.take(tx, ANN.account, [rotated.signed(ANN.key)], NOW)
    later = group.by(rotated, Action.POLICY, policy=1)
    assert take(store, group, later.chain[-1])
    said = Statement(group.now.conversation, 4, later.now.hash, Action.POLICY, ANN.list.account, 1, policy=3)
    assert refused(store, group, sent(said, ANN.key)) == "bad_statement"


def test_who_began_anew_speaks_only_after_being_admitted_again(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB, EVE]).by(ANN, Action.ROLE, subject=BOB.list.account, role=MODERATOR)
    assert take(store, group, *group.chain)
    anew = BOB.with_key(new_key())
    with store.transaction() as tx:
        assert pins.take(tx, BOB.account, [anew.signed()], NOW)
    said = Statement(group.now.conversation, 5, group.now.hash, Action.REMOVE, BOB.list.account, 2, EVE.list.account)
    assert refused(store, group, sent(said, anew.key)) == "bad_statement"
    again = group.with_list(anew).with_member(ANN, anew)
    assert take(store, group, again.chain[-1])
    with store.reading() as tx:
        state = folding.state(tx, group.id)
    assert state is not None
    assert state.role_of(BOB.list.account) == MEMBER
    assert state.role_of(ANN.list.account) == OWNER


def test_nobody_is_admitted_again_whose_key_goes_on(store: Store) -> None:
    """Or an admin could make the owner a member by adding them."""
    know(store, ANN, BOB)
    group = Group.of(ANN).with_member(ANN, BOB, ADMIN)
    assert take(store, group, *group.chain)
    said = Statement(
        group.now.conversation, 3, group.now.hash, Action.ADD, BOB.list.account, 1, ANN.list.account,
        ANN.key.public.serialize(), MEMBER,
    )  # fmt: skip
    assert refused(store, group, sent(said, BOB.key)) == "bad_statement"


def test_who_is_admitted_under_a_key_that_is_not_theirs_is_told(store: Store) -> None:
    """It was signed by somebody entitled, so it stands; but nobody writes to that key."""
    know(store, ANN, BOB, EVE)
    false = replace(EVE, key=new_key())
    group = Group.of(ANN, [BOB]).with_member(ANN, false)
    assert take(store, group, *group.chain)
    assert told(store) == [("key_mismatch", EVE.account)]


def test_what_must_be_known_before_statements_can_be_checked(store: Store) -> None:
    group = Group.of(ANN, [BOB])
    with store.reading() as tx:
        assert folding.unknown_accounts(tx, group.chain) == {ANN.account, BOB.account}
    know(store, ANN)
    with store.reading() as tx:
        assert folding.unknown_accounts(tx, group.chain) == {BOB.account}
    know(store, BOB)
    with store.reading() as tx:
        assert folding.unknown_accounts(tx, group.chain) == set()
    rotated = ANN.with_key(new_key())
    later = group.with_list(rotated).by(rotated, Action.POLICY, policy=1)
    with store.reading() as tx:
        assert folding.unknown_accounts(tx, later.chain) == {ANN.account}


def test_every_statement_makes_senders_look_again(store: Store) -> None:
    know(store, ANN, BOB, EVE)
    group = Group.of(ANN, [BOB])
    assert take(store, group, *group.chain)
    with store.transaction() as tx:
        epochs.upsert_ready(tx, group.id, 1)
    assert take(store, group, *group.chain)
    with store.reading() as tx:
        assert epochs.select_ready(tx, group.id) == 1
    assert take(store, group, _next(group))
    with store.reading() as tx:
        assert epochs.select_ready(tx, group.id) is None
