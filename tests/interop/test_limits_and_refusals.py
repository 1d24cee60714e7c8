"""The edges of a session, the same on both sides: how much is kept, what is refused; and the one limit that is ours."""

import itertools
import uuid
from collections.abc import Callable

import pytest
from tests.interop.group_schedule import Group
from tests.interop.party_process import PartyProcess, Refused
from tests.interop.schedule import Pair

Story = Callable[[Pair], list[bool]]


def every_pair(aparte: PartyProcess, oracle: PartyProcess, story: Story) -> list[bool]:
    """Tell a story with every pair; all must end as it does between two official libraries."""
    expected = story(Pair.create(oracle, oracle))
    for first, second in itertools.product((aparte, oracle), repeat=2):
        assert story(Pair.create(first, second)) == expected, f"{first.implementation} {second.implementation}"
    return expected


def is_read(pair: Pair, recipient: int, message: dict[str, object]) -> bool:
    try:
        pair.decrypt(recipient, message)
    except Refused:
        return False
    return True


def say(pair: Pair, sender: int, text: bytes = b"hello") -> bool:
    return is_read(pair, 1 - sender, pair.encrypt(sender, text))


def test_messages_of_the_five_newest_chains_are_still_read(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        pair.set_up(0, one_time=True)
        late = []
        for _ in range(8):
            late.append(pair.encrypt(0, b"late"))
            assert say(pair, 0)
            assert say(pair, 1)
        return [is_read(pair, 1, message) for message in late]

    assert every_pair(aparte, oracle, story) == [False] * 3 + [True] * 5


def test_the_initiator_has_one_receiving_chain_from_the_start(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        pair.set_up(0, one_time=True)
        assert say(pair, 0)
        late = []
        for _ in range(8):
            late.append(pair.encrypt(1, b"late"))
            assert say(pair, 1)
            assert say(pair, 0)
        return [is_read(pair, 0, message) for message in late]

    assert every_pair(aparte, oracle, story) == [False] * 3 + [True] * 5


def test_forty_replaced_sessions_are_kept(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        late = []
        for _ in range(44):
            pair.set_up(0, one_time=True)
            assert say(pair, 0)
            late.append(pair.encrypt(0, b"late"))
        return [is_read(pair, 1, message) for message in late]

    expected = every_pair(aparte, oracle, story)
    assert expected.count(True) == 41


def test_sessions_set_up_at_once_are_both_kept(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        pair.set_up(0, one_time=True)
        pair.set_up(1, one_time=False)
        messages = [(1 - sender, pair.encrypt(sender, b"crossing")) for sender in (0, 1, 0, 1)]
        read = [is_read(pair, recipient, message) for recipient, message in messages]
        return read + [say(pair, sender) for sender in (0, 1, 1, 0)]

    assert all(every_pair(aparte, oracle, story))


def test_a_bundle_is_good_after_its_prekeys_were_renewed(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        pair.set_up(0, one_time=False)
        message = pair.encrypt(0, b"on its way")
        pair.processes[1].ask("renew", name=pair.names[1])
        return [is_read(pair, 1, message), say(pair, 1), say(pair, 0)]

    assert all(every_pair(aparte, oracle, story))


def test_a_one_time_prekey_is_good_for_one_session(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        bundle = pair.processes[1].ask("bundle", name=pair.names[1], otp=True)
        outcome = []
        for _ in range(2):
            pair.processes[0].ask("process", name=pair.names[0], peer=pair.names[1], b=bundle)
            outcome.append(say(pair, 0))
        return outcome

    assert every_pair(aparte, oracle, story) == [True, False]


def test_a_first_message_through_the_last_resort_is_no_second_session(
    aparte: PartyProcess, oracle: PartyProcess
) -> None:
    def story(pair: Pair) -> list[bool]:
        pair.set_up(0, one_time=False)
        first = pair.encrypt(0, b"first")
        assert is_read(pair, 1, first)
        for _ in range(41):  # the session falls out of the archive, so only the memory of the prekey is left
            pair.set_up(0, one_time=True)
            assert say(pair, 0)
        return [is_read(pair, 1, first), say(pair, 0), say(pair, 1)]

    assert every_pair(aparte, oracle, story) == [False, True, True]


def test_a_first_message_is_for_the_device_it_names(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        pair.set_up(0, one_time=True)
        message = pair.encrypt(0, b"from A to B")
        with pytest.raises(Refused):
            second.ask("decrypt", name=pair.names[1], peer=f"{uuid.uuid4()}.1", **message)
        assert is_read(pair, 1, message)


def test_another_identity_of_a_known_device_is_refused(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        pair.set_up(0, one_time=True)
        assert say(pair, 0)
        assert say(pair, 1)
        first.ask("new", name=pair.names[0])  # as if stolen: the same address, another key
        pair.set_up(0, one_time=True)
        assert not say(pair, 0)
        bundle = first.ask("bundle", name=pair.names[0], otp=True)
        with pytest.raises(Refused):
            second.ask("process", name=pair.names[1], peer=pair.names[0], b=bundle)


@pytest.mark.parametrize("field", ["spkSig", "pqSig", "spk", "pq", "identity"])
def test_a_bundle_with_a_changed_part_is_refused(aparte: PartyProcess, oracle: PartyProcess, field: str) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        other = Pair.create(first, second)
        bundle = second.ask("bundle", name=pair.names[1], otp=True)
        foreign = second.ask("bundle", name=other.names[1], otp=True)
        with pytest.raises(Refused):
            first.ask("process", name=pair.names[0], peer=pair.names[1], b=bundle | {field: foreign[field]})


def test_without_a_session_nothing_is_sent_or_read(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        stranger = Pair.create(first, second)
        with pytest.raises(Refused):
            pair.encrypt(0, b"to whom?")
        stranger.set_up(0, one_time=True)
        assert say(stranger, 0)
        assert not is_read(pair, 0, stranger.encrypt(1, b"for somebody else"))


def test_less_than_two_thousand_lost_messages_are_bridged(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        pair.set_up(0, one_time=True)
        assert say(pair, 0)
        assert say(pair, 1)
        for lost in (1_999, 2_000):
            early = pair.encrypt(0, b"early")
            for _ in range(lost - 1):
                pair.encrypt(0, b"lost")
            assert say(pair, 0) == (lost < 2_000 or second is oracle)
            assert is_read(pair, 1, early)


def test_a_late_message_is_read_up_to_two_thousand_later(aparte: PartyProcess, oracle: PartyProcess) -> None:
    def story(pair: Pair) -> list[bool]:
        pair.set_up(0, one_time=True)
        assert say(pair, 0)
        assert say(pair, 1)
        outcome = []
        for later in (2_000, 2_001):
            early = pair.encrypt(0, b"early")
            assert all(say(pair, 0) for _ in range(later))
            outcome.append(is_read(pair, 1, early))
        return outcome

    assert every_pair(aparte, oracle, story) == [True, False]


def test_a_group_bridges_less_than_two_thousand_lost_messages(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        group = Group.create(first, second)
        group.ask(1, "skprocess", peer=group.names[0], body=group.ask(0, "skdm", dist=group.dist)["body"])
        for lost in (1_999, 2_000):
            bodies = [group.ask(0, "gencrypt", dist=group.dist, data=b"x")["body"] for _ in range(lost + 1)]
            assert group.takes(1, "gdecrypt", 0, bodies[-1]) == (lost < 2_000 or second is oracle)
            assert group.takes(1, "gdecrypt", 0, bodies[0])
