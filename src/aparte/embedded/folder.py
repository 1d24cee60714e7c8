"""The data folder: its layout, its lock and its secrets. The layout is drawn in the package's docstring."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aparte.embedded.errors import CannotStart

LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A data folder that this process holds the lock of."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The PostgreSQL cluster."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Where Valkey runs."""
        return self.path / "valkey"

    @property
    def objects(self) -> Path:
        """Sealed objects that members of encrypted conversations have left for each other."""
        return self.path / "objects"

    @property
    def secrets(self) -> Path:
        """Passwords, keys and tokens, one file each."""
        return self.path / "secrets"

    def log(self, name: str) -> Path:
        """The log file of a child; one that has grown large becomes `name.log.1`, replacing the one before."""
        path = self.path / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        path.touch(mode=0o600)
        return path

    def secret(self, name: str) -> str:
        """The secret of that name; made (256 bits) at the first call and kept."""
        return self.secret_file(name).read_text()

    def secret_file(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> Path:
        """The file of a secret; made at the first call and kept."""
        path = self.secrets / name
        return path if path.exists() else self.write_secret(name, make())

    def write_secret(self, name: str, value: str) -> Path:
        """Put `value` in the secret's file, whole or not at all."""
        path = self.secrets / name
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync(self.secrets)
        return path


def sync(folder: Path) -> None:
    """Make the names in `folder` survive a power loss: a renamed file is kept, its name is not, until this."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def opened(path: Path) -> Iterator[DataFolder]:
    """Create what is missing of the folder and hold its lock.

    Raises `CannotStart` if another process holds it or the folder is not ours to use.
    """
    data = DataFolder(path.absolute())
    try:
        data.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(f"The data folder {data.path} cannot be used: {error.strerror}.") from None
    try:
        _take(lock, data.path)
        for folder in (data.path / "logs", data.secrets, data.objects):
            folder.mkdir(mode=0o700, exist_ok=True)
        yield data
    finally:
        os.close(lock)


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(
            f"The data folder {path} is in use by another Aparté that is running; stop that one first."
        ) from None
