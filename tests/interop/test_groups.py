"""Groups of mixed implementations: every member reads the same messages as if all were the official library."""

import itertools
import uuid

import pytest
from tests.interop.group_schedule import Group, run
from tests.interop.party_process import PartyProcess, Refused


@pytest.mark.parametrize(("seed", "delay"), [(1, 1), (2, 15), (3, 60), (4, 200)])
def test_every_group_loses_exactly_the_same_messages(
    aparte: PartyProcess, oracle: PartyProcess, seed: int, delay: int
) -> None:
    compare(aparte, oracle, seed, delay, 150)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(1_000, 1_030))
def test_every_group_loses_exactly_the_same_messages_for_long(
    aparte: PartyProcess, oracle: PartyProcess, seed: int
) -> None:
    compare(aparte, oracle, seed, seed % 97, 1_000)


def compare(aparte: PartyProcess, oracle: PartyProcess, seed: int, delay: int, steps: int) -> None:
    expected = run(Group.create(oracle, oracle, oracle), seed, steps, delay)
    reads = sum(read for *_, read in expected)
    assert len(expected) / 3 < reads < len(expected)
    for members in itertools.product((aparte, oracle), repeat=3):
        if members != (oracle, oracle, oracle):
            names = "/".join(member.implementation for member in members)
            assert run(Group.create(*members), seed, steps, delay) == expected, names


def test_a_sixth_chain_pushes_the_first_out(aparte: PartyProcess, oracle: PartyProcess) -> None:
    outcomes = {six_chains(*pair) for pair in itertools.product((aparte, oracle), repeat=2)}
    assert outcomes == {(False, True, True, True, True, True)}


def six_chains(sender: PartyProcess, recipient: PartyProcess) -> tuple[bool, ...]:
    group = Group.create(sender, recipient)
    messages = []
    for number in range(6):
        group.ask(0, "rekey", dist=group.dist)
        assert group.takes(1, "skprocess", 0, group.ask(0, "skdm", dist=group.dist)["body"])
        messages.append(group.ask(0, "gencrypt", dist=group.dist, data=b"%d" % number)["body"])
    return tuple(group.takes(1, "gdecrypt", 0, message) for message in messages)


def test_a_chain_given_away_again_does_not_begin_again(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for sender, recipient in itertools.product((aparte, oracle), repeat=2):
        group = Group.create(sender, recipient)
        chain = group.ask(0, "skdm", dist=group.dist)["body"]
        message = group.ask(0, "gencrypt", dist=group.dist, data=b"once")["body"]
        group.ask(1, "skprocess", peer=group.names[0], body=chain)
        assert group.takes(1, "gdecrypt", 0, message)
        group.ask(1, "skprocess", peer=group.names[0], body=chain)
        assert not group.takes(1, "gdecrypt", 0, message)


def test_a_newcomer_reads_from_now_on(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for sender, recipient in itertools.product((aparte, oracle), repeat=2):
        group = Group.create(sender, recipient)
        group.ask(0, "skdm", dist=group.dist)
        before = group.ask(0, "gencrypt", dist=group.dist, data=b"before")["body"]
        assert group.takes(1, "skprocess", 0, group.ask(0, "skdm", dist=group.dist)["body"])
        after = group.ask(0, "gencrypt", dist=group.dist, data=b"after")["body"]
        assert not group.takes(1, "gdecrypt", 0, before)
        assert group.takes(1, "gdecrypt", 0, after)


def test_chains_of_different_groups_and_senders_do_not_meet(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for sender, recipient in itertools.product((aparte, oracle), repeat=2):
        group = Group.create(sender, recipient)
        assert group.takes(1, "skprocess", 0, group.ask(0, "skdm", dist=group.dist)["body"])
        other = str(uuid.uuid4())
        group.ask(0, "skdm", dist=other)
        elsewhere = group.ask(0, "gencrypt", dist=other, data=b"elsewhere")["body"]
        assert not group.takes(1, "gdecrypt", 0, elsewhere)
        message = group.ask(0, "gencrypt", dist=group.dist, data=b"here")["body"]
        with pytest.raises(Refused):
            group.ask(1, "gdecrypt", peer=f"{uuid.uuid4()}.1", body=message)
        assert group.takes(1, "gdecrypt", 0, message)
