"""The page of invariants: every guarantee of the threat model has rows, and every row a place and a test that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security-invariants.md").read_text()
MODEL = (ROOT / "docs" / "threat-model.md").read_text()
LATER = {"G6", "G12", "G15", "G17"}
HEADER = "| what holds | where | test | what would break it |"
SECRETS = re.compile(r"(^|_)(mac|tag|token|commitment|secret|password|passphrase|expected)(_|$)")


def sections() -> dict[str, str]:
    """The page by headings; a guarantee's is its number."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    return {re.match(r"G\d+|[^\n]+", part)[0]: part for part in parts}  # type: ignore[index]


def rows(section: str) -> list[list[str]]:
    """The rows of a section's table, cell by cell."""
    lines = [line for line in section.splitlines() if line.startswith("| ") and line != HEADER]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if not line.startswith("| ---")]


def test_the_guarantees_are_those_of_the_threat_model() -> None:
    promised = dict(re.findall(r"^\| (G\d+) \| .+ \| (holds|later)[^|]*\|$", MODEL, re.MULTILINE))
    assert [name for name in sections() if name != "Further invariants"] == list(promised)
    assert {name for name, standing in promised.items() if standing == "later"} == LATER
    for name in LATER:
        assert "Later" in sections()[name]


@pytest.mark.parametrize("name", [name for name in sections() if name not in LATER])
def test_every_row_has_a_place_a_test_and_a_danger(name: str) -> None:
    found = rows(sections()[name])
    assert found
    assert HEADER in sections()[name]
    for cells in found:
        what, where, tests, danger = cells
        assert what
        assert danger, what
        places = re.findall(r"`(src/[^`]+)`", where)
        assert places, what
        assert all((ROOT / place).is_file() for place in places), f"{what}: {where}"
        named = re.findall(r"`(tests/[^`]+\.py): (test_\w+)`", tests)
        assert named, what
        for path, test in named:
            assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}: {test}"


@pytest.mark.parametrize("name", [name for name in sections() if name not in LATER])
def test_what_a_row_names_inside_of_a_file_is_there(name: str) -> None:
    for cells in rows(sections()[name]):
        for place, symbol in re.findall(r"`(src/[^`]+\.py)` \(`(\w+)`\)", cells[1]):
            assert symbol in (ROOT / place).read_text(), f"{place}: {symbol}"


# Constant time ----------------------------------------------------------------------------------------------------


def compared(tree: ast.AST) -> Iterator[str]:
    """The names on either side of == and != that sound like something somebody outside may guess."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            for side in (node.left, *node.comparators):
                name = side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""
                if SECRETS.search(name):
                    yield name


def test_secrets_are_compared_in_constant_time() -> None:
    package = ROOT / "src" / "aparte"
    places = [package / "e2ee", package / "client" / "crypto", package / "server" / "authentication"]
    places += [package / "server" / "sessions", package / "server" / "keys", package / "server" / "linking"]
    for path in (path for place in places for path in place.rglob("*.py")):
        assert list(compared(ast.parse(path.read_text()))) == [], path


def test_a_planted_comparison_is_found() -> None:
    assert list(compared(ast.parse("ok = row.token == given and len(tag) != 32"))) == ["token"]
