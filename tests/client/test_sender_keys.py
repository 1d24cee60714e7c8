"""The chain that a device sends to a group with: who is given it, from where, and when another one begins."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.client.lists import new_device, new_key
from tests.client.parties import Party

from aparte.client.crypto import bundles, distributing, own, pairwise, received_chains, sender_keys
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.sender_keys import ChainLacking, Readers, Recipient
from aparte.client.store import chains, own_chains
from aparte.client.store.own_chains import GivenRow
from aparte.e2ee import group, payload
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.errors import DuplicateMessage, E2eeError, InvalidMessage, NoSenderKey
from aparte.e2ee.group import OwnChain
from aparte.e2ee.payload import Chain
from aparte.wire.ids import AccountId, ConversationId, DeviceId
from aparte.wire.limits import BUNDLE_ACCOUNTS, BUNDLES, DISTRIBUTIONS, ENVELOPE_BYTES

GROUP = ConversationId(UUID(int=7, version=4))
ROSTER, OTHER_ROSTER = b"r" * 32, b"o" * 32
DAY = 86_400_000


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)


@pytest.fixture
def party(tmp_path: Path) -> Iterator[Callable[[str], Party]]:
    made: list[Party] = []

    def make(name: str) -> Party:
        made.append(Party.new(tmp_path, name))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture
def ann(party: Callable[[str], Party]) -> Party:
    return party("ann")


@pytest.fixture
def bob(party: Callable[[str], Party], ann: Party) -> Party:
    known = party("bob")
    ann.meet(known)
    return known


@pytest.fixture
def carol(party: Callable[[str], Party], ann: Party) -> Party:
    known = party("carol")
    ann.meet(known)
    return known


def inside(*people: Party) -> dict[AccountId, Any]:
    return {one.account: one.pin() for one in people}


def chain_id(ann: Party) -> int:
    with ann.store.reading() as tx:
        row = own_chains.select_own_chain(tx, GROUP)
    assert row is not None
    return row.chain_id


def lacking(ann: Party, readers: Readers, now: int | None = None) -> list[Recipient]:
    """Begin what must begin; gives who lacks the chain."""
    with ann.store.transaction() as tx:
        return sender_keys.begin(tx, own.load(tx), GROUP, readers, now or now_ms())


def give(ann: Party, readers: Readers, now: int | None = None) -> list[DeviceId]:
    """Give the chain to whoever lacks it, and have it committed; gives the devices."""
    found = lacking(ann, readers, now)
    with ann.store.transaction() as tx:
        for one in found:
            sender_keys.give(tx, own.load(tx), GROUP, one, now or now_ms())
    return [one.device for one in found]


def commit(ann: Party) -> None:
    with ann.store.transaction() as tx:
        waiting = own_chains.select_pending(tx, GROUP, now_ms(), 1_000)
        own_chains.update_uploaded(tx, GROUP, [one.device for one in waiting], now_ms())
        own_chains.update_committed(tx, GROUP)


def say(ann: Party, text: bytes) -> bytes:
    with ann.store.transaction() as tx:
        return sender_keys.encrypt(tx, GROUP, text)[1]


def envelope(ann: Party, to: Party) -> GivenRow:
    with ann.store.reading() as tx:
        return own_chains.select_given(tx, GROUP)[to.device]


def receive(to: Party, sender: Party, given: GivenRow) -> bool:
    """Take a chain out of an envelope."""
    with to.store.transaction() as tx:
        plaintext = pairwise.decrypt(tx, own.load(tx), sender.account, sender.listed, given.type, given.body)
        found = payload.decode(plaintext)
        assert isinstance(found, Chain)
        return received_chains.take(tx, GROUP, found, (sender.account, sender.device))


def read(to: Party, sender: Party, message: bytes) -> bytes:
    with to.store.transaction() as tx:
        return received_chains.decrypt(tx, GROUP, (sender.account, sender.device), message)


# Who has it -----------------------------------------------------------------------------------------------------------


def test_everybody_reads_what_was_said_once_to_all(ann: Party, bob: Party, carol: Party) -> None:
    assert set(give(ann, inside(ann, bob, carol))) == {bob.device, carol.device}
    message = say(ann, b"to both")
    for one in (bob, carol):
        assert receive(one, ann, envelope(ann, one))
        assert read(one, ann, message) == b"to both"


def test_a_newcomer_reads_from_then_on_and_nothing_before_whoever_helps(ann: Party, bob: Party, carol: Party) -> None:
    give(ann, inside(ann, bob))
    before = say(ann, b"before")
    chain = chain_id(ann)
    assert give(ann, inside(ann, bob, carol)) == [carol.device]
    after = say(ann, b"after")
    assert chain_id(ann) == chain, "somebody who comes is no reason for a new chain"
    receive(carol, ann, envelope(ann, carol))
    with pytest.raises(DuplicateMessage):
        read(carol, ann, before)
    assert read(carol, ann, after) == b"after"
    with pytest.raises(DuplicateMessage):
        read(carol, ann, before)


def test_what_is_given_again_is_no_earlier_either(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    commit(ann)
    before = say(ann, b"before")
    with ann.store.transaction() as tx:
        sender_keys.mark_lacking(tx, GROUP, (bob.account, bob.device), counter=1)
    assert give(ann, inside(ann, bob)) == [bob.device]
    receive(bob, ann, envelope(ann, bob))
    with pytest.raises(DuplicateMessage):
        read(bob, ann, before)


def test_a_device_that_the_server_has_not_seen_for_long_gets_none_until_it_is_back(ann: Party, bob: Party) -> None:
    asleep = {ann.account: ann.pin(), bob.account: bob.pin(bob.listed.device)}
    assert lacking(ann, asleep) == []
    assert [one.device for one in lacking(ann, inside(ann, bob))] == [bob.device]


def test_a_sleeping_device_that_asks_is_awake(ann: Party, bob: Party) -> None:
    asleep = {ann.account: ann.pin(), bob.account: bob.pin(bob.listed.device)}
    assert lacking(ann, asleep) == []
    with ann.store.transaction() as tx:
        sender_keys.mark_lacking(tx, GROUP, (bob.account, bob.device), counter=1)
    assert [one.device for one in lacking(ann, asleep)] == [bob.device]


def test_asking_for_what_was_said_under_an_earlier_chain_brings_no_chain(ann: Party, bob: Party) -> None:
    with ann.store.transaction() as tx:
        chains.upsert_chain(tx, GROUP, ann.device, 40, b"h" * 32)
    give(ann, inside(ann, bob))
    for counter, due in ((40, 0), (41, 1)):
        with ann.store.transaction() as tx:
            sender_keys.mark_lacking(tx, GROUP, (bob.account, bob.device), counter)
        assert len(lacking(ann, inside(ann, bob))) == due


# When another begins --------------------------------------------------------------------------------------------------


def without_member(bob: Party, readers: Readers) -> Readers:
    return {account: pin for account, pin in readers.items() if account != bob.account}


def without_device(bob: Party, readers: Readers) -> Readers:
    known = readers[bob.account]
    other = replace(known.list, devices=(new_device(2),))
    return {**readers, bob.account: replace(known, list=other)}


def with_another_key(bob: Party, readers: Readers) -> Readers:
    known = readers[bob.account]
    return {**readers, bob.account: replace(known, list=replace(known.list, account_key=new_key().public))}


@pytest.mark.parametrize("change", [without_member, without_device, with_another_key])
@pytest.mark.parametrize("is_committed", [False, True])
def test_a_new_chain_begins_when_somebody_who_has_it_must_not_read_on(
    ann: Party, bob: Party, carol: Party, change: Callable[[Party, Readers], Readers], is_committed: bool
) -> None:
    give(ann, inside(ann, bob, carol))
    if is_committed:
        commit(ann)
    chain = chain_id(ann)
    receive_before = envelope(ann, bob) if not is_committed else None
    found = lacking(ann, change(bob, inside(ann, bob, carol)))
    assert chain_id(ann) != chain
    assert carol.device in {one.device for one in found}
    if receive_before is not None:
        receive(bob, ann, receive_before)
        with pytest.raises(NoSenderKey):
            read(bob, ann, say(ann, b"not for bob"))


def test_a_new_chain_begins_with_another_key_of_ones_own_account(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    commit(ann)
    chain = chain_id(ann)
    assert lacking(ann, inside(ann, bob)) == []
    assert [one.device for one in lacking(ann, with_another_key(ann, inside(ann, bob)))] == [bob.device]
    assert chain_id(ann) != chain


def test_a_chain_is_worn_out_after_seven_days_and_after_a_thousand_messages(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    commit(ann)
    chain, now = chain_id(ann), now_ms()
    assert lacking(ann, inside(ann, bob), now + 7 * DAY - 60_000) == []
    assert chain_id(ann) == chain
    for _ in range(999):
        say(ann, b"x")
    with ann.store.transaction() as tx:
        sender_keys.complete(tx, own.load(tx), GROUP, (ROSTER, inside(ann, bob)), now)
        assert sender_keys.is_complete(tx, GROUP, ROSTER, now)
    say(ann, b"the thousandth")
    with ann.store.transaction() as tx:
        assert not sender_keys.is_complete(tx, GROUP, ROSTER, now)
        with pytest.raises(ChainLacking):
            sender_keys.complete(tx, own.load(tx), GROUP, (ROSTER, inside(ann, bob)), now)
    assert [one.device for one in lacking(ann, inside(ann, bob))] == [bob.device]
    assert chain_id(ann) != chain
    chain = chain_id(ann)
    lacking(ann, inside(ann, bob), now_ms() + 7 * DAY + 60_000)
    assert chain_id(ann) != chain


def test_nobody_is_looked_at_again_in_a_roster_whose_devices_all_have_it(ann: Party, bob: Party) -> None:
    with ann.store.transaction() as tx, pytest.raises(ChainLacking):
        sender_keys.complete(tx, own.load(tx), GROUP, (ROSTER, inside(ann, bob)), now_ms())
    give(ann, inside(ann, bob))
    with ann.store.transaction() as tx:
        assert not sender_keys.is_complete(tx, GROUP, ROSTER, now_ms())
        sender_keys.complete(tx, own.load(tx), GROUP, (ROSTER, inside(ann, bob)), now_ms())
        assert sender_keys.is_complete(tx, GROUP, ROSTER, now_ms())
        assert not sender_keys.is_complete(tx, GROUP, OTHER_ROSTER, now_ms())
        sender_keys.mark_lacking(tx, GROUP, (bob.account, bob.device), counter=1)
        assert not sender_keys.is_complete(tx, GROUP, ROSTER, now_ms())


# Bundles that are of no use -------------------------------------------------------------------------------------------


def test_a_device_without_a_usable_bundle_gets_an_empty_envelope_and_is_tried_again_after_a_day(
    ann: Party, bob: Party, carol: Party
) -> None:
    give(ann, inside(ann, carol))
    now = now_ms()
    [one] = lacking(ann, inside(ann, bob, carol))
    with ann.store.transaction() as tx:
        sender_keys.give_up(tx, GROUP, one, now)
        sender_keys.complete(tx, own.load(tx), GROUP, (ROSTER, inside(ann, bob, carol)), now)
        sent = [(given.device, given.type, given.body) for given in own_chains.select_pending(tx, GROUP, now, 10)]
        assert (bob.device, 0, b"") in sent
    commit(ann)
    with ann.store.transaction() as tx:
        assert sender_keys.is_complete(tx, GROUP, ROSTER, now + DAY - 1)
        assert not sender_keys.is_complete(tx, GROUP, ROSTER, now + DAY)
    assert lacking(ann, inside(ann, bob, carol), now + DAY - 1) == []
    assert [one.device for one in lacking(ann, inside(ann, bob, carol), now + DAY)] == [bob.device]


def test_with_a_new_chain_an_unusable_device_is_tried_again_at_once(ann: Party, bob: Party, carol: Party) -> None:
    give(ann, inside(ann, carol))
    [one] = lacking(ann, inside(ann, bob, carol))
    with ann.store.transaction() as tx:
        sender_keys.give_up(tx, GROUP, one, now_ms())
    commit(ann)
    assert [one.device for one in lacking(ann, inside(ann, bob))] == [bob.device]


# Envelopes ------------------------------------------------------------------------------------------------------------


def test_envelopes_are_the_same_bytes_until_an_entry_has_committed_them(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    first = envelope(ann, bob)
    with ann.store.transaction() as tx:
        own_chains.update_uploaded(tx, GROUP, [bob.device], now_ms())
        assert own_chains.count_pending(tx, GROUP, now_ms() - distributing.KEPT_MS) == 0
        own_chains.update_incomplete(tx, GROUP)
        [again] = own_chains.select_pending(tx, GROUP, now_ms() - distributing.KEPT_MS, 10)
    assert lacking(ann, inside(ann, bob)) == []
    assert again == first
    commit(ann)
    assert envelope(ann, bob).body == b""
    assert lacking(ann, inside(ann, bob)) == []


def test_what_the_server_was_never_given_no_entry_has_committed(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    with ann.store.transaction() as tx:
        own_chains.update_committed(tx, GROUP)
        assert own_chains.count_pending(tx, GROUP, now_ms()) == 1


@pytest.mark.parametrize(("size", "fit"), [(40, DISTRIBUTIONS), (2_400, DISTRIBUTIONS), (ENVELOPE_BYTES, 62)])
def test_a_part_has_as_much_as_fits(size: int, fit: int) -> None:
    rows = [given(size) for _ in range(DISTRIBUTIONS)]
    taken = list(distributing.taken(rows))
    assert len(taken) == fit
    assert sum(len(one.body) * 4 // 3 + distributing.ROOM_BYTES for one in taken) <= distributing.PART_BYTES


def test_a_part_has_one_envelope_at_least() -> None:
    assert len(list(distributing.taken([given(1_000_000), given(1)]))) == 1


def given(size: int) -> GivenRow:
    return GivenRow(DeviceId(uuid4()), AccountId(uuid4()), b"k" * 33, 3, b"b" * size, 0)


# Receiving ------------------------------------------------------------------------------------------------------------


def test_a_chain_of_somebody_else_reads_nothing_and_is_known_for_what_it_is(
    ann: Party, bob: Party, carol: Party
) -> None:
    """Carol says as hers what is Ann's: by the server's word, under the chain that Ann gave to Bob."""
    give(ann, inside(ann, bob, carol))
    receive(bob, ann, envelope(ann, bob))
    message = say(ann, b"by ann")
    with pytest.raises(NoSenderKey):
        read(bob, carol, message)
    with bob.store.reading() as tx:
        assert received_chains.is_of_another(tx, GROUP, carol.device, message)
        assert not received_chains.is_of_another(tx, GROUP, ann.device, message)


def test_a_chain_is_of_the_group_that_it_names(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    with ann.store.reading() as tx:
        row = own_chains.select_own_chain(tx, GROUP)
    assert row is not None
    distribution = group.distribute(OwnChain.deserialize(row.record))
    elsewhere = ConversationId(uuid4())
    with bob.store.transaction() as tx:
        for conversation, found in (
            (GROUP, Chain(elsewhere.bytes, distribution)),
            (elsewhere, Chain(GROUP.bytes, distribution)),
            (elsewhere, Chain(elsewhere.bytes, distribution)),
            (GROUP, Chain(GROUP.bytes, distribution[:-1])),
        ):
            assert not received_chains.take(tx, conversation, found, (ann.account, ann.device))
        assert received_chains.take(tx, GROUP, Chain(GROUP.bytes, distribution), (ann.account, ann.device))


@pytest.mark.parametrize("at", [0, 5, 40, -1])
def test_a_message_with_a_flipped_bit_is_none_and_spoils_nothing(ann: Party, bob: Party, at: int) -> None:
    give(ann, inside(ann, bob))
    receive(bob, ann, envelope(ann, bob))
    message = bytearray(say(ann, b"whole"))
    message[at] ^= 1
    with pytest.raises(E2eeError):
        read(bob, ann, bytes(message))
    message[at] ^= 1
    assert read(bob, ann, bytes(message)) == b"whole"


def test_a_message_of_another_group_is_none(ann: Party, bob: Party) -> None:
    give(ann, inside(ann, bob))
    receive(bob, ann, envelope(ann, bob))
    message = say(ann, b"here")
    with bob.store.transaction() as tx, pytest.raises(InvalidMessage):
        received_chains.decrypt(tx, ConversationId(uuid4()), (ann.account, ann.device), message)


def test_ones_own_other_devices_get_the_chain_and_this_one_does_not(ann: Party, bob: Party) -> None:
    other = ListedDevice(2, uuid4().bytes, 77, new_key().public)
    mine = replace(ann.pin(), list=replace(ann.owner.list, devices=(ann.listed, other)))
    found = lacking(ann, {ann.account: mine, bob.account: bob.pin()})
    assert {one.listed for one in found} == {other, bob.listed}


# Asking for bundles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "devices_each", "sizes"),
    [
        (1, 1, [1]),
        (BUNDLE_ACCOUNTS, 1, [BUNDLE_ACCOUNTS]),
        (BUNDLE_ACCOUNTS + 1, 1, [BUNDLE_ACCOUNTS, 1]),
        (BUNDLE_ACCOUNTS, 2, [BUNDLES]),
        (34, 3, [99, 3]),
        (4, 32, [96, 32]),
        (0, 0, []),
    ],
)
def test_bundles_are_asked_for_in_what_one_request_may_ask_for(
    people: int, devices_each: int, sizes: list[int]
) -> None:
    devices = [(AccountId(uuid4()), [new_device(number) for number in range(devices_each)]) for _ in range(people)]
    wanted = [(account, listed) for account, theirs in devices for listed in theirs]
    parts = list(bundles.parts(wanted))
    assert [len(part) for part in parts] == sizes
    assert [one for part in parts for one in part] == wanted
    assert all(len({account for account, _ in part}) <= BUNDLE_ACCOUNTS for part in parts)
