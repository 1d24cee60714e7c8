"""What the checks of the architecture read: modules, their imports and their SQL. Each check takes text, so that it can
be shown a planted violation as well as the real files.
"""

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "aparte"
SERVER = SOURCE / "server"
SQL = re.compile(r"\b(?:SELECT\s|INSERT INTO\s|UPDATE \w+ SET\s|DELETE FROM\s|TRUNCATE\s|LOCK TABLE\s)")


@dataclass(frozen=True)
class Module:
    """One file below `src/aparte`, or one that a test made up."""

    name: str
    """Its path below `aparte`, as `server/messages/store.py`."""
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders and file name without its suffix."""
        return Path(self.name).with_suffix("").parts

    @property
    def slice(self) -> str:
        """The folder of the server that it is in, or nothing."""
        return self.parts[1] if self.parts[0] == "server" and len(self.parts) > 2 else ""

    def line(self, number: int) -> str:
        """One line of the text."""
        return self.text.splitlines()[number - 1]


def modules(folder: str = "") -> list[Module]:
    """Every module below a folder of the package."""
    return [Module(str(path.relative_to(SOURCE)), path.read_text()) for path in sorted((SOURCE / folder).rglob("*.py"))]


def offenders(check: Callable[[Module], Sequence[object]], among: Iterable[Module]) -> dict[str, Sequence[object]]:
    """Give what a check finds, by module; nothing is what one hopes for."""
    return {module.name: found for module in among if (found := check(module))}


def imported(module: Module) -> set[str]:
    """Full names of all that a module imports, wherever the import stands: `aparte.wire.ids.EntryId`."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def called(module: Module) -> list[tuple[str, int]]:
    """Names of everything called, with lines: `print`, `asyncio.create_task`, `….create_task` by its last part."""
    return [
        (node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node.lineno)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]


def docstrings(tree: ast.Module) -> set[int]:
    """Lines on which docstrings, and strings that stand alone, begin."""
    return {
        node.value.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def statements(module: Module) -> list[str]:
    """Strings of a module that are SQL."""
    prose = docstrings(module.tree)
    return [
        node.value
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.lineno not in prose
        and SQL.search(node.value)
    ]
