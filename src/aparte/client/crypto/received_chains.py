"""Chains that other devices send to a group with: taken from the device they belong to, used for its messages alone.

A chain comes in the session with the device whose it is and is kept under that device's name, so nobody can pass
another one's off as their own. What a device may send with it, the lists of each entry's epoch decide.
"""

from aparte.client.store import sender_chains
from aparte.client.store.db import Tx
from aparte.e2ee import group
from aparte.e2ee.errors import InvalidMessage, InvalidSignature
from aparte.e2ee.group import Distribution, SenderKeyMessage, SenderKeyRecord
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.payload import Chain
from aparte.wire.ids import AccountId, ConversationId, DeviceId

Sender = tuple[AccountId, DeviceId]


def take(tx: Tx, conversation: ConversationId, found: Chain, sender: Sender) -> bool:
    """Keep a chain that its device has given; False if it is malformed, or of another group.

    One that is known goes on from where it is.
    """
    try:
        given = Distribution.deserialize(found.distribution)
        if {found.conversation, given.distribution_id} != {conversation.bytes}:
            return False
        record = group.process(_record(tx, conversation, sender[1]), given)
    except InvalidMessage:
        return False
    sender_chains.upsert_sender_chains(tx, conversation, sender, record.serialize())
    return True


def decrypt(tx: Tx, conversation: ConversationId, sender: Sender, message: bytes) -> bytes:
    """Decrypt a sender-key message under a chain of its device. Raises E2eeError, and has changed nothing then."""
    read = SenderKeyMessage.deserialize(message)
    if read.distribution_id != conversation.bytes:
        raise InvalidMessage
    record, plaintext = group.decrypt(_record(tx, conversation, sender[1]), read)
    sender_chains.upsert_sender_chains(tx, conversation, sender, record.serialize())
    return plaintext


def is_of_another(tx: Tx, conversation: ConversationId, device: DeviceId, message: bytes) -> bool:
    """Tell whether a sender-key message was made under a chain of another device than the one it is said to be by."""
    read = SenderKeyMessage.deserialize(message)
    for _, data in sender_chains.select_others(tx, conversation, device):
        for chain in SenderKeyRecord.deserialize(data).chains:
            if chain.chain_id == read.chain_id and _is_signed(chain.signing, read):
                return True
    return False


def _is_signed(signing: PublicKey, read: SenderKeyMessage) -> bool:
    try:
        signing.verify(read.signed, read.signature)
    except InvalidSignature:
        return False
    return True


def _record(tx: Tx, conversation: ConversationId, device: DeviceId) -> SenderKeyRecord | None:
    data = sender_chains.select_sender_chains(tx, conversation, device)
    return SenderKeyRecord.deserialize(data) if data is not None else None
