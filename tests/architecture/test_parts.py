"""The parts of the package know each other in one direction only. What is about layers is in `.importlinter`."""

import pytest
from tests.architecture.sources import Module, imported, modules, offenders

import aparte.client

HOSTING = {"hosting.py", "bench.py"}
"""Commands that start servers or measure them know what they start."""
IMPURE = {"asyncio", "socket", "time", "random", "secrets", "os", "threading", "subprocess", "aiohttp", "sqlcipher3"}


def ours(module: Module) -> set[str]:
    """What a module imports of this package."""
    return {name for name in imported(module) if name.split(".")[0] == "aparte"}


def private(module: Module) -> list[str]:
    """List what the command line imports that its users could not."""
    if module.parts[0] not in {"cli", "tui"} or module.parts[-1] + ".py" in HOSTING:
        return []
    public = {f"aparte.client.{name}" for name in aparte.client.__all__} | {"aparte.client", "aparte.__version__"}
    own = (f"aparte.{module.parts[0]}.", "aparte.catalogue")
    return sorted(name for name in ours(module) - public if not name.startswith(own))


def backwards(module: Module) -> list[str]:
    """List imports between parts that must not know each other."""
    part = module.parts[0]
    closed: dict[str, tuple[str, ...]] = dict.fromkeys(("wire", "e2ee", "catalogue"), ("aparte.",))
    closed["server"] = ("aparte.client", "aparte.cli", "aparte.embedded")
    closed["client"] = ("aparte.server", "aparte.cli", "aparte.embedded")
    return sorted(n for n in ours(module) if n.startswith(closed.get(part, ())) and not n.startswith(f"aparte.{part}."))


def impure(module: Module) -> list[str]:
    """List what `client.core` may not touch: time and chance come in as arguments, so that tests can hold them."""
    if module.parts[:2] != ("client", "core"):
        return []
    return sorted(name for name in imported(module) if name.split(".")[0] in IMPURE)


def test_parts_know_each_other_in_one_direction() -> None:
    """A client that imports the server cannot be installed without PostgreSQL's driver; a wire that imports anything of
    ours cannot be generated from.
    """
    assert offenders(backwards, modules()) == {}


def test_the_command_line_uses_what_everybody_may_use() -> None:
    """Whatever the command line can do, a program of ten lines can do; else the SDK is a second-class citizen."""
    assert offenders(private, modules()) == {}


def test_the_core_of_the_client_is_pure() -> None:
    assert offenders(impure, modules()) == {}


@pytest.mark.parametrize(
    ("check", "name", "text"),
    [
        (backwards, "wire/ids.py", "from aparte.server.kit.clock import now"),
        (backwards, "wire/ids.py", "def f():\n    import aparte.e2ee.keys"),
        (backwards, "catalogue/__init__.py", "from aparte.wire.errors import CODES"),
        (backwards, "server/app.py", "from aparte.client import Client"),
        (backwards, "client/client.py", "from aparte.server.messages import model"),
        (backwards, "e2ee/keys.py", "from aparte.wire.ids import EntryId"),
        (private, "cli/send.py", "from aparte.client.core.sync import Sync"),
        (private, "cli/send.py", "from aparte.wire import frames"),
        (impure, "client/core/sync.py", "import time"),
        (impure, "client/core/sync.py", "from asyncio import sleep"),
    ],
)
def test_a_planted_import_is_found(check: object, name: str, text: str) -> None:
    assert callable(check)
    assert check(Module(name, text))
