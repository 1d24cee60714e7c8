"""Slices meet each other through few doors.

Without this every slice reaches into the tables and rules of every other within a year: a rule is changed in one place
and asked in five, and the one that was forgotten is the hole.
"""

import pytest
from tests.architecture.sources import SERVER, Module, imported, modules, offenders

TOP = {"app", "startup", "routes", "calendar", "__main__", "health", "preconditions", "migrate", "config"}
"""Modules that stand above the slices and wire them."""
NO_SLICES = {"kit", "edge", "realtime", "openapi", "migrations"}
SLICES = {path.parent.name for path in SERVER.glob("*/__init__.py")} - NO_SLICES
PUBLIC = {"actions", "model", "errors"}
ALSO_PUBLIC = {
    "accounts.passwords": "the hasher, which authentication is handed by app",
    "sessions.tokens": "the maker of tokens, which authentication is handed by app",
}
DOORS = {"http", "room_http", "member_http", "frames", "rpc", "jobs"}
HANDED_TO_DOORS = {
    "messages.coverage": "who must have an envelope, handed by app",
    "messages.writer": "the batch writer, handed by app",
    "messages.pages": "Where, the place a page is asked for",
    "receipts.coalescer": "what collects marks, handed by app",
    "search.memory": "what a process remembers of searches, handed by app",
    "sessions.tokens": "the maker of tokens, handed by app",
}
TRANSACTIONS = {
    "server/jobs/schedule.py": "a step of the calendar is its own action",
    "server/presence/live.py": "a round of the heartbeat is its own action",
    "server/startup.py": "the first steps of a process happen before anybody can ask for them",
}
"""Where a transaction is opened outside of actions and jobs, and why."""


def reaching(module: Module) -> list[str]:
    """List the imports by which a slice, the edge or realtime reaches what is not theirs."""
    if module.slice not in SLICES | {"edge", "realtime", "openapi", "kit"}:
        return []
    found = []
    for name in sorted(imported(module)):
        parts = name.split(".")
        if parts[:2] != ["aparte", "server"] or len(parts) < 4 or parts[2] not in SLICES or parts[2] == module.slice:
            continue
        allowed = parts[3] in PUBLIC or ".".join(parts[2:4]) in ALSO_PUBLIC
        if not (allowed and module.slice in SLICES):
            found.append(name)
    return found


def short_cuts(module: Module) -> list[str]:
    """List what a door of a slice imports of its own slice beside actions, model and errors."""
    if module.slice not in SLICES or module.parts[-1] not in DOORS:
        return []
    own = f"aparte.server.{module.slice}."
    found = {".".join(name.split(".")[2:4]) for name in imported(module) if name.startswith(own)}
    return sorted(name for name in found - set(HANDED_TO_DOORS) if name.split(".")[1] not in PUBLIC)


def opening(module: Module) -> list[int]:
    """List the lines on which a transaction is opened where none may be."""
    inside = module.slice and ("actions" in module.parts or module.parts[-1] == "jobs")
    if inside or module.name in TRANSACTIONS or module.name == "server/kit/db.py":
        return []
    return [number for number, line in enumerate(module.text.splitlines(), 1) if ".transaction()" in line]


def test_a_slice_asks_others_through_their_actions_models_and_errors() -> None:
    assert offenders(reaching, modules("server")) == {}


def test_a_door_asks_the_actions() -> None:
    """A door that asks a store has decided something, and the other doors decide otherwise."""
    assert offenders(short_cuts, modules("server")) == {}


def test_transactions_are_opened_by_actions_and_jobs() -> None:
    """A transaction opened further down commits half a story; one further up holds locks while it talks to people."""
    assert offenders(opening, modules("server")) == {}


def test_actions_never_see_a_request_or_a_socket() -> None:
    """An action that knows its door does something else for the other door, and one of the two is forgotten."""
    for module in modules("server"):
        if module.slice in SLICES:
            assert not {name for name in imported(module) if name.startswith("aiohttp")}, module.name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("server/contacts/actions.py", "from aparte.server.accounts import store"),
        ("server/contacts/actions.py", "def f():\n    from aparte.server.accounts.rules import check_login"),
        ("server/messages/http.py", "import aparte.server.conversations.http"),
        ("server/edge/http.py", "from aparte.server.messages import actions"),
        ("server/realtime/hub.py", "from aparte.server.conversations.model import Standing"),
        ("server/kit/db.py", "from aparte.server.log.model import Head"),
    ],
)
def test_a_planted_reach_is_found(name: str, text: str) -> None:
    assert reaching(Module(name, text))


def test_a_planted_short_cut_is_found() -> None:
    planted = "from aparte.server.messages import store\nfrom aparte.server.messages.rules import check_edit"
    assert short_cuts(Module("server/messages/http.py", planted)) == ["messages.rules", "messages.store"]


@pytest.mark.parametrize("name", ["server/messages/http.py", "server/messages/store.py", "server/health.py"])
def test_a_planted_transaction_is_found(name: str) -> None:
    assert opening(Module(name, "async def f(db):\n    async with db.transaction() as tx:\n        pass")) == [2]


def test_exceptions_are_still_needed() -> None:
    """An exception that outlives its reason is a hole nobody remembers."""
    everywhere = {name for module in modules("server") for name in imported(module)}
    for public in {**ALSO_PUBLIC, **HANDED_TO_DOORS}:
        assert any(name.startswith(f"aparte.server.{public}") for name in everywhere)
    texts = {module.name: module.text for module in modules("server")}
    assert all(".transaction()" in texts[name] for name in TRANSACTIONS)
