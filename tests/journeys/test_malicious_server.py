"""The server lies about who is who: false lists and false bundles are refused or noticed by their names.

`tests/support/malice.py` stands between the devices and an honest server; `tests/support/lies.py` are the lies.
"""

import os
from typing import Any

import msgspec
import pytest

from aparte.client.crypto import verifying
from aparte.client.errors import ClientError, KeyRefused
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.keys import KeyPair
from aparte.wire.keys import Bundle, SignedList
from tests.support.lies import (
    FalseBundles,
    FalseLists,
    Stale,
    next_to,
    signed_by,
    with_a_ghost,
)
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


async def test_a_device_that_the_server_adds_to_a_list_gets_nothing(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    with (
        evil.doing(FalseLists(bob.account, lambda versions: [with_a_ghost(one) for one in versions])),
        pytest.raises(KeyRefused, match="bad_list"),
    ):
        await alice.client.send(bob.name, "for bob alone")
    assert "bad_list" in alice.told()
    assert not evil.seen, "something was sealed to a list that is false"
    await alice.client.send(bob.name, "now it is true")
    await bob.hears("now it is true")


async def test_another_list_of_the_same_version_is_a_fork_and_kept_as_evidence(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "one")
    key = KeyPair.from_private(bob.account_key())

    def forked(versions: list[SignedList]) -> list[SignedList]:
        known = DeviceList.deserialize(versions[0].list)
        listed = known.devices[0]
        other = ListedDevice(listed.number, listed.device, listed.registration_id % 16_000 + 1, listed.identity)
        return [signed_by(key, next_to(known, (other,), known.version))]

    with (
        evil.doing(FalseLists(bob.account, forked), Stale(alice.device, 1)),
        pytest.raises(KeyRefused, match="list_forked"),
    ):
        await alice.client.send(bob.name, "two")
    assert "list_forked" in alice.told()
    assert [code for code, _, _ in evidence(alice)] == ["list_forked"]


async def test_a_list_of_yesterday_is_a_roll_back(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "one")
    first: list[SignedList] = []
    key = KeyPair.from_private(bob.account_key())

    def newer(versions: list[SignedList]) -> list[SignedList]:
        first[:] = versions
        known = DeviceList.deserialize(versions[0].list)
        return [*versions, signed_by(key, next_to(known, known.devices))]

    with evil.doing(FalseLists(bob.account, newer)):
        await alice.client.keys.safety_number(bob.name)
    with (
        evil.doing(FalseLists(bob.account, lambda _: first)),
        pytest.raises(KeyRefused, match="list_rolled_back"),
    ):
        await alice.client.send(bob.name, "three")
    assert "list_rolled_back" in alice.told()


async def test_an_account_key_of_the_servers_own_stops_sending_to_who_was_verified(
    evil: Malice, people: Company
) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "one")
    await bob.hears("one")
    verify(alice, bob)
    servers_own = KeyPair.generate(os.urandom)

    def reset(versions: list[SignedList]) -> list[SignedList]:
        known = DeviceList.deserialize(versions[-1].list)
        new = next_to(known, known.devices)
        return [*versions, signed_by(servers_own, DeviceList(new.account, servers_own.public, *rest(new)))]

    def rest(new: DeviceList) -> tuple[int, bytes, tuple[ListedDevice, ...]]:
        return new.version, new.previous, new.devices

    with (
        evil.doing(FalseLists(bob.account, reset), Stale(alice.device, 1)),
        pytest.raises(KeyRefused, match="key_changed"),
    ):
        await alice.client.send(bob.name, "two")
    assert alice.told() & {"key_changed", "key_reset"}
    with pytest.raises(KeyRefused, match="key_changed"):
        await alice.client.send(bob.name, "three")
    assert bob.texts() == ["one"]


async def test_a_bundle_of_another_identity_gets_an_empty_envelope_and_a_notice(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    stranger = KeyPair.generate(os.urandom).public.serialize()
    with evil.doing(FalseBundles(lambda bundle: change(bundle, identity=stranger))):
        await alice.client.send(bob.name, "for bob alone")
    assert "device_not_listed" in alice.told()
    assert [envelope.type for envelope in evil.sealed_by(alice.device)[0].envelopes] == [0]


async def test_a_prekey_that_the_device_did_not_sign_gets_an_empty_envelope_and_a_notice(
    evil: Malice, people: Company
) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    swapped = KeyPair.generate(os.urandom).public.serialize()
    rule = FalseBundles(lambda bundle: change(bundle, signed=change(bundle.signed, key=swapped)))
    with evil.doing(rule):
        await alice.client.send(bob.name, "for bob alone")
    assert alice.told(), "a bad bundle was passed over in silence"
    assert [envelope.type for envelope in evil.sealed_by(alice.device)[0].envelopes] == [0]


async def test_a_bundle_without_its_post_quantum_key_begins_no_session(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")

    def stripped(bundle: Bundle) -> dict[str, Any]:
        fields = msgspec.to_builtins(bundle)
        del fields["kem"]
        return dict(fields)

    with evil.doing(FalseBundles(stripped)):
        await nothing_begins(evil, alice, bob)


async def test_a_post_quantum_key_of_zeros_begins_no_session(evil: Malice, people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    with evil.doing(FalseBundles(lambda bundle: change(bundle, kem=change(bundle.kem, key=b"\x08" + bytes(1568))))):
        await nothing_begins(evil, alice, bob)


async def nothing_begins(evil: Malice, alice: Talker, bob: Talker) -> None:
    """Sending fails, or goes out with an empty envelope and a notice: never under classical keys alone."""
    try:
        await alice.client.send(bob.name, "for bob alone")
    except ClientError as error:
        assert error.code in {"unexpected_answer", "bad_bundle", "no_keys"}
        assert not evil.seen
    else:
        assert alice.told()
        assert [envelope.type for envelope in evil.sealed_by(alice.device)[0].envelopes] == [0]


def evidence(talker: Talker) -> list[tuple[str, bytes, bytes]]:
    """The lists that were refused and kept."""
    with talker.client._session.store.reading() as tx:
        return list(tx.rows("SELECT code, list, signature FROM evidence ORDER BY at"))


def verify(talker: Talker, other: Talker) -> None:
    """Say that safety numbers were compared and are equal."""
    with talker.client._session.store.transaction() as tx:
        verifying.accept(tx, other.account)
