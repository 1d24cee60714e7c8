"""`python -m aparte.e2ee.party`: named parties that speak the Signal protocol over JSON lines, for tests.

One request a line on standard input, `{id, op, …}`, one answer a line on standard output, `{id, …}` or
`{id, error}`; bytes are base64. The same language is spoken by a party around the official library, so any two
implementations can be tested against each other. Every state goes through its bytes between two requests. This
is the only module of the package that touches the outside: it is a program, and nothing imports it.
"""

import base64
import secrets
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from aparte.e2ee import fingerprint, group, prekeys, session
from aparte.e2ee.bundle import Bundle
from aparte.e2ee.devices import REGISTRATION_ID_MAX, Address, OwnDevice, PeerDevice
from aparte.e2ee.errors import E2eeError, InvalidMessage, InvalidSignature, NoSession
from aparte.e2ee.group import Distribution, OwnChain, SenderKeyMessage, SenderKeyRecord
from aparte.e2ee.keys import KemPublicKey, KeyPair, PublicKey
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage
from aparte.e2ee.prekeys import OneTimeIds, Prekeys, Stock
from aparte.e2ee.session import Parties, SessionRecord

Answer = dict[str, Any]

_random = secrets.token_bytes


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One line of input; what an operation does not name is not there."""

    id: int
    op: str
    name: str = ""
    peer: str = ""
    otp: bool = True
    b: Answer = {}
    type: int = 0
    body: bytes = b""
    data: bytes = b""
    dist: str = ""
    key: bytes = b""
    sig: bytes = b""
    iterations: int = 0
    version: int = 0
    lid: bytes = b""
    lkey: bytes = b""
    rid: bytes = b""
    rkey: bytes = b""


class Party:
    """One device with everything it keeps, all of it as bytes."""

    def __init__(self, name: str) -> None:
        identity = KeyPair.generate(_random)
        registration_id = 1 + secrets.randbelow(REGISTRATION_ID_MAX)
        self._own = OwnDevice(Address.parse(name), registration_id, identity)
        self._prekeys = prekeys.create(identity, _now(), _random).serialize()
        self._stock: deque[OneTimeIds] = deque()
        self._identities: dict[str, PublicKey] = {}
        self._records: dict[str, bytes] = {}
        self._chains: dict[str, bytes] = {}
        self._sender_keys: dict[tuple[str, bytes], bytes] = {}

    def new(self, _: Request) -> Answer:
        """Nothing more to do than to tell the identity key."""
        return {"identity": _text(self._own.identity.public.serialize())}

    def bundle(self, request: Request) -> Answer:
        """Play the server: hand out prekeys, one-time ones only once."""
        own = Prekeys.deserialize(self._prekeys)
        handed_out = None
        if request.otp:
            if not self._stock:
                own = self._refill(own)
            handed_out = self._stock.popleft()
        return _write_bundle(prekeys.bundle(own, self._own, handed_out))

    def renew(self, _: Request) -> Answer:
        """A week passes."""
        own = Prekeys.deserialize(self._prekeys)
        later = own.signed[-1].made_at + prekeys.RENEWAL_MS
        self._prekeys = prekeys.renew(own, self._own.identity, later, _random).serialize()
        return {}

    def process(self, request: Request) -> Answer:
        """Set up a session from a bundle."""
        bundle = _read_bundle(request.b)
        parties = self._parties(request.peer, bundle.identity)
        self._save(request.peer, session.initiate(self._record(request.peer), parties, bundle, _random))
        self._identities[request.peer] = bundle.identity
        return {}

    def encrypt(self, request: Request) -> Answer:
        """Encrypt to a peer."""
        record = self._record(request.peer)
        if record is None:
            raise NoSession
        record, kind, body = session.encrypt(record, request.data, _random)
        self._save(request.peer, record)
        return {"type": kind, "body": _text(body)}

    def decrypt(self, request: Request) -> Answer:
        """Decrypt a message or a first message of a peer, whose identity is believed the first time."""
        if request.type == MESSAGE_TYPE:
            record, plaintext = session.decrypt(self._record(request.peer), request.body, _random)
        elif request.type == FIRST_MESSAGE_TYPE:
            first = FirstMessage.deserialize(request.body)
            parties = self._parties(request.peer, first.identity)
            own = Prekeys.deserialize(self._prekeys)
            known = self._record(request.peer)
            record, plaintext, own = session.accept(known, parties, own, first, _random)
            self._prekeys = own.serialize()
            self._identities[request.peer] = first.identity
        else:
            raise InvalidMessage
        self._save(request.peer, record)
        return {"data": _text(plaintext)}

    def skdm(self, request: Request) -> Answer:
        """Give away our chain of a group, from its next message on."""
        return {"body": _text(group.distribute(self._chain(request.dist)))}

    def rekey(self, request: Request) -> Answer:
        """Start a new chain in a group with the next use."""
        self._chains.pop(request.dist, None)
        return {}

    def skprocess(self, request: Request) -> Answer:
        """Keep a chain that a peer gave us."""
        distribution = Distribution.deserialize(request.body)
        key = (request.peer, distribution.distribution_id)
        self._sender_keys[key] = group.process(self._sender_key(key), distribution).serialize()
        return {}

    def gencrypt(self, request: Request) -> Answer:
        """Encrypt to a group."""
        chain, body = group.encrypt(self._chain(request.dist), request.data, _random)
        self._chains[request.dist] = chain.serialize()
        return {"body": _text(body)}

    def gdecrypt(self, request: Request) -> Answer:
        """Decrypt a group message of a peer."""
        message = SenderKeyMessage.deserialize(request.body)
        key = (request.peer, message.distribution_id)
        record, plaintext = group.decrypt(self._sender_key(key), message)
        self._sender_keys[key] = record.serialize()
        return {"data": _text(plaintext)}

    def _refill(self, own: Prekeys) -> Prekeys:
        known = {key.id for key in own.one_time}
        known_kem = {key.id for key in own.one_time_kem}
        own = prekeys.refill(own, self._own.identity, Stock(0, 0), _random)
        self._prekeys = own.serialize()
        fresh = [key.id for key in own.one_time if key.id not in known]
        fresh_kem = [key.id for key in own.one_time_kem if key.id not in known_kem]
        self._stock.extend(OneTimeIds(*ids) for ids in zip(fresh, fresh_kem, strict=True))
        return own

    def _parties(self, peer: str, offered: PublicKey) -> Parties:
        identity = self._identities.get(peer, offered)
        return Parties(self._own, PeerDevice(Address.parse(peer), identity))

    def _record(self, peer: str) -> SessionRecord | None:
        data = self._records.get(peer)
        return None if data is None else SessionRecord.deserialize(data)

    def _save(self, peer: str, record: SessionRecord) -> None:
        self._records[peer] = record.serialize()

    def _chain(self, dist: str) -> OwnChain:
        if dist not in self._chains:
            self._chains[dist] = group.start(uuid.UUID(dist), _now(), _random).serialize()
        return OwnChain.deserialize(self._chains[dist])

    def _sender_key(self, key: tuple[str, bytes]) -> SenderKeyRecord | None:
        data = self._sender_keys.get(key)
        return None if data is None else SenderKeyRecord.deserialize(data)


def _fingerprint(request: Request) -> Answer:
    if (request.iterations, request.version) != (fingerprint.ITERATIONS, fingerprint.VERSION):
        raise InvalidMessage
    local = fingerprint.Identity(request.lid, PublicKey.deserialize(request.lkey))
    remote = fingerprint.Identity(request.rid, PublicKey.deserialize(request.rkey))
    number = fingerprint.compute(local, remote)
    return {"display": number.display, "scannable": _text(number.scannable)}


def _verify(request: Request) -> Answer:
    try:
        PublicKey.deserialize(request.key).verify(request.data, request.sig)
    except InvalidSignature:
        return {"ok": False}
    return {"ok": True}


def _write_bundle(bundle: Bundle) -> Answer:
    answer = {
        "registrationId": bundle.registration_id,
        "deviceId": bundle.device,
        "identity": _text(bundle.identity.serialize()),
        "spkId": bundle.signed_id,
        "spk": _text(bundle.signed.serialize()),
        "spkSig": _text(bundle.signed_signature),
        "pqId": bundle.kem_id,
        "pq": _text(bundle.kem.serialize()),
        "pqSig": _text(bundle.kem_signature),
    }
    if bundle.one_time is not None:
        answer |= {"opkId": bundle.one_time_id, "opk": _text(bundle.one_time.serialize())}
    return answer


def _read_bundle(answer: Answer) -> Bundle:
    bundle = Bundle(
        registration_id=answer["registrationId"],
        device=answer["deviceId"],
        identity=PublicKey.deserialize(_bytes(answer["identity"])),
        signed_id=answer["spkId"],
        signed=PublicKey.deserialize(_bytes(answer["spk"])),
        signed_signature=_bytes(answer["spkSig"]),
        kem_id=answer["pqId"],
        kem=KemPublicKey.deserialize(_bytes(answer["pq"])),
        kem_signature=_bytes(answer["pqSig"]),
    )
    if "opk" not in answer:
        return bundle
    one_time = PublicKey.deserialize(_bytes(answer["opk"]))
    return replace(bundle, one_time_id=answer["opkId"], one_time=one_time)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _now() -> int:
    return time.time_ns() // 1_000_000


_FREE: dict[str, Callable[[Request], Answer]] = {"fingerprint": _fingerprint, "verify": _verify}
_NAMED: dict[str, Callable[[Party, Request], Answer]] = {
    "new": Party.new,
    "bundle": Party.bundle,
    "renew": Party.renew,
    "process": Party.process,
    "encrypt": Party.encrypt,
    "decrypt": Party.decrypt,
    "skdm": Party.skdm,
    "rekey": Party.rekey,
    "skprocess": Party.skprocess,
    "gencrypt": Party.gencrypt,
    "gdecrypt": Party.gdecrypt,
}


def answer(parties: dict[str, Party], request: Request) -> Answer:
    """Do what one request asks for; a refusal is answered by the name of its error."""
    try:
        if request.op in _FREE:
            return {"id": request.id, **_FREE[request.op](request)}
        if request.op == "new":
            parties[request.name] = Party(request.name)
        return {"id": request.id, **_NAMED[request.op](parties[request.name], request)}
    except E2eeError as error:
        return {"id": request.id, "error": type(error).__name__}


def main() -> None:
    """Answer until standard input ends."""
    parties: dict[str, Party] = {}
    decoder = msgspec.json.Decoder(Request)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(answer(parties, decoder.decode(line))) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
