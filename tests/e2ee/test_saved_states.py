"""Saved state outlives its program, refuses what it is not, and never shows what it holds."""

import contextlib
import dataclasses
import json
import traceback
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr
from tests.e2ee.people import GROUP, Person, conversation
from tests.e2ee.saved_states import FILE

from aparte.e2ee import handshake, prekeys
from aparte.e2ee.errors import E2eeError, InvalidState
from aparte.e2ee.group import Distribution, OwnChain, SenderKeyRecord
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage, SignalMessage
from aparte.e2ee.prekeys import Prekeys
from aparte.e2ee.session import SessionRecord

SAVED = json.loads(FILE.read_text())
KINDS: dict[str, Any] = {
    "bob_session": SessionRecord,
    "alice_session": SessionRecord,
    "bob_prekeys": Prekeys,
    "bob_sender_key": SenderKeyRecord,
    "alice_chain": OwnChain,
}


def restored() -> tuple[Person, Person]:
    """Alice and Bob from the states that were saved by version 1."""
    alice, bob = Person.create(1), Person.create(2)
    alice.records[bob.address] = SessionRecord.deserialize(bytes.fromhex(SAVED["alice_session"]))
    alice.chain = OwnChain.deserialize(bytes.fromhex(SAVED["alice_chain"]))
    bob.records[alice.address] = SessionRecord.deserialize(bytes.fromhex(SAVED["bob_session"]))
    bob.prekeys = Prekeys.deserialize(bytes.fromhex(SAVED["bob_prekeys"]))
    bob.sender_keys[alice.address] = SenderKeyRecord.deserialize(bytes.fromhex(SAVED["bob_sender_key"]))
    return alice, bob


@pytest.mark.parametrize("name", KINDS)
def test_a_state_of_version_1_is_read_and_written_as_it_was(name: str) -> None:
    data = bytes.fromhex(SAVED[name])
    assert data[0] == 1
    assert KINDS[name].deserialize(data).serialize() == data


def test_conversations_of_version_1_go_on() -> None:
    alice, bob = restored()
    messages = {name: bytes.fromhex(SAVED[name]) for name in ("late", "archived", "next", "late_group")}
    assert bob.decrypt(alice, (FIRST_MESSAGE_TYPE, messages["next"])) == b"next"
    assert bob.decrypt(alice, (MESSAGE_TYPE, messages["late"])) == b"late"
    assert bob.decrypt(alice, (MESSAGE_TYPE, messages["archived"])) == b"in the old session"
    assert bob.decrypt_group(alice, messages["late_group"]) == b"late to all"
    assert bob.decrypt_group(alice, alice.encrypt_group(b"more")) == b"more"
    assert alice.decrypt(bob, bob.encrypt(alice, b"back")) == b"back"
    assert bob.decrypt(alice, alice.encrypt(bob, b"and forth")) == b"and forth"
    carol = Person.create(3)
    carol.set_up(bob)
    assert bob.decrypt(carol, carol.encrypt(bob, b"I am new")) == b"I am new"


@pytest.mark.parametrize("name", KINDS)
def test_states_of_another_version_or_kind_are_refused(name: str) -> None:
    data = bytes.fromhex(SAVED[name])
    for other in (b"", data[:1], data[:2], b"\x00" + data[1:], b"\x02" + data[1:], data[:-1], data + b"\x00"):
        with pytest.raises(InvalidState):
            KINDS[name].deserialize(other)
    for kind in set(KINDS.values()) - {KINDS[name]}:
        with pytest.raises(InvalidState):
            kind.deserialize(data)


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_damaged_states_are_refused_or_read_never_worse(name: str, data: st.DataObject) -> None:
    changed = bytearray.fromhex(SAVED[name])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(2, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidState):
        KINDS[name].deserialize(bytes(changed)).serialize()


def parts(value: object) -> Iterator[object]:
    """A value and everything inside it."""
    yield value
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from parts(getattr(value, name))
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from parts(key)
            yield from parts(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from parts(item)


def everything() -> list[object]:
    """One of everything that may hold a secret."""
    alice, bob = restored()
    begun = handshake.initiate(alice.own.identity, bob.bundle(one_time=True), alice.random)
    alice.set_up(bob, one_time=True)
    first = FirstMessage.deserialize(alice.encrypt(bob, b"the plaintext itself")[1])
    keys = prekeys.find(bob.prekeys, bob.own.identity, first)
    return [
        alice.own,
        alice.parties(bob),
        alice.chain,
        alice.records[bob.address],
        bob.records[alice.address],
        bob.prekeys,
        bob.sender_keys[alice.address],
        begun,
        begun.secrets,
        keys,
        first,
        SignalMessage.deserialize(first.message),
        Distribution.deserialize(alice.distribute()),
    ]


def test_no_representation_shows_a_key() -> None:
    for value in everything():
        secrets = {part for part in parts(value) if isinstance(part, bytes) and len(part) >= 16}
        assert secrets
        shown = repr(value) + str(value) + pretty_repr(value) + f"{value!r:>5}"
        for secret in secrets - {Person.create(1).address.account, GROUP.bytes}:
            for form in (repr(secret)[2:-1], secret.hex()):
                assert form[:12] not in shown, type(value).__name__


def test_a_representation_is_the_name() -> None:
    alice, bob = restored()
    assert repr(alice.records[bob.address]) == "<SessionRecord>"
    assert repr(alice.identity) == "<PublicKey>"


def test_parts_see_what_is_inside() -> None:
    """The test above would prove nothing if it did not find the secrets."""
    found = {part for value in everything() for part in parts(value) if isinstance(part, bytes)}
    alice, bob = restored()
    assert alice.own.identity.private in found
    assert bob.prekeys.signed[0].pair.private in found
    assert bob.records[alice.address].current.ratchet.root in found


def test_no_refusal_shows_what_it_is_about() -> None:
    alice, bob = conversation()
    kind, body = alice.encrypt(bob, b"the plaintext itself")
    for position in range(0, len(body), 5):
        changed = bytearray(body)
        changed[position] ^= 0x55
        with pytest.raises(E2eeError) as refusal:
            bob.decrypt(alice, (kind, bytes(changed)))
        text = "".join(traceback.format_exception(refusal.value))
        assert str(refusal.value) == type(refusal.value).__doc__
        assert "the plaintext itself" not in text
        assert bytes(changed).hex()[20:40] not in text
