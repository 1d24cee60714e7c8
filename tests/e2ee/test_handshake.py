"""PQXDH: both sides derive the same, and only if every key is the right one."""

import pytest
from msgspec.structs import replace
from tests.e2ee.people import Person, seeded

from aparte.e2ee import handshake
from aparte.e2ee.errors import InvalidKey, InvalidSignature
from aparte.e2ee.handshake import RecipientKeys, SharedSecrets
from aparte.e2ee.keys import KemKeyPair, KeyPair, PublicKey
from aparte.e2ee.primitives import hkdf


def recipient_keys(person: Person, *, one_time: bool) -> RecipientKeys:
    last = person.prekeys
    return RecipientKeys(
        person.own.identity,
        last.signed[-1].pair,
        last.one_time_kem[-1].pair if one_time else last.last_resort[-1].pair,
        last.one_time[-1].pair if one_time else None,
    )


@pytest.mark.parametrize("one_time", [True, False])
def test_both_sides_derive_the_same_secrets(one_time: bool) -> None:
    alice, bob = Person.create(1), Person.create(2)
    bundle = bob.bundle(one_time=one_time)
    begun = handshake.initiate(alice.own.identity, bundle, alice.random)
    keys = recipient_keys(bob, one_time=one_time)
    assert handshake.respond(keys, alice.identity, begun.base_key, begun.kem_ciphertext) == begun.secrets
    derived = begun.secrets
    assert len({derived.root, derived.chain, derived.pq_auth_key}) == 3
    assert [len(derived.root), len(derived.chain), len(derived.pq_auth_key)] == [32, 32, 32]


def test_every_key_counts() -> None:
    alice, bob = Person.create(1), Person.create(2)
    begun = handshake.initiate(alice.own.identity, bob.bundle(one_time=True), alice.random)
    keys = recipient_keys(bob, one_time=True)
    other = KeyPair.generate(seeded(9))
    wrong = [
        RecipientKeys(other, keys.signed, keys.kem, keys.one_time),
        RecipientKeys(keys.identity, other, keys.kem, keys.one_time),
        RecipientKeys(keys.identity, keys.signed, KemKeyPair.generate(seeded(9)), keys.one_time),
        RecipientKeys(keys.identity, keys.signed, keys.kem, other),
        RecipientKeys(keys.identity, keys.signed, keys.kem, None),
    ]
    derived: list[SharedSecrets] = [
        handshake.respond(these, alice.identity, begun.base_key, begun.kem_ciphertext) for these in wrong
    ]
    derived.append(handshake.respond(keys, other.public, begun.base_key, begun.kem_ciphertext))
    derived.append(handshake.respond(keys, alice.identity, other.public, begun.kem_ciphertext))
    assert all(secrets != begun.secrets for secrets in derived)
    assert len({secrets.root for secrets in derived}) == len(derived)


def test_the_secret_is_the_one_of_the_paper() -> None:
    alice, bob = Person.create(1), Person.create(2)
    keys = recipient_keys(bob, one_time=False)
    base = KeyPair.generate(seeded(7))
    kem_secret, ciphertext = keys.kem.public.encapsulate()
    secret = b"\xff" * 32
    secret += alice.own.identity.agree(keys.signed.public)
    secret += base.agree(bob.identity)
    secret += base.agree(keys.signed.public)
    derived = hkdf(bytes(32), secret + kem_secret, b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024", 96)
    assert handshake.respond(keys, alice.identity, base.public, ciphertext) == SharedSecrets(
        derived[:32], derived[32:64], derived[64:]
    )


@pytest.mark.parametrize("field", ["signed_signature", "kem_signature"])
def test_a_bundle_must_be_signed_by_its_identity(field: str) -> None:
    alice, bob, eve = Person.create(1), Person.create(2), Person.create(3)
    bundle = replace(bob.bundle(), **{field: getattr(eve.bundle(), field)})
    with pytest.raises(InvalidSignature):
        handshake.initiate(alice.own.identity, bundle, alice.random)


def test_points_of_low_order_are_never_agreed_with() -> None:
    bob = Person.create(2)
    keys = recipient_keys(bob, one_time=False)
    _, ciphertext = keys.kem.public.encapsulate()
    with pytest.raises(InvalidKey):
        handshake.respond(keys, bob.identity, PublicKey(bytes(32)), ciphertext)
    with pytest.raises(InvalidKey):
        handshake.respond(keys, PublicKey(bytes(32)), bob.identity, ciphertext)


@pytest.mark.parametrize("field", ["signed_id", "kem_id", "one_time_id"])
@pytest.mark.parametrize("number", [-1, 2**32])
def test_ids_that_fit_no_message_are_refused(field: str, number: int) -> None:
    alice, bob = Person.create(1), Person.create(2)
    with pytest.raises(InvalidKey):
        handshake.initiate(alice.own.identity, replace(bob.bundle(one_time=True), **{field: number}), alice.random)
