"""Tokens: derived from the session and the server's key, so that a lost answer can be given again, and stored nowhere.

refresh = base64url(session id · generation · MAC), access = base64url(session id · access id · MAC), each MAC an
HMAC-SHA256 under the server's key with a label of its own. Ids are 16 bytes, the generation 4, big-endian.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple
from uuid import UUID

from aparte.wire.errors import Refusal
from aparte.wire.ids import SessionId

KEY_BYTES = 32
MAC_BYTES = 32
REFRESH = b"aparte-refresh-v1"
ACCESS = b"aparte-access-v1"
NAME = b"aparte-login-v1"


class RefreshToken(NamedTuple):
    """What a refresh token says, once its MAC is verified."""

    session: SessionId
    generation: int


class AccessToken(NamedTuple):
    """What an access token says, once its MAC is verified."""

    session: SessionId
    access_id: UUID


class Tokens:
    """Makes and reads tokens with the server's key."""

    def __init__(self, key: bytes) -> None:
        """Take the server's key, at least 32 bytes."""
        if len(key) < KEY_BYTES:
            raise ValueError(f"the server's key must have at least {KEY_BYTES} bytes")
        self._key = key

    def refresh(self, session: UUID, generation: int) -> str:
        """Derive the refresh token of a generation."""
        return self._sealed(REFRESH, session.bytes + generation.to_bytes(4))

    def access(self, session: UUID, access_id: UUID) -> str:
        """Derive an access token."""
        return self._sealed(ACCESS, session.bytes + access_id.bytes)

    def read_refresh(self, token: str) -> RefreshToken:
        """Verify a refresh token, or refuse with `unauthenticated`."""
        said = self._opened(REFRESH, token, 20)
        return RefreshToken(SessionId(UUID(bytes=said[:16])), int.from_bytes(said[16:]))

    def read_access(self, token: str) -> AccessToken:
        """Verify an access token, or refuse with `unauthenticated`."""
        said = self._opened(ACCESS, token, 32)
        return AccessToken(SessionId(UUID(bytes=said[:16])), UUID(bytes=said[16:]))

    def name_key(self, name: str) -> bytes:
        """Make a key for a login name that hides it: people type passwords into the wrong field."""
        return self._mac(NAME, name.encode("utf-8", "surrogatepass"))

    def _sealed(self, label: bytes, said: bytes) -> str:
        return base64.urlsafe_b64encode(said + self._mac(label, said)).rstrip(b"=").decode()

    def _opened(self, label: bytes, token: str, length: int) -> bytes:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raise Refusal("unauthenticated") from None
        said, mac = raw[:length], raw[length:]
        # Encoding again refuses the other spellings that lenient base64 would let pass as the same token.
        right = hmac.compare_digest(mac, self._mac(label, said)) and len(said) == length
        if not right or not hmac.compare_digest(self._sealed(label, said).encode(), token.encode()):
            raise Refusal("unauthenticated")
        return said

    def _mac(self, label: bytes, said: bytes) -> bytes:
        return hmac.digest(self._key, label + said, "sha256")


def stored(refresh_token: str) -> str:
    """Hash a refresh token as it is stored: SHA-256 is right for a token of 256 random bits (C-18)."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()
