"""Safety numbers: what two people compare to know that nobody sits between them (Signal's version 2).

Computed over the account key and the account id of both, so it stays when devices come and go.
"""

from dataclasses import dataclass

from aparte.e2ee import protobuf
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.primitives import constant_time_equal, sha512

VERSION = 2
ITERATIONS = 5_200

_FORMAT = b"\x00\x00"
_HASH_BYTES = 32
_GROUPS, _GROUP_BYTES, _GROUP_DIGITS = 6, 5, 5
_SCANNABLE_BYTES_MAX = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """One of the two: a stable identifier (16 bytes of account id) and the account key."""

    identifier: bytes
    key: PublicKey


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A safety number: 60 digits to read to each other, and bytes to show as a QR code."""

    display: str
    scannable: bytes

    def matches(self, scanned: bytes) -> bool:
        """Whether the other's code shows the same two keys, crosswise; InvalidMessage if it is no such code."""
        ours_local, ours_remote = _read_scannable(self.scannable)
        theirs_local, theirs_remote = _read_scannable(scanned)
        own_seen = constant_time_equal(ours_local, theirs_remote)
        peer_seen = constant_time_equal(ours_remote, theirs_local)
        return own_seen and peer_seen


def compute(local: Identity, remote: Identity) -> Fingerprint:
    """The safety number of two parties; takes some milliseconds, by intent."""
    ours, theirs = _hash(local), _hash(remote)
    display = "".join(sorted((_digits(ours), _digits(theirs))))
    scannable = protobuf.encode(
        (1, VERSION),
        (2, protobuf.encode((1, ours[:_HASH_BYTES]))),
        (3, protobuf.encode((1, theirs[:_HASH_BYTES]))),
    )
    return Fingerprint(display, scannable)


def _hash(identity: Identity) -> bytes:
    """5,200 times SHA-512; 64 bytes."""
    key = identity.key.serialize()
    digest = sha512(_FORMAT + key + identity.identifier + key)
    for _ in range(ITERATIONS - 1):
        digest = sha512(digest + key)
    return digest


def _digits(digest: bytes) -> str:
    """The first 30 bytes as 30 digits."""
    groups = (digest[i * _GROUP_BYTES : (i + 1) * _GROUP_BYTES] for i in range(_GROUPS))
    return "".join(f"{int.from_bytes(group, 'big') % 10**_GROUP_DIGITS:05}" for group in groups)


def _read_scannable(data: bytes) -> tuple[bytes, bytes]:
    """The local and the remote hash of a code, 32 bytes each."""
    if len(data) > _SCANNABLE_BYTES_MAX:
        raise InvalidMessage
    fields = protobuf.decode(data, frozenset({1, 2, 3}))
    hashes = [protobuf.decode(fields.blob(number), frozenset({1})).blob(1) for number in (2, 3)]
    if fields.uint32(1) != VERSION or any(len(digest) != _HASH_BYTES for digest in hashes):
        raise InvalidMessage
    return hashes[0], hashes[1]
