"""Bytes that are too big for the database: files in one folder, each written once under a fresh name.

The folder is reached through `obstore`, which writes to a temporary name and renames; it never flushes, so this does,
the file and the names that lead to it, before `put` returns. What names a file is a row elsewhere: a file without one
is litter of a crash, and since no name is ever used again, it stays litter.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from aparte.wire.errors import Refusal

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = tuple(f"os error {number})" for number in sorted(FULL))


class Blobs:
    """The folder of one server; several processes, on several machines if it is shared, use it at once."""

    def __init__(self, folder: Path) -> None:
        """Remember where; the folder is made when it is first used."""
        self._folder = folder

    def check(self) -> None:
        """Make the folder, for this user alone, and write to it. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self._folder / f".probe-{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()

    async def put(self, blob: UUID, data: bytes) -> None:
        """Write a file for good. Refuses with `storage_full` or `unavailable`."""
        with _refused():
            await obstore.put_async(self._store, _name(blob), data)
            await asyncio.to_thread(self._flush, blob)

    async def get(self, blob: UUID) -> bytes | None:
        """Read a file; None if it is gone."""
        with _refused():
            try:
                found = await obstore.get_async(self._store, _name(blob))
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def delete(self, blob: UUID) -> None:
        """Delete a file; one that is gone already is no error."""
        with _refused():
            try:
                await obstore.delete_async(self._store, _name(blob))
            except FileNotFoundError:
                return

    async def older_than(self, moment: datetime) -> AsyncIterator[list[UUID]]:
        """Name the files that were written before a moment, in batches."""
        with _refused():
            async for batch in obstore.list(self._store):
                found = (_blob(one["path"]) for one in batch if one["last_modified"] < moment)
                yield [blob for blob in found if blob is not None]

    @cached_property
    def _store(self) -> LocalStore:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(self._folder)

    def _flush(self, blob: UUID) -> None:
        path = self._folder / _name(blob)
        for place in (path, path.parent, self._folder):
            handle = os.open(place, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _name(blob: UUID) -> str:
    """Spread the files over 256 folders, by the last byte: the first ones of a UUIDv7 are the time."""
    return f"{blob.hex[-2:]}/{blob.hex}"


def _blob(name: str) -> UUID | None:
    """Read a name back; None for what is not ours to touch."""
    try:
        blob = UUID(name.rpartition("/")[2])
    except ValueError:
        return None
    return blob if name == _name(blob) else None


@contextmanager
def _refused() -> Iterator[None]:
    """Say what ails the folder as PostgreSQL's troubles are said."""
    try:
        yield
    except (OSError, BaseError) as error:
        is_full = getattr(error, "errno", None) in FULL or any(word in str(error) for word in _FULL_WORDS)
        raise Refusal("storage_full" if is_full else "unavailable", retry_after=10 if is_full else 1) from error
