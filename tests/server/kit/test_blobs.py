"""The folder of blobs: what is put is read, what is gone is gone, and what ails a disk has a name."""

import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from aparte.server.kit.blobs import Blobs
from aparte.wire.errors import Refusal

SOON = timedelta(minutes=1)


async def named(blobs: Blobs, before: datetime) -> set[UUID]:
    """Everything that is there since before a moment."""
    return {blob async for batch in blobs.older_than(before) for blob in batch}


async def test_what_is_put_is_read_until_it_is_deleted(tmp_path: Path) -> None:
    blobs, blob = Blobs(tmp_path / "objects"), uuid4()
    assert await blobs.get(blob) is None
    await blobs.put(blob, b"sealed" * 40_000)
    assert await Blobs(tmp_path / "objects").get(blob) == b"sealed" * 40_000
    await blobs.delete(blob)
    assert await blobs.get(blob) is None
    await blobs.delete(blob)


async def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "far" / "objects")
    blobs.check()
    assert stat.S_IMODE((tmp_path / "far" / "objects").stat().st_mode) == 0o700
    assert await named(blobs, datetime.now(UTC) + SOON) == set()


async def test_old_ones_are_named_and_what_is_not_ours_is_left_out(tmp_path: Path) -> None:
    blobs, some = Blobs(tmp_path), [uuid4() for _ in range(60)]
    for blob in some:
        await blobs.put(blob, b"x")
    (tmp_path / "notes").write_text("of somebody")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / uuid4().hex).write_text("misplaced")
    assert await named(blobs, datetime.now(UTC) + SOON) == set(some)
    assert await named(blobs, datetime.now(UTC) - SOON) == set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("no right to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_said(small_disk: Path) -> None:
    blobs, blob = Blobs(small_disk), uuid4()
    with pytest.raises(Refusal) as refused:
        await blobs.put(blob, bytes(262_144))
    assert (refused.value.code, refused.value.retry_after) == ("storage_full", 10)
    assert await blobs.get(blob) is None
    await blobs.put(blob, b"fits")


async def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blobs = Blobs(tmp_path / "file" / "objects")
    with pytest.raises(OSError, match="Not a directory"):
        blobs.check()
    for work in (blobs.put(uuid4(), b"x"), blobs.get(uuid4()), blobs.delete(uuid4())):
        with pytest.raises(Refusal, match="unavailable"):
            await work
