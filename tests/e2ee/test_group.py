"""Sender keys: read by those who were given the chain, from where they were given it, once."""

import pytest
from msgspec.structs import replace
from tests.e2ee.people import GROUP, NOW, Person, seeded

from aparte.e2ee import group, protobuf
from aparte.e2ee.errors import DuplicateMessage, InvalidMessage, NoSenderKey, TooFarAhead
from aparte.e2ee.group import Distribution, SenderKeyMessage, SenderKeyRecord


def members() -> tuple[Person, Person]:
    """Alice sends, Bob has her chain."""
    alice, bob = Person.create(1), Person.create(2)
    alice.start_chain()
    bob.process(alice, alice.distribute())
    return alice, bob


def refused(person: Person, peer: Person, body: bytes, *errors: type[Exception]) -> None:
    before = person.saved()
    with pytest.raises(errors or InvalidMessage):
        person.decrypt_group(peer, body)
    assert person.saved() == before


def test_messages_are_read_in_any_order_and_once() -> None:
    alice, bob = members()
    bodies = [alice.encrypt_group(b"%d" % n) for n in range(10)]
    for n in (9, 0, 5, 4, 8, 1, 2, 3, 7, 6):
        assert bob.decrypt_group(alice, bodies[n]) == b"%d" % n
        refused(bob, alice, bodies[n], DuplicateMessage)


def test_a_newcomer_reads_from_now_on() -> None:
    alice, _ = members()
    before = alice.encrypt_group(b"before")
    carol = Person.create(3)
    carol.process(alice, alice.distribute())
    refused(carol, alice, before, DuplicateMessage)
    assert carol.decrypt_group(alice, alice.encrypt_group(b"after")) == b"after"


def test_no_byte_of_a_message_can_be_changed() -> None:
    alice, bob = members()
    body = alice.encrypt_group(b"hello")
    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= 1 << position % 8
        refused(bob, alice, bytes(changed), InvalidMessage, NoSenderKey)
    assert bob.decrypt_group(alice, body) == b"hello"


def test_a_member_cannot_speak_for_another() -> None:
    """Bob knows Alice's chain key, but not her signing key."""
    alice, bob = members()
    carol = Person.create(3)
    carol.process(alice, alice.distribute())
    assert alice.chain is not None
    bob.start_chain()
    assert bob.chain is not None
    bob.chain = replace(alice.chain, signing=bob.chain.signing)
    refused(carol, alice, bob.encrypt_group(b"I am Alice"))


def test_a_chain_given_away_again_goes_on_from_where_it_is() -> None:
    alice, bob = members()
    first = alice.distribute()
    body = alice.encrypt_group(b"once")
    assert bob.decrypt_group(alice, body) == b"once"
    bob.process(alice, first)
    refused(bob, alice, body, DuplicateMessage)


def test_five_chains_are_kept_and_the_last_given_is_the_last_to_go() -> None:
    alice, bob = members()
    assert alice.chain is not None
    oldest = alice.chain
    for n in range(4):
        alice.start_chain()
        bob.process(alice, alice.distribute())
        if n == 2:
            bob.process(alice, group.distribute(oldest))  # known already: moves to the front
    alice.start_chain()
    bob.process(alice, alice.distribute())
    record = bob.sender_keys[alice.address]
    assert len(record.chains) == group.CHAINS_MAX
    assert record.chains[2].chain_id == oldest.chain_id


def test_another_signing_key_under_a_known_chain_id_replaces_the_chain() -> None:
    alice, bob = members()
    given = Distribution.deserialize(alice.distribute())
    other = Distribution(given.distribution_id, given.chain_id, 5, bytes(32), bob.identity)
    record = group.process(bob.sender_keys[alice.address], other)
    assert [(chain.signing, chain.chain.index) for chain in record.chains] == [(bob.identity, 5)]


def test_a_message_far_ahead_is_refused() -> None:
    alice, bob = members()
    for _ in range(2_000):
        alice.encrypt_group(b"lost")
    refused(bob, alice, alice.encrypt_group(b"far"), TooFarAhead)


