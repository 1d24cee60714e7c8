"""Modules stay small and say what they are for.

A size limit that is only an intention ends in one file of four thousand lines where the central verb lives.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
MODULE_LINES = 400
FUNCTION_LINES = 50
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "manager.py", "base.py"}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert path.name not in FORBIDDEN_NAMES, "a drawer, not a concept"
    assert ast.get_docstring(tree), "the module has no docstring"
    assert text.count("\n") <= MODULE_LINES
    for function in functions(tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= FUNCTION_LINES, f"{function.name} has {length} lines"
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"class {node.name} has no docstring"
