"""Linking a new device: an offer, a code to scan or paste, an answer, six digits, and what the new device is given.

The new device shows the hash of its offer and a key that stands nowhere else, so the server can neither answer nor
change the offer; the six digits bind both sides to the same answer. Only after they matched does the old device sign
the new one in. Source: docs/protocol/e2ee.md, 4.4.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from aparte.e2ee import canonical, container, primitives
from aparte.e2ee.content import Id
from aparte.e2ee.device_list import DeviceList, Signed, verify_signed
from aparte.e2ee.devices import REGISTRATION_ID_MAX
from aparte.e2ee.errors import BadList, InvalidKey, InvalidMessage
from aparte.e2ee.keys import PUBLIC_KEY_BYTES, KeyPair, PublicKey
from aparte.e2ee.payload import PINS_MAX, PinnedAccount
from aparte.e2ee.primitives import Random, constant_time_equal, hkdf, hmac_sha256, sha256
from aparte.e2ee.state import Key, State

LINK_PREFIX = "aparte://link/1/"
CODE_TEXT_CHARACTERS = 107
CODE_DIGITS = 6
OFFER_BYTES = PUBLIC_KEY_BYTES + 4 + 16 + primitives.MLKEM768_PUBLIC_BYTES
ANSWER_BYTES = 32 + primitives.MLKEM768_CIPHERTEXT_BYTES + 16 + PUBLIC_KEY_BYTES

_INVITATION_BYTES = 80
_TRANSCRIPT_LABEL = b"aparte-link-v1\0"
_INFO = b"aparte-link-v1"
_X25519_TYPE = b"\x05"

Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]


class Beginning(State, frozen=True):
    """The new device's side of an offer: its private keys, to be forgotten when the two minutes are over."""

    id: Id
    pair: KeyPair
    seed: Annotated[bytes, Meta(min_length=primitives.MLKEM_SEED_BYTES, max_length=primitives.MLKEM_SEED_BYTES)]
    offer: bytes

    @property
    def invitation(self) -> "Invitation":
        """What the old device must see with its own eyes."""
        return Invitation(self.id, self.pair.public, sha256(self.offer))

    @property
    def code_text(self) -> str:
        """The 107 characters to show; with `LINK_PREFIX` before them, a link or QR code."""
        data = self.id + self.pair.public.u + sha256(self.offer)
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class Invitation(State, frozen=True):
    """What the shown text says: the offer's id, the key X_n, and the hash of the offer."""

    id: Id
    x_n: PublicKey
    offer_hash: Key


@dataclass(frozen=True, slots=True)
class Offer:
    """The device that asks to be linked, and its ML-KEM-768 key."""

    identity: PublicKey
    registration_id: int
    device: bytes
    kem_key: bytes


class Link(State, frozen=True):
    """What both sides hold once the offer is answered: equal on both if nobody stands between them."""

    account: Id
    account_key: PublicKey
    code: str
    """Six digits: the new device shows them, the user types them into the old one."""
    box: Key
    """The key of the container for the new device."""

    def is_code(self, typed: str) -> bool:
        """Whether these are the six digits; spaces do not count."""
        return constant_time_equal("".join(typed.split()).encode(), self.code.encode())


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the new device is given: the account's private key, the list that holds it, and pins."""

    account_private: bytes = field(repr=False)
    signed: Signed
    pins: tuple[PinnedAccount, ...] = ()


class _Given(canonical.Map, frozen=True, kw_only=True):
    """A welcome as it is written."""

    account_private: Key
    list: Annotated[bytes, Meta(min_length=108)]
    signature: Signature
    previous_signature: Signature | None = None
    pins: Annotated[tuple[PinnedAccount, ...], Meta(max_length=PINS_MAX)] = ()

    @classmethod
    def of(cls, given: Welcome) -> "_Given":
        signed = given.signed
        return cls(
            account_private=given.account_private,
            list=signed.list,
            signature=signed.signature,
            previous_signature=signed.previous_signature,
            pins=given.pins,
        )

    @property
    def welcome(self) -> Welcome:
        signed = Signed(self.list, self.signature, self.previous_signature)
        return Welcome(self.account_private, signed, self.pins)


def begin(device: bytes, registration_id: int, identity: PublicKey, offer_id: bytes, random: Random) -> Beginning:
    """The new device makes its offer; draws 32 bytes for X_n, then 64 for the ML-KEM key."""
    pair = KeyPair.generate(random)
    seed = random(primitives.MLKEM_SEED_BYTES)
    kem_key = primitives.mlkem768_public_key(seed)
    offer = identity.serialize() + registration_id.to_bytes(4, "big") + device + kem_key
    if len(offer_id) != 16 or len(offer) != OFFER_BYTES or not 1 <= registration_id <= REGISTRATION_ID_MAX:
        raise InvalidMessage
    return Beginning(offer_id, pair, seed, offer)


