"""`aparte.e2ee` does no IO, reads no clock and draws no randomness of its own, and has one door to the libraries.

Without this a test with a fixed seed proves little, a state may change behind its caller's back, and a second
cryptographic library comes in through a side door that nobody reviews.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "aparte" / "e2ee"
MODULES = sorted(ROOT.rglob("*.py"))
OUTSIDE = {"asyncio", "http", "io", "logging", "os", "pathlib", "random", "secrets", "select", "selectors"} | {
    "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "datetime"
}  # fmt: skip
CRYPTOGRAPHY = {"cryptography", "nacl", "hashlib", "hmac", "ssl"}
PROGRAM = {"party.py": {"secrets", "sys", "time"}}
"""The one program of the package stands at its border."""
DOOR = "primitives.py"
PURE_BUILTINS_MISSING = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}


def imported(tree: ast.Module) -> set[str]:
    """The first names of everything a module imports, wherever the import stands."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_of_e2ee_is_pure(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = imported(tree)
    assert not (names & OUTSIDE) - PROGRAM.get(path.name, set())
    if path.name != DOOR:
        assert not names & CRYPTOGRAPHY
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & PURE_BUILTINS_MISSING


def test_nothing_imports_the_program() -> None:
    for path in (ROOT.parent).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "aparte.e2ee.party"
                assert not (node.module == "aparte.e2ee" and any(alias.name == "party" for alias in node.names))


def test_the_rules_look_at_the_whole_package() -> None:
    assert {"primitives.py", "session.py", "ratchet.py", "group.py", "party.py"} <= {path.name for path in MODULES}
