"""Passwords: Argon2id in threads, few at a time, so that a flood of logins takes neither the memory nor the loop.

bcrypt hashes of imported accounts are verified; whatever is not made with the present settings is renewed at the next
login (C-04, G-27). Passwords are hashed in NFC (RFC 8265, 4.2): keyboards differ in how they write an accent.
"""

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import argon2
import bcrypt

from aparte.wire.errors import Refusal

T = TypeVar("T")
BCRYPT_BYTES = 72
"""bcrypt has always ignored what comes after; its library now wants it cut."""


@dataclass(frozen=True, slots=True)
class Hashing:
    """How passwords are hashed."""

    algorithm: Literal["argon2id", "bcrypt"] = "argon2id"
    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 1
    bcrypt_cost: int = 12
    at_once: int = 2
    wait_seconds: float = 2.0
    """How long a login waits for its turn before it is told to come back."""


class Passwords:
    """Hashes and verifies; one per process."""

    def __init__(self, hashing: Hashing | None = None) -> None:
        """Prepare threads; they start when needed."""
        self._how = hashing or Hashing()
        self._argon2 = argon2.PasswordHasher(self._how.passes, self._how.memory_kib, self._how.lanes)
        self._turns = asyncio.Semaphore(self._how.at_once)
        self._threads = ThreadPoolExecutor(self._how.at_once, "password")
        self._nobodys = self._make_nobodys_hash()

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Hash a new password with a salt of its own. Refuses with `unavailable` when too many others wait."""
        data = _bytes(password)
        if self._how.algorithm == "bcrypt":
            salt = bcrypt.gensalt(self._how.bcrypt_cost)
            return await self._in_thread(lambda: bcrypt.hashpw(data[:BCRYPT_BYTES], salt).decode())
        return await self._in_thread(lambda: self._argon2.hash(data))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Verify a password. Without a hash nothing matches, at the same cost as if there were one."""
        data = _bytes(password)
        right = await self._in_thread(lambda: _verify(self._argon2, hashed or self._nobodys, data))
        return right and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Tell whether a hash was made otherwise than new ones are."""
        if self._how.algorithm == "bcrypt":
            return not hashed.startswith(f"$2b${self._how.bcrypt_cost:02}$")
        return not hashed.startswith("$argon2id$") or self._argon2.check_needs_rehash(hashed)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._how.wait_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise Refusal("unavailable", "too many logins at once", retry_after=self._how.wait_seconds) from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._turns.release()

    def _make_nobodys_hash(self) -> str:
        """Make up a hash of no password: verifying against it takes as long as against a real one."""
        if self._how.algorithm == "bcrypt":
            return bcrypt.gensalt(self._how.bcrypt_cost).decode() + "a" * 31
        salt, digest = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
        return f"$argon2id$v=19$m={self._how.memory_kib},t={self._how.passes},p={self._how.lanes}${salt}${digest}"


def _bytes(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode()


def _verify(hasher: argon2.PasswordHasher, hashed: str, password: bytes) -> bool:
    """Compare; a hash that is none, as imports may bring, matches nothing."""
    try:
        if hashed.startswith("$2"):
            return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed.encode())
        return hasher.verify(hashed, password)
    except (argon2.exceptions.VerificationError, ValueError):
        return False
