"""Fuzzes one target with libFuzzer: `python -m tests.e2ee.fuzz.fuzz TARGET [libFuzzer options] [corpus folder]`.

`parsers`: every reader of bytes answers with a value or with one of our errors, and what it read it writes the
same way again. `session`, `group` and `membership`: whatever arrives is refused, and the state is as before. For hours:

    python -m tests.e2ee.fuzz.fuzz session -max_total_time=36000 -max_len=4096 /tmp/corpus
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import atheris

with atheris.instrument_imports(include=["aparte.e2ee"]):
    from tests.e2ee.groups import with_roles
    from tests.e2ee.people import Person, conversation

    from aparte.e2ee import fingerprint, grant, payload, protobuf
    from aparte.e2ee.errors import E2eeError
    from aparte.e2ee.group import Distribution, OwnChain, SenderKeyMessage, SenderKeyRecord
    from aparte.e2ee.keys import KemPublicKey, PublicKey
    from aparte.e2ee.membership import ADMIN, MEMBERS_MAX, Action, Signed, Statement
    from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage, SignalMessage
    from aparte.e2ee.prekeys import Prekeys
    from aparte.e2ee.session import SessionRecord
    from aparte.e2ee.spqr import SpqrState

KNOWN = frozenset(range(1, 9))
STATES = (SessionRecord, Prekeys, OwnChain, SenderKeyRecord, SpqrState)


class Target(NamedTuple):
    """What to fuzz, and inputs to begin with."""

    test: Callable[[bytes], None]
    seeds: list[bytes]


def parsers() -> Target:
    """The first byte chooses the reader."""
    alice, bob = conversation()
    number = _safety_number(alice, bob)
    alice.start_chain()
    bob.process(alice, alice.distribute())
    assert alice.chain is not None
    first = Person.create(3)
    first.set_up(bob, one_time=True)
    record = bob.records[alice.address]
    readers: list[tuple[Callable[[bytes], object], bytes]] = [
        (lambda data: protobuf.decode(data, KNOWN), protobuf.encode((1, 1), (2, b"two"))),
        (PublicKey.deserialize, alice.identity.serialize()),
        (KemPublicKey.deserialize, bob.bundle().kem.serialize()),
        (SignalMessage.deserialize, alice.encrypt(bob, b"hello")[1]),
        (FirstMessage.deserialize, first.encrypt(bob, b"hello")[1]),
        (Distribution.deserialize, alice.distribute()),
        (SenderKeyMessage.deserialize, alice.encrypt_group(b"hello")),
        (number.matches, number.scannable),
        (SessionRecord.deserialize, record.serialize()),
        (Prekeys.deserialize, Person.create(4).prekeys.serialize()),
        (OwnChain.deserialize, alice.chain.serialize()),
        (SenderKeyRecord.deserialize, bob.sender_keys[alice.address].serialize()),
        (SpqrState.deserialize, record.current.ratchet.spqr.serialize()),
        (Statement.deserialize, with_roles()[0].chain[0].statement),
        (grant.unpack, grant.pack([grant.Triple(1, bytes(32), bytes(32))])),
        *((payload.decode, payload.encode(said)) for said in _payloads(alice)),
    ]

    def read(data: bytes) -> None:
        if not data:
            return
        reader, _ = readers[data[0] % len(readers)]
        try:
            value = reader(data[1:])
        except E2eeError:
            return
        if isinstance(value, PublicKey | KemPublicKey | Statement):
            assert value.serialize() == data[1:]
        elif isinstance(value, STATES):
            written = value.serialize()
            assert type(value).deserialize(written).serialize() == written
        elif isinstance(value, payload.Payload) and value != payload.SignedLists(()):  # of items we do not know
            assert payload.decode(payload.encode(value)) == value

    return Target(read, [bytes([number]) + sample for number, (_, sample) in enumerate(readers)])


def session() -> Target:
    """The first byte chooses the kind of message, and whether to change a real one instead of making one up."""
    alice, bob = conversation()
    carol = Person.create(3)
    carol.set_up(bob, one_time=True)
    real = (
        (MESSAGE_TYPE, alice, alice.encrypt(bob, b"hello")),
        (FIRST_MESSAGE_TYPE, carol, carol.encrypt(bob, b"hello")),
    )
    before, prekeys, records = bob.saved(), bob.prekeys, bob.records

    def receive(data: bytes) -> None:
        kind, peer, (_, body) = real[bool(data) and data[0] & 1]
        received = _changed(body, data[1:]) if data[:1] > b"\x7f" else data[1:]
        bob.prekeys, bob.records = prekeys, dict(records)
        try:
            bob.decrypt(peer, (kind, received))
        except E2eeError:
            assert bob.saved() == before
        else:
            assert _authenticated(kind, received) == _authenticated(kind, body), "read what nobody wrote"

    return Target(receive, [bytes([kind & 1]) + body for kind, _, (_, body) in real] + [b"\x80\x00\x00\x01", b"\x81"])


def group() -> Target:
    """Messages of a sender whose chain is known."""
    alice, bob = conversation()
    alice.start_chain()
    bob.process(alice, alice.distribute())
    body = alice.encrypt_group(b"hello")
    before, sender_keys = bob.saved(), bob.sender_keys

    def receive(data: bytes) -> None:
        received = _changed(body, data[1:]) if data[:1] > b"\x7f" else data[1:]
        bob.sender_keys = dict(sender_keys)
        try:
            bob.decrypt_group(alice, received)
        except E2eeError:
            assert bob.saved() == before
        else:
            assert received == body, "read what nobody wrote"

    return Target(receive, [b"\x00" + body, b"\x80\x00\x00\x01"])


def membership() -> Target:
    """The next statement of a group, changed: nothing counts but what its actor signed."""
    company, (owner, admin, outside) = with_roles(ADMIN)
    said = company.next(admin, Action.ADD, subject=outside.id, subject_key=outside.key33, role=1)
    real = company.sign(said)
    whole = real.statement + real.signature
    chain, states = list(company.chain), list(company.states)

    def receive(data: bytes) -> None:
        received = _changed(whole, data[1:]) if data[:1] > b"\x7f" else data[1:]
        company.chain, company.states = list(chain), list(states)
        try:
            company.take(Signed(received[:165], received[165:229], received[229:] or None))
        except (E2eeError, StopIteration):
            assert company.states == states
        else:
            assert received == whole, "took what nobody signed"
            assert owner.id == company.state.owner
            assert len(company.state.members) <= MEMBERS_MAX

    return Target(receive, [b"\x00" + whole, b"\x80\x00\x4a\x01", b"\x80\x00\x93\x02"])


def _payloads(alice: Person) -> list[payload.Payload]:
    """What is signed in them is of no account here: only the form is read."""
    company = with_roles()[0]
    conversation_id = Distribution.deserialize(alice.distribute()).distribution_id
    triples = grant.pack([grant.Triple(1, bytes(32), bytes(32))])
    return [
        payload.Keys(((bytes(32), bytes(32)),)),
        payload.Chain(conversation_id, alice.distribute()),
        payload.PassedOn(conversation=conversation_id, triples=triples),
        payload.SignedLists((), (company.chain[0],)),
    ]


def _authenticated(kind: int, body: bytes) -> tuple[object, ...]:
    """What of a message is bound by its MAC: all of it, or the message and the keys that a first message brings."""
    if kind == MESSAGE_TYPE:
        return (body,)
    first = FirstMessage.deserialize(body)
    return first.message, first.base_key, first.identity, first.one_time_id, first.signed_id, first.kem_ciphertext


def _safety_number(alice: Person, bob: Person) -> fingerprint.Fingerprint:
    identities = [fingerprint.Identity(person.address.account, person.identity) for person in (alice, bob)]
    return fingerprint.compute(*identities)


def _changed(body: bytes, changes: bytes) -> bytes:
    """`body` with bytes exchanged: each change is a position (two bytes) and what to add to it."""
    output = bytearray(body)
    for i in range(0, len(changes) - 2, 3):
        output[int.from_bytes(changes[i : i + 2], "big") % len(output)] ^= changes[i + 2]
    return bytes(output)


def main() -> None:
    """Run libFuzzer until it has found something or its time is over."""
    target = {"parsers": parsers, "session": session, "group": group, "membership": membership}[sys.argv.pop(1)]()
    corpus = Path(sys.argv[-1])
    if len(sys.argv) > 1 and corpus.is_dir():
        for number, seed in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, target.test)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
