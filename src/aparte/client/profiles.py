"""Profiles: one folder each below APARTE_HOME, with the store, its key if no passphrase was given, and lock files.

APARTE_HOME/NAME/store.db    the SQLCipher store, 0600
APARTE_HOME/NAME/store.key   32 random bytes, 0600; only in profiles that were made without a passphrase
APARTE_HOME/NAME/*.lock      locks between processes of the profile
"""

import fcntl
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aparte.client.errors import ClientError, NotSignedIn
from aparte.client.store.db import Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of profiles: APARTE_HOME, else the platform's place for data of programs."""
    if chosen := environ.get("APARTE_HOME"):
        return Path(chosen)
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "aparte"


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one profile."""

    path: Path

    @classmethod
    def of(cls, name: str, where: Path | None = None) -> "Folder":
        """Name a profile's folder. Raises ClientError `bad_profile_name`."""
        if not NAME.fullmatch(name):
            raise ClientError("bad_profile_name", name)
        return cls((where or home()) / name)

    @property
    def store(self) -> Path:
        """The store's file."""
        return self.path / "store.db"

    @property
    def key(self) -> Path:
        """The key file, if the profile was made without a passphrase."""
        return self.path / "store.key"

    def lock(self, name: str) -> Path:
        """The file of a lock between processes."""
        return self.path / f"{name}.lock"

    @property
    def exists(self) -> bool:
        """Whether there is a profile here."""
        return self.store.exists()

    def open(self, passphrase: str | None, *, create: bool) -> Store:
        """Open the profile's store, or make one. Raises ClientError.

        A profile made without a passphrase opens with its key file; APARTE_PASSPHRASE stands in for `passphrase`.
        """
        if not create and not self.exists:
            raise NotSignedIn("no_profile", self.path.name)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        file = os.open(self.lock("open"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            return Store(self.store, self._key_or(passphrase or os.environ.get("APARTE_PASSPHRASE")))
        finally:
            os.close(file)

    def _key_or(self, passphrase: str | None) -> bytes | str:
        if self.key.exists():
            return self.key.read_bytes()
        if passphrase:
            return passphrase
        if self.exists:
            raise ClientError("passphrase_needed")
        key = secrets.token_bytes(32)
        unfinished = self.path / "store.key.new"
        unfinished.unlink(missing_ok=True)
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(key)
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(self.key)
        return key