def test_at_most_two_thousand_seeds_are_kept() -> None:
    alice, bob = members()
    early = []
    for _ in range(3):
        early.append(alice.encrypt_group(b"early"))
        for _ in range(1_500):
            alice.encrypt_group(b"lost")
        bob.decrypt_group(alice, alice.encrypt_group(b"now"))
    assert len(bob.sender_keys[alice.address].chains[0].chain.skipped) == 2_000
    refused(bob, alice, early[0], DuplicateMessage)
    assert bob.decrypt_group(alice, early[2]) == b"early"


def test_without_the_chain_nothing_is_read() -> None:
    alice, bob = members()
    carol = Person.create(3)
    refused(carol, alice, alice.encrypt_group(b"who?"), NoSenderKey)
    alice.start_chain()
    refused(bob, alice, alice.encrypt_group(b"a new chain"), NoSenderKey)
    record = SenderKeyRecord(bytes(16), bob.sender_keys[alice.address].chains)
    message = SenderKeyMessage.deserialize(alice.encrypt_group(b"another group"))
    with pytest.raises(NoSenderKey):
        group.decrypt(record, message)


def test_a_chain_of_another_group_does_not_come_into_a_record() -> None:
    alice, bob = members()
    given = Distribution.deserialize(alice.distribute())
    other = Distribution(bytes(16), given.chain_id, given.iteration, given.key, given.signing)
    with pytest.raises(InvalidMessage):
        group.process(bob.sender_keys[alice.address], other)


@pytest.mark.parametrize(("messages", "days", "is_worn_out"), [(999, 6.9, False), (1_000, 0, True), (0, 7, True)])
def test_a_chain_wears_out_after_a_week_or_a_thousand_messages(messages: int, days: float, is_worn_out: bool) -> None:
    chain = group.start(GROUP, NOW, seeded(1))
    for _ in range(messages):
        chain, _ = group.encrypt(chain, b"", seeded(2))
    assert chain.is_worn_out(NOW + int(days * 86_400_000)) == is_worn_out


def test_chain_ids_have_31_bits() -> None:
    assert group.start(GROUP, NOW, lambda n: b"\xff" * n).chain_id == 2**31 - 1


@pytest.mark.parametrize("change", [{1: bytes(15)}, {1: None}, {2: None}, {3: None}, {4: bytes(31)}, {5: bytes(33)}])
def test_malformed_distributions_are_refused(change: dict[int, bytes | None]) -> None:
    alice, _ = members()
    body = alice.distribute()
    fields = protobuf.decode(body[1:], frozenset(range(1, 6)))
    values: dict[int, int | bytes | None] = {n: fields.uint32(n) for n in (2, 3)} | {
        n: fields.blob(n) for n in (1, 4, 5)
    }
    assert body[:1] + protobuf.encode(*sorted(values.items())) == body
    with pytest.raises(InvalidMessage):
        Distribution.deserialize(body[:1] + protobuf.encode(*sorted((values | change).items())))


@pytest.mark.parametrize("data", [b"", b"\x33", b"\x34" + bytes(100), b"\x33" * 65, b"\x33" + bytes(1 << 20 | 100)])
def test_what_is_no_message_of_a_group_is_refused(data: bytes) -> None:
    for deserialize in (Distribution.deserialize, SenderKeyMessage.deserialize):
        with pytest.raises(InvalidMessage):
            deserialize(data)


def padded(body: bytes, length: int) -> bytes:
    """A message filled up to a length by a field that nobody knows."""
    filler = length - len(body) - 5  # one byte of tag, four of length, at these sizes
    size = [filler & 127 | 128, filler >> 7 & 127 | 128, filler >> 14 & 127 | 128, filler >> 21]
    return body + b"\x7a" + bytes(size) + bytes(filler)


def test_sound_messages_of_another_version_or_beyond_a_mebibyte_are_refused() -> None:
    alice, _ = members()
    chain, signed = alice.distribute(), alice.encrypt_group(b"hello")[:-64]
    Distribution.deserialize(padded(chain, 1 << 20))
    SenderKeyMessage.deserialize(padded(signed, (1 << 20) - 64) + bytes(64))
    for body in (padded(chain, (1 << 20) + 1), b"\x34" + chain[1:], b"\x44" + chain[1:]):
        with pytest.raises(InvalidMessage):
            Distribution.deserialize(body)
    for body in (padded(signed, (1 << 20) - 63), b"\x34" + signed[1:], b"\x43" + signed[1:]):
        with pytest.raises(InvalidMessage):
            SenderKeyMessage.deserialize(body + bytes(64))