def parse_text(text: str) -> Invitation:
    """Read the 107 characters, with or without the link's prefix; InvalidMessage or InvalidKey on anything else."""
    code = text.strip().removeprefix(LINK_PREFIX)
    if len(code) != CODE_TEXT_CHARACTERS:
        raise InvalidMessage
    try:
        data = base64.b64decode(code + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage from error
    if len(data) != _INVITATION_BYTES or base64.urlsafe_b64encode(data) != code.encode() + b"=":
        raise InvalidMessage
    return Invitation(data[:16], _public(data[16:48]), data[48:])


def read_offer(invitation: Invitation, offer: bytes) -> Offer:
    """Read the offer that the invitation names; InvalidMessage if it is another one."""
    if len(offer) != OFFER_BYTES or not constant_time_equal(sha256(offer), invitation.offer_hash):
        raise InvalidMessage
    registration_id = int.from_bytes(offer[33:37], "big")
    if not 1 <= registration_id <= REGISTRATION_ID_MAX:
        raise InvalidMessage
    return Offer(PublicKey.deserialize(offer[:33]), registration_id, offer[37:53], offer[53:])


def reply(
    invitation: Invitation, offer: bytes, account: bytes, account_key: KeyPair, random: Random
) -> tuple[bytes, Link]:
    """The old device answers an offer that it has checked; draws 32 bytes, the KEM draws its own."""
    kem_key = read_offer(invitation, offer).kem_key
    pair = KeyPair.generate(random)
    secret, ciphertext = primitives.mlkem768_encapsulate(kem_key)
    answer = pair.public.u + ciphertext + account + account_key.public.serialize()
    return answer, _link(invitation, answer, pair.agree(invitation.x_n) + secret)


def answered(beginning: Beginning, answer: bytes) -> Link:
    """The new device takes the answer; whether it is the right one, only the six digits tell."""
    if len(answer) != ANSWER_BYTES:
        raise InvalidMessage
    secret = primitives.mlkem768_decapsulate(beginning.seed, answer[32:1120])
    return _link(beginning.invitation, answer, beginning.pair.agree(_public(answer[:32])) + secret)


def welcome(box: bytes, given: Welcome, random: Random) -> bytes:
    """Seal what the new device is given; only after its code matched."""
    return container.seal(box, container.LINK, canonical.encode(_Given.of(given)), random)


def open_welcome(box: bytes, sealed: bytes) -> Welcome:
    """Open what was given to this device; InvalidMessage if it is not for it, or malformed."""
    try:
        return canonical.decode(container.open_(box, container.LINK, sealed), _Given).welcome
    except (canonical.Malformed, canonical.Newer) as error:
        raise InvalidMessage from error


def check_welcome(beginning: Beginning, link: Link, given: Welcome) -> DeviceList:
    """The list, if key and list fit the answer and this device stands on it as it is; InvalidKey otherwise."""
    own = read_offer(beginning.invitation, beginning.offer)
    try:
        devices = verify_signed(given.signed, link.account, link.account_key)
    except BadList as error:
        raise InvalidKey from error
    listed = devices.find(own.device)
    if KeyPair.from_private(given.account_private).public != link.account_key or listed is None:
        raise InvalidKey
    if (listed.identity, listed.registration_id) != (own.identity, own.registration_id):
        raise InvalidKey
    return devices


def _link(invitation: Invitation, answer: bytes, secrets: bytes) -> Link:
    if len(answer) != ANSWER_BYTES:
        raise InvalidMessage
    transcript = sha256(_TRANSCRIPT_LABEL + invitation.id + invitation.x_n.u + invitation.offer_hash + answer)
    derived = hkdf(transcript, secrets, _INFO, 64)
    number = int.from_bytes(hmac_sha256(derived[32:], b"code")[:8], "big") % 10**CODE_DIGITS
    account_key = PublicKey.deserialize(answer[-PUBLIC_KEY_BYTES:])
    return Link(answer[1120:1136], account_key, f"{number:0{CODE_DIGITS}}", derived[:32])


def _public(u: bytes) -> PublicKey:
    """A key that travels as its coordinate alone, with the checks of every other."""
    return PublicKey.deserialize(_X25519_TYPE + u)
