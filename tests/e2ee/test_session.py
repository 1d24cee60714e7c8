"""Stories of two devices: what is read, what is refused, and that a refusal changes nothing."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.e2ee.people import Person, conversation, seeded

from aparte.e2ee import protobuf, ratchet, session
from aparte.e2ee.errors import (
    DuplicateMessage,
    E2eeError,
    InvalidMessage,
    InvalidSignature,
    NoSession,
    TooFarAhead,
    UnknownPrekey,
    UntrustedIdentity,
)
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage, Header, Sealed, SignalMessage
from aparte.e2ee.session import SessionRecord
from aparte.e2ee.spqr.message import Kind, Message, encode

Envelope = tuple[int, bytes]
KNOWN = frozenset(range(1, 9))


def refused(person: Person, peer: Person, message: Envelope, *errors: type[E2eeError]) -> None:
    """The message is refused, and the person is as before."""
    before = person.saved()
    with pytest.raises(errors or InvalidMessage):
        person.decrypt(peer, message)
    assert person.saved() == before


def first_message() -> tuple[Person, Person, bytes]:
    """Alice has sent Bob a first message."""
    alice, bob = Person.create(1), Person.create(2)
    alice.set_up(bob, one_time=True)
    kind, body = alice.encrypt(bob, b"hello")
    assert kind == FIRST_MESSAGE_TYPE
    return alice, bob, body


def test_first_messages_are_sent_until_the_peer_has_answered() -> None:
    alice, bob, body = first_message()
    assert alice.encrypt(bob, b"again")[0] == FIRST_MESSAGE_TYPE
    bob.decrypt(alice, (FIRST_MESSAGE_TYPE, body))
    answer = bob.encrypt(alice, b"yes?")
    assert answer[0] == MESSAGE_TYPE
    alice.decrypt(bob, answer)
    assert alice.encrypt(bob, b"at last")[0] == MESSAGE_TYPE


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 65_000])
def test_messages_of_every_length_are_read(length: int) -> None:
    alice, bob = conversation()
    text = bytes(n % 251 for n in range(length))
    assert bob.decrypt(alice, alice.encrypt(bob, text)) == text


def test_messages_of_a_chain_are_read_in_any_order() -> None:
    alice, bob = conversation()
    messages = [alice.encrypt(bob, b"%d" % n) for n in range(10)]
    assert [bob.decrypt(alice, messages[n]) for n in (9, 0, 5, 4, 8, 1, 2, 3, 7, 6)] == [
        b"%d" % n for n in (9, 0, 5, 4, 8, 1, 2, 3, 7, 6)
    ]


def test_a_repeated_message_is_told_from_a_bad_one() -> None:
    alice, bob, body = first_message()
    bob.decrypt(alice, (FIRST_MESSAGE_TYPE, body))
    refused(bob, alice, (FIRST_MESSAGE_TYPE, body), DuplicateMessage)
    message = bob.encrypt(alice, b"hi")
    alice.decrypt(bob, message)
    refused(alice, bob, message, DuplicateMessage)


def test_a_message_far_ahead_is_refused() -> None:
    alice, bob = conversation()
    for _ in range(2_000):
        alice.encrypt(bob, b"lost")
    refused(bob, alice, alice.encrypt(bob, b"far"), TooFarAhead)


@pytest.mark.parametrize("kind", [MESSAGE_TYPE, FIRST_MESSAGE_TYPE])
def test_no_bit_of_a_message_under_the_mac_can_be_changed(kind: int) -> None:
    if kind == MESSAGE_TYPE:
        alice, bob = conversation()
        body = alice.encrypt(bob, b"hello")[1]
        inner, rebuild = body, lambda changed: changed
    else:
        alice, bob, body = first_message()
        message = FirstMessage.deserialize(body)
        inner, rebuild = message.message, lambda changed: rewritten(body, {4: changed})
    for position in range(len(inner)):
        changed = bytearray(inner)
        changed[position] ^= 1 << position % 8
        refused(bob, alice, (kind, rebuild(bytes(changed))), InvalidMessage, DuplicateMessage, TooFarAhead)
    assert bob.decrypt(alice, (kind, body)) == b"hello"


def rewritten(body: bytes, changes: dict[int, int | bytes | None]) -> bytes:
    """A first message with other fields."""
    fields = protobuf.decode(body[1:], KNOWN)
    values: dict[int, int | bytes | None] = {n: fields.optional_uint32(n) for n in (1, 5, 6, 7)}
    values |= {n: fields.optional_blob(n) for n in (2, 3, 4, 8)}
    return body[:1] + protobuf.encode(*sorted((values | changes).items()))


OTHER_KEY = KeyPair.generate(seeded(77)).public.serialize()
LOW_ORDER = b"\x05" + bytes(32)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({1: None}, InvalidMessage),
        ({1: 999}, UnknownPrekey),
        ({6: 999}, UnknownPrekey),
        ({6: None}, InvalidMessage),
        ({7: 999}, UnknownPrekey),
        ({7: None}, InvalidMessage),
        ({7: 2}, InvalidMessage),  # the last-resort key instead of the one-time one
        ({8: bytes(1569)}, InvalidMessage),
        ({8: b"\x08" + bytes(1568)}, InvalidMessage),
        ({8: b"\x08" + bytes(1567)}, InvalidMessage),
        ({8: None}, InvalidMessage),
        ({2: OTHER_KEY}, InvalidMessage),
        ({2: LOW_ORDER}, InvalidMessage),
        ({2: None}, InvalidMessage),
        ({3: OTHER_KEY}, UntrustedIdentity),
        ({3: LOW_ORDER}, InvalidMessage),
        ({4: None}, InvalidMessage),
        ({4: b""}, InvalidMessage),
        ({4: b"\x44" * 9}, InvalidMessage),
    ],
)
def test_a_changed_first_message_sets_nothing_up(
    changes: dict[int, int | bytes | None], error: type[E2eeError]
) -> None:
    alice, bob, body = first_message()
    refused(bob, alice, (FIRST_MESSAGE_TYPE, rewritten(body, changes)), error)
    assert rewritten(body, {}) == body
    assert bob.decrypt(alice, (FIRST_MESSAGE_TYPE, body)) == b"hello"


def test_a_first_message_is_written_as_it_was_read() -> None:
    alice, _, body = first_message()
    message = FirstMessage.deserialize(body)
    assert message.serialize() == body
    assert message.registration_id == alice.own.registration_id == 1
    assert FirstMessage.deserialize(rewritten(body, {5: 9})).registration_id == 9
    assert FirstMessage.deserialize(rewritten(body, {5: None})).registration_id == 0


def test_one_time_prekeys_are_gone_after_the_first_message_and_not_before() -> None:
    alice, bob, body = first_message()
    one_time, kem = len(bob.prekeys.one_time), len(bob.prekeys.one_time_kem)
    refused(bob, alice, (FIRST_MESSAGE_TYPE, rewritten(body, {2: OTHER_KEY})))
    bob.decrypt(alice, (FIRST_MESSAGE_TYPE, body))
    assert (len(bob.prekeys.one_time), len(bob.prekeys.one_time_kem)) == (one_time - 1, kem - 1)


def test_there_is_no_way_down() -> None:
    """An older version, or a message without its SPQR part, is refused even with a MAC that holds."""
    alice, bob = conversation()
    body = alice.encrypt(bob, b"hello")[1]
    for version in (0x33, 0x34, 0x43, 0x45, 0x54):
        refused(bob, alice, (MESSAGE_TYPE, bytes([version]) + body[1:]))
    fields = protobuf.decode(body[1:-8], KNOWN)
    for spqr_message in (None, b""):
        stripped = protobuf.encode(
            (1, fields.blob(1)), (2, fields.uint32(2)), (3, fields.uint32(3)), (4, fields.blob(4)), (5, spqr_message)
        )
        with pytest.raises(InvalidMessage):
            SignalMessage.deserialize(body[:1] + stripped + body[-8:])
    _, _, first = first_message()
    with pytest.raises(InvalidMessage):
        FirstMessage.deserialize(b"\x34" + first[1:])


def test_a_first_message_names_both_ends() -> None:
    alice, bob, body = first_message()
    inner = SignalMessage.deserialize(FirstMessage.deserialize(body).message)
    assert inner.addresses == b"\x00" + b"\x01" * 16 + b"\x01" + b"\x00" + b"\x02" * 16 + b"\x02"
    carol = Person.create(3)
    stolen = replace(bob.own, address=carol.address)
    bob.own, kept = stolen, bob.own
    refused(bob, alice, (FIRST_MESSAGE_TYPE, body))
    bob.own = kept
    alice.own = replace(alice.own, address=carol.address)
    refused(bob, alice, (FIRST_MESSAGE_TYPE, body))


def test_a_first_message_without_addresses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = Person.create(1), Person.create(2)
    alice.set_up(bob)
    monkeypatch.setattr(session, "address_pair", lambda *_: None)
    body = alice.encrypt(bob, b"hello")
    refused(bob, alice, body)


def test_later_messages_may_name_both_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = conversation()
    record = alice.records[bob.address]
    pair = session.address_pair
    for addresses, is_right in ((pair(alice.address, bob.address), True), (pair(bob.address, alice.address), False)):
        monkeypatch.setattr(session, "address_pair", lambda *_, addresses=addresses: addresses)
        pending = session.Pending(None, 1, 2, bytes(1569))
        alice.records[bob.address] = replace(record, current=replace(record.current, pending=pending))
        inner = FirstMessage.deserialize(alice.encrypt(bob, b"named")[1]).message
        if is_right:
            assert bob.decrypt(alice, (MESSAGE_TYPE, inner)) == b"named"
        else:
            refused(bob, alice, (MESSAGE_TYPE, inner))


def test_bundles_of_another_identity_or_device_are_refused() -> None:
    alice, bob, eve = Person.create(1), Person.create(2), Person.create(3)
    parties = alice.parties(bob)
    wrong_device = replace(bob.bundle(), device=7)
    for bundle in (eve.bundle(), wrong_device):
        with pytest.raises(UntrustedIdentity):
            session.initiate(None, parties, bundle, alice.random)
    with pytest.raises(InvalidSignature):
        session.initiate(None, parties, replace(bob.bundle(), kem_signature=bytes(64)), alice.random)


def test_nothing_is_read_without_a_session() -> None:
    alice, bob = conversation()
    carol = Person.create(3)
    refused(carol, alice, alice.encrypt(bob, b"for Bob"), NoSession)
    carol.set_up(alice)
    refused(carol, alice, alice.encrypt(bob, b"for Bob"), InvalidMessage)


def test_a_message_does_not_come_back() -> None:
    """Reflected to its sender it is refused: each direction has its own keys and names."""
    alice, bob = conversation()
    refused(alice, bob, alice.encrypt(bob, b"echo"), InvalidMessage, DuplicateMessage)


def test_whoever_forgets_everything_can_begin_again() -> None:
    alice, bob = conversation()
    del bob.records[alice.address]
    refused(bob, alice, alice.encrypt(bob, b"lost"), NoSession)
    bob.set_up(alice, one_time=True)
    assert alice.decrypt(bob, bob.encrypt(alice, b"here again")) == b"here again"
    assert bob.decrypt(alice, alice.encrypt(bob, b"welcome")) == b"welcome"


def test_an_archived_session_that_speaks_becomes_the_current_one() -> None:
    alice, bob = conversation()
    old = bob.encrypt(alice, b"in the old one")
    base_key = alice.records[bob.address].current.base_key
    alice.set_up(bob, one_time=True)
    assert alice.records[bob.address].current.base_key != base_key
    assert alice.decrypt(bob, old) == b"in the old one"
    record = alice.records[bob.address]
    assert record.current.base_key == base_key
    assert len(record.archived) == 1
    assert bob.decrypt(alice, alice.encrypt(bob, b"in the old one again")) == b"in the old one again"


def base_keys(record: SessionRecord) -> list[PublicKey]:
    """The current session, then the archived ones, newest first."""
    return [found.base_key for _, found in session._sessions(record)]


def test_sessions_move_to_the_front_and_none_is_lost() -> None:
    alice, bob = conversation()
    messages = [bob.encrypt(alice, b"first")]
    keys = base_keys(alice.records[bob.address])
    for text in (b"second", b"third"):
        alice.set_up(bob, one_time=True)
        bob.decrypt(alice, alice.encrypt(bob, b"another"))
        messages.append(bob.encrypt(alice, text))
        keys.insert(0, alice.records[bob.address].current.base_key)
    assert base_keys(bob.records[alice.address]) == keys
    for message, position in ((messages[1], 1), (messages[0], 2), (messages[2], 2)):
        assert alice.decrypt(bob, message)
        keys.insert(0, keys.pop(position))
        assert base_keys(alice.records[bob.address]) == keys


def test_who_is_met_again_keeps_the_sessions_from_before() -> None:
    alice, bob = conversation()
    alice.set_up(bob)
    bob.set_up(alice)
    ours, theirs = base_keys(alice.records[bob.address]), base_keys(bob.records[alice.address])
    bob.decrypt(alice, alice.encrypt(bob, b"crossing"))
    assert base_keys(bob.records[alice.address]) == [ours[0], *theirs]


def test_the_header_says_where_in_its_chain_a_message_is() -> None:
    alice, bob = conversation()
    for count in (3, 1, 2):
        headers = [SignalMessage.deserialize(alice.encrypt(bob, b"hello")[1]).header for _ in range(count)]
        assert [header.counter for header in headers] == list(range(count))
        bob.decrypt(alice, alice.encrypt(bob, b"turn"))
        alice.decrypt(bob, bob.encrypt(alice, b"turn"))
        after = SignalMessage.deserialize(alice.encrypt(bob, b"hello")[1])
        assert after.header.previous_counter == count
        bob.decrypt(alice, alice.encrypt(bob, b"turn"))
        alice.decrypt(bob, bob.encrypt(alice, b"turn"))
    fields = [(1, after.header.ratchet_key.serialize()), (2, 7), (4, b"."), (5, b".")]
    bare = SignalMessage.deserialize(b"\x44" + protobuf.encode(*fields) + bytes(8))
    assert (bare.header.counter, bare.header.previous_counter) == (7, 0)


def test_forty_archived_sessions_are_kept() -> None:
    alice, bob = conversation()
    for _ in range(45):
        alice.set_up(bob)
    assert len(alice.records[bob.address].archived) == session.ARCHIVED_SESSIONS_MAX


def test_a_repeat_in_an_archived_session_is_known_as_one() -> None:
    alice, bob = conversation()
    message = bob.encrypt(alice, b"once")
    alice.decrypt(bob, message)
    alice.set_up(bob, one_time=True)
    refused(alice, bob, message, DuplicateMessage)


def padded(body: bytes, length: int) -> bytes:
    """A message filled up to a length by a field that nobody knows."""
    filler = length - len(body) - 5  # one byte of tag, four of length, at these sizes
    return (
        body
        + b"\x7a"
        + bytes([filler & 127 | 128, filler >> 7 & 127 | 128, filler >> 14 & 127 | 128, filler >> 21])
        + bytes(filler)
    )


def test_messages_of_up_to_a_mebibyte_are_read() -> None:
    _, _, first = first_message()
    FirstMessage.deserialize(padded(first, 1 << 20))
    with pytest.raises(InvalidMessage):
        FirstMessage.deserialize(padded(first, (1 << 20) + 1))
    inner = FirstMessage.deserialize(first).message[:-8]
    SignalMessage.deserialize(padded(inner, (1 << 20) - 8) + bytes(8))
    with pytest.raises(InvalidMessage):
        SignalMessage.deserialize(padded(inner, (1 << 20) - 7) + bytes(8))


@pytest.mark.parametrize("deserialize", [SignalMessage.deserialize, FirstMessage.deserialize])
@pytest.mark.parametrize("data", [b"", b"\x44", b"\x44" * 9, b"\x44" + bytes(40), b"\x44" + bytes(1 << 20)])
def test_malformed_messages_are_refused(deserialize: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        deserialize(data)


@pytest.mark.parametrize(
    ("counter", "index", "tried"), [(0, 1, 41), (1_999, 1, 11), (1_999, 2_000, 6), (2**32 - 1, 2**32 - 1, 6)]
)
def test_a_forged_message_costs_a_bounded_effort(
    counter: int, index: int, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = conversation()
    for _ in range(40):
        bob.set_up(alice)
    body = alice.encrypt(bob, b"hello")[1]
    header, message = Header(KeyPair.generate(seeded(5)).public, counter, 0), SignalMessage.deserialize(body)
    forged = Sealed(header, message.ciphertext, encode(Message(1, index, Kind.NONE)), None).serialize(bytes(32), b"")
    attempts = []
    decrypt = ratchet.decrypt
    monkeypatch.setattr(ratchet, "decrypt", lambda *arguments: (attempts.append(1), decrypt(*arguments))[1])
    refused(bob, alice, (MESSAGE_TYPE, forged), InvalidMessage, TooFarAhead)
    assert len(attempts) == tried
    assert bob.decrypt(alice, (MESSAGE_TYPE, body)) == b"hello"
