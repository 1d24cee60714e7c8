"""G7 and G8: a copy of a device's store opens nothing that went over the wire before, and nothing after a round trip.

The thief has everything: the copied store with its key, and every envelope that the server has seen.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from aparte.client.profiles import Folder
from aparte.e2ee import session
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.messages import FirstMessage
from aparte.e2ee.prekeys import Prekeys
from aparte.e2ee.session import Parties, SessionRecord
from aparte.wire.sealed import Envelope
from tests.support.malice import Malice
from tests.support.talk import Talker, company


@dataclass
class Thief:
    """Who has copied a device's store."""

    own: OwnDevice
    prekeys: Prekeys
    record: SessionRecord

    @classmethod
    def of(cls, victim: Talker, peer: Talker, folder: Path) -> "Thief":
        """Copy the store of a device that is switched off."""
        assert victim.place.home is not None
        shutil.copytree(victim.place.home / victim.place.name, folder / "stolen")
        store = Folder.of("stolen", folder).open(None, create=False)
        with store.reading() as tx:
            keys = tx.row("SELECT number, registration_id, identity_private, prekeys FROM own_keys")
            kept = tx.row("SELECT record FROM sessions WHERE device_id = ?", peer.device.bytes)
        store.close()
        assert keys is not None
        assert kept is not None
        number, registration_id, identity, prekeys = keys
        own = OwnDevice(Address(victim.account.bytes, number), registration_id, KeyPair.from_private(identity))
        return cls(own, Prekeys.deserialize(prekeys), SessionRecord.deserialize(kept[0]))

    def opens(self, envelope: Envelope) -> bool:
        """Whether the copy opens an envelope, whichever way; the copy stays as it is."""
        for record in (self.record, None):
            try:
                if envelope.type == 2 and record is not None:
                    session.decrypt(record, envelope.body, os.urandom)
                    return True
                if envelope.type == 3:
                    first = FirstMessage.deserialize(envelope.body)
                    parties = Parties(self.own, PeerDevice(self.record.peer, first.identity))
                    session.accept(record, parties, self.prekeys, first, os.urandom)
                    return True
            except E2eeError:
                continue
        return False


def envelopes(evil: Malice, sender: Talker, reader: Talker) -> list[Envelope]:
    """Everything that one device has sealed for another, in order."""
    found = [envelope for entry in evil.sealed_by(sender.device) for envelope in entry.envelopes]
    return [envelope for envelope in found if envelope.device == reader.device]


async def test_a_stolen_store_opens_nothing_before_and_heals_after_a_round_trip(evil: Malice, tmp_path: Path) -> None:
    async with company(tmp_path, evil.url) as people:
        alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
        for n in range(3):
            await alice.client.send(bob.name, f"before {n}")
            await bob.hears(f"before {n}")
            await bob.client.send(alice.name, f"yes {n}")
            await alice.hears(f"yes {n}")
        before = envelopes(evil, alice, bob)
        await bob.leave()
        thief = Thief.of(bob, alice, tmp_path)
        await alice.client.send(bob.name, "to a closed door")
        await bob.come_back()
        await bob.hears("to a closed door")
        while_closed = envelopes(evil, alice, bob)[len(before) :]
        await bob.client.send(alice.name, "I am back")
        await alice.hears("I am back")
        known = len(envelopes(evil, alice, bob))
        await alice.client.send(bob.name, "welcome")
        await bob.hears("welcome")
        after = envelopes(evil, alice, bob)[known:]
    assert len(before) >= 3
    assert [thief.opens(envelope) for envelope in before] == [False] * len(before)
    assert [thief.opens(envelope) for envelope in while_closed] == [True], "the thief has not tried"
    assert [thief.opens(envelope) for envelope in after] == [False]


async def test_a_stolen_store_opens_no_first_message_whose_prekeys_are_used(evil: Malice, tmp_path: Path) -> None:
    async with company(tmp_path, evil.url) as people:
        alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
        await alice.client.send(bob.name, "first")
        await bob.hears("first")
        [first] = envelopes(evil, alice, bob)
        assert first.type == 3
        await bob.leave()
        assert not Thief.of(bob, alice, tmp_path).opens(first)
