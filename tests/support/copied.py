"""A copy of a profile in a thief's hands: every key that it has, tried on everything that the server has seen."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from aparte.client.profiles import Folder
from aparte.e2ee import group, payload, session
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.group import Distribution, SenderKeyMessage, SenderKeyRecord
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, FirstMessage
from aparte.e2ee.payload import Chain
from aparte.e2ee.prekeys import Prekeys
from aparte.e2ee.session import Parties, SessionRecord
from aparte.wire.ids import ConversationId
from aparte.wire.sealed import Envelope, SealEntry
from tests.support.malice import Malice
from tests.support.talk import Talker


@dataclass
class Copy:
    """The keys of a device of a group, as they were when it was copied, and what became known with them since."""

    own: OwnDevice
    prekeys: Prekeys
    sessions: dict[bytes, SessionRecord]
    chains: dict[bytes, SenderKeyRecord]

    @classmethod
    def of(cls, victim: Talker, conversation: ConversationId, name: str) -> "Copy":
        """Copy the store of a device that is switched off, into a folder of this name beside it."""
        assert victim.place.home is not None
        shutil.copytree(victim.place.home / victim.place.name, victim.place.home / name)
        return cls.read(victim, conversation, victim.place.home, name)

    @classmethod
    def read(cls, victim: Talker, conversation: ConversationId, home: Path, name: str) -> "Copy":
        """Take the keys out of a folder."""
        store = Folder.of(name, home).open(None, create=False)
        with store.reading() as tx:
            keys = tx.row("SELECT number, registration_id, identity_private, prekeys FROM own_keys")
            sessions = tx.rows("SELECT device_id, record FROM sessions")
            chains = tx.rows(
                "SELECT device_id, record FROM sender_chains WHERE conversation_id = ?", conversation.bytes
            )
        store.close()
        assert keys is not None
        number, registration_id, identity, prekeys = keys
        own = OwnDevice(Address(victim.account.bytes, number), registration_id, KeyPair.from_private(identity))
        records = {device: SessionRecord.deserialize(record) for device, record in sessions}
        known = {device: SenderKeyRecord.deserialize(record) for device, record in chains}
        return cls(own, Prekeys.deserialize(prekeys), records, known)

    def try_everything(self, evil: Malice) -> None:
        """Every chain and every key that anybody gave anybody, whatever its address."""
        for sender, given in evil.given:
            for envelope in given.envelopes:
                self._take(sender.bytes, envelope)
        for seen in evil.seen:
            for envelope in seen.entry.envelopes:
                self._take(seen.device.bytes, envelope)
        for sender, wanted in evil.posted:
            for one in wanted.payloads:
                self._take(sender.bytes, Envelope(one.device, one.type, one.body))

    def _take(self, sender: bytes, envelope: Envelope) -> None:
        for plain in (self._decrypted(record, envelope) for record in self.sessions.values()):
            found = payload.decode(plain) if plain is not None else None
            if isinstance(found, Chain):
                given = Distribution.deserialize(found.distribution)
                self.chains[sender] = group.process(self.chains.get(sender), given)

    def _decrypted(self, record: SessionRecord, envelope: Envelope) -> bytes | None:
        """What is in an envelope; the copy stays as it is, so that it can be tried again."""
        try:
            if envelope.type == FIRST_MESSAGE_TYPE:
                first = FirstMessage.deserialize(envelope.body)
                parties = Parties(self.own, PeerDevice(record.peer, first.identity))
                return session.accept(record, parties, self.prekeys, first, os.urandom).plaintext
            return session.decrypt(record, envelope.body, os.urandom).plaintext if envelope.type else None
        except E2eeError:
            return None

    def opens(self, entry: SealEntry) -> bool:
        """Whether any chain opens the key that stands beside an entry of a group."""
        assert entry.key is not None
        message = SenderKeyMessage.deserialize(entry.key)
        for record in self.chains.values():
            try:
                group.decrypt(record, message)
            except E2eeError:
                continue
            return True
        return False
