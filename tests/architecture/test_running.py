"""What runs by itself has an owner, what fails says so, and nothing grows without bound."""

import ast
import re

import pytest
from tests.architecture.sources import Module, called, modules, offenders

STARTERS = {"create_task", "ensure_future"}
TASKS = {
    "server/kit/tasks.py": "the owner of tasks",
    "server/kit/valkey.py": "keeps its own two loops, and ends them in close",
    "server/kit/channels.py": "one reader and one writer of one connection, awaited together",
    "server/jobs/runner.py": "runs one queue, and ends what it started before it returns",
    "server/realtime/gateway.py": "reads one socket until it closes, awaited by the handler that started it",
    "embedded/stopping.py": "waits for signals, cancelled on leaving",
    "embedded/supervisor.py": "waits for whichever comes first",
    "embedded/children.py": "keeps one child alive, cancelled by its stop",
    "client/sending.py": "a commit that must not be cancelled halfway",
    "client/client.py": "the outbox and the upkeep of one client, cancelled by its close",
    "client/parts.py": "the line of one client, cancelled by its close",
    "client/gateway.py": "a TaskGroup of the library, which owns them",
    "client/crypto/upkeep.py": "a TaskGroup of the library, which owns them",
    "cli/progress.py": "waits a moment before it says anything, cancelled when the work is done",
    "cli/running.py": "looks for notices beside a command that stays, cancelled when that ends",
    "bench/load.py": "measures, and ends with the run",
}
"""Where tasks are started outside of `kit.tasks`, and who ends them."""
QUEUES = {"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"}
BOUNDED = {
    "client/sending.py": "a semaphore of AHEAD slots stands before it",
    "bench/catchup.py": "one answer for each question",
}
"""Queues without a size whose bound is elsewhere."""
REASON = re.compile(r"#\s*(noqa: BLE001 - )?(?!noqa)\w+ \w+")
PRINTS = {
    "embedded/launch.py": "runs in place of a child, before any log exists",
    "bench/e2ee.py": "prints its figures",
    "bench/report.py": "prints its figures",
    "e2ee/party.py": "speaks over its standard output with the test that started it",
}


def orphans(module: Module) -> list[int]:
    """List lines that start a task nobody owns."""
    return [] if module.name in TASKS else [line for name, line in called(module) if name in STARTERS]


def swallowed(module: Module) -> list[int]:
    """List lines that catch everything without a reason, or raise again nothing of what they caught."""
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "everything"
        raises = any(isinstance(part, ast.Raise) and part.exc is None for part in ast.walk(node))
        broad = caught in {"everything", "BaseException", "Exception"}
        if broad and not raises and not REASON.search(module.line(node.lineno)):
            found.append(node.lineno)
    return found


def unbounded(module: Module) -> list[int]:
    """List lines that make a queue without a bound."""
    if module.name in BOUNDED:
        return []
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in QUEUES
        and not node.args
        and not any(keyword.arg == "maxsize" for keyword in node.keywords)
    ]


def printed(module: Module) -> list[int]:
    """List lines that print where people do not read."""
    if module.name in PRINTS or module.parts[0] == "cli":
        return []
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


CHECKS = {
    "a task without an owner: the event loop keeps only a weak reference, and its failure is never seen": orphans,
    "an exception swallowed without a reason: the bug behind it is found by users": swallowed,
    "a queue without a bound: a slow reader becomes a dead process": unbounded,
    "a print: it goes where no log is kept, and may carry what people wrote": printed,
}


@pytest.mark.parametrize("accident", CHECKS)
def test_does_not_happen(accident: str) -> None:
    assert offenders(CHECKS[accident], modules()) == {}, accident


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (orphans, "asyncio.create_task(f())"),
        (orphans, "loop.create_task(f())"),
        (orphans, "x = ensure_future(f())"),
        (swallowed, "try:\n    f()\nexcept Exception:\n    pass"),
        (swallowed, "try:\n    f()\nexcept:\n    log()"),
        (swallowed, "try:\n    f()\nexcept BaseException as error:\n    raise Other() from error"),
        (swallowed, "try:\n    f()\nexcept Exception:  # noqa: BLE001\n    pass"),
        (unbounded, "asyncio.Queue()"),
        (unbounded, "Queue[int]()\nq = asyncio.PriorityQueue()"),
        (printed, "print(token)"),
    ],
)
def test_a_planted_one_is_found(check: object, text: str) -> None:
    assert callable(check)
    assert check(Module("server/messages/writer.py", text))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (swallowed, "try:\n    f()\nexcept BaseException:\n    undo()\n    raise"),
        (
            swallowed,
            "try:\n    f()\nexcept Exception:  # noqa: BLE001 - a round may fail\n    pass",
        ),
        (unbounded, "asyncio.Queue(maxsize=10)"),
        (printed, "console.print(1)"),
    ],
)
def test_what_is_right_is_left_alone(check: object, text: str) -> None:
    assert callable(check)
    assert check(Module("server/messages/writer.py", text)) == []


def test_exceptions_are_still_needed() -> None:
    """An exception that outlives its reason is a hole nobody remembers."""
    texts = {module.name: module for module in modules()}
    for name in TASKS:
        assert any(called_name in STARTERS for called_name, _ in called(texts[name])), name
    for name in BOUNDED:
        assert "Queue()" in texts[name].text, name
    for name in PRINTS:
        assert "print(" in texts[name].text, name
