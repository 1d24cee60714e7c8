"""The triple ratchet of one session: Double Ratchet and SPQR together, as pure steps on an immutable state.

Source: "The Double Ratchet Algorithm" (Signal, revision 4). Whatever comes out of `decrypt` has been authenticated;
if it raises, the state that was given still stands, for nothing in it was touched.
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from aparte.e2ee import spqr
from aparte.e2ee.errors import DuplicateMessage, InvalidKey, InvalidMessage
from aparte.e2ee.handshake import SharedSecrets
from aparte.e2ee.kdf_chain import KdfChain, ReceivingChain
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.messages import Header, Sealed, SignalMessage
from aparte.e2ee.primitives import Random, aes_cbc_decrypt, aes_cbc_encrypt, hkdf
from aparte.e2ee.spqr import SpqrState
from aparte.e2ee.state import Key, State, UInt32

RECEIVING_CHAINS_MAX = 5


class PeerChain(State, frozen=True):
    """The messages under one ratchet key of the peer."""

    ratchet_key: PublicKey
    chain: ReceivingChain


class Ratchet(State, frozen=True):
    """Everything that changes from message to message. `receiving` is oldest first."""

    root: Key
    own: KeyPair
    sending: KdfChain
    previous_counter: UInt32
    receiving: tuple[PeerChain, ...]
    spqr: SpqrState


@dataclass(frozen=True, slots=True)
class _MessageKeys:
    cipher: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def start_initiator(secrets: SharedSecrets, signed_prekey: PublicKey, random: Random) -> Ratchet:
    """The initiator's first state: it can send at once, and receives first under the peer's signed prekey."""
    own = KeyPair.generate(random)
    root, sending_key = _step(secrets.root, own.agree(signed_prekey))
    return Ratchet(
        root=root,
        own=own,
        sending=KdfChain(sending_key, 0),
        previous_counter=0,
        receiving=(PeerChain(signed_prekey, ReceivingChain(secrets.chain, 0, {})),),
        spqr=spqr.start(secrets.pq_auth_key, initiator=True),
    )


def start_recipient(secrets: SharedSecrets, signed_prekey: KeyPair) -> Ratchet:
    """The recipient's first state: its signed prekey is its ratchet key, and nothing can be received without a turn."""
    return Ratchet(
        root=secrets.root,
        own=signed_prekey,
        sending=KdfChain(secrets.chain, 0),
        previous_counter=0,
        receiving=(),
        spqr=spqr.start(secrets.pq_auth_key, initiator=False),
    )


def encrypt(
    ratchet: Ratchet, plaintext: bytes, associated: bytes, addresses: bytes | None, random: Random
) -> tuple[Ratchet, bytes]:
    """The next message of the sending chain. Save the new state before the message leaves the device."""
    spqr_state, spqr_message, salt = spqr.send(ratchet.spqr, random)
    keys = _message_keys(salt, ratchet.sending.seed)
    header = Header(ratchet.own.public, ratchet.sending.index, ratchet.previous_counter)
    ciphertext = aes_cbc_encrypt(keys.cipher, keys.iv, plaintext)
    message = Sealed(header, ciphertext, spqr_message, addresses).serialize(keys.mac, associated)
    advanced = replace(ratchet, sending=ratchet.sending.advance(), spqr=spqr_state)
    return advanced, message


def decrypt(ratchet: Ratchet, message: SignalMessage, associated: bytes, random: Random) -> tuple[Ratchet, bytes]:
    """The new state and the plaintext; InvalidMessage, DuplicateMessage or TooFarAhead leave all as it was."""
    ratchet_key = message.header.ratchet_key
    if all(peer.ratchet_key != ratchet_key for peer in ratchet.receiving):
        ratchet = _turn(ratchet, ratchet_key, random)
    receiving = list(ratchet.receiving)
    position = next(i for i, peer in enumerate(receiving) if peer.ratchet_key == ratchet_key)
    chain, seed = receiving[position].chain.take(message.header.counter)
    receiving[position] = PeerChain(ratchet_key, chain)
    spqr_state, salt = _receive_spqr(ratchet.spqr, message.spqr_message)
    keys = _message_keys(salt, seed)
    message.check_mac(keys.mac, associated)
    plaintext = aes_cbc_decrypt(keys.cipher, keys.iv, message.ciphertext)
    return replace(ratchet, receiving=tuple(receiving), spqr=spqr_state), plaintext


def _turn(ratchet: Ratchet, ratchet_key: PublicKey, random: Random) -> Ratchet:
    """The Diffie-Hellman ratchet: a receiving chain for the peer's new key, then a new key and chain of our own."""
    try:
        root, receiving_key = _step(ratchet.root, ratchet.own.agree(ratchet_key))
        own = KeyPair.generate(random)
        root, sending_key = _step(root, own.agree(ratchet_key))
    except InvalidKey as error:
        raise InvalidMessage from error
    chains = (*ratchet.receiving, PeerChain(ratchet_key, ReceivingChain(receiving_key, 0, {})))
    return replace(
        ratchet,
        root=root,
        own=own,
        sending=KdfChain(sending_key, 0),
        previous_counter=max(ratchet.sending.index - 1, 0),
        receiving=chains[-RECEIVING_CHAINS_MAX:],
    )


def _receive_spqr(state: SpqrState, message: bytes) -> tuple[SpqrState, bytes]:
    """SPQR's step. The counter was new, so a repeat that only SPQR sees is no repeat but a forgery."""
    try:
        return spqr.receive(state, message)
    except DuplicateMessage as error:
        raise InvalidMessage from error


def _step(root: bytes, agreement: bytes) -> tuple[bytes, bytes]:
    """KDF_RK of the paper: the new root and a chain key."""
    derived = hkdf(root, agreement, b"WhisperRatchet", 64)
    return derived[:32], derived[32:]


def _message_keys(salt: bytes, seed: bytes) -> _MessageKeys:
    derived = hkdf(salt, seed, b"WhisperMessageKeys", 80)
    return _MessageKeys(derived[:32], derived[32:64], derived[64:])
