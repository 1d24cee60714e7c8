"""The page of features: each row names tests that exist, and no requirement that concerns people is left out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "features.md").read_text()
PROMISED, NOT_YET = PAGE.split("## Not here yet, or not at all\n")
CONCERN_PEOPLE = {*range(97, 259), *range(314, 330)}


def rows(text: str) -> list[list[str]]:
    """The rows of all tables, cell by cell."""
    lines = [line.strip("|") for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    return [row for row in cells if row[0] not in {"what", "---"}]


def numbers(cell: str) -> set[int]:
    """The requirements of a cell."""
    return {int(number) for number in re.findall(r"\bR-(\d{3})\b", cell)}


@pytest.mark.parametrize("row", rows(PROMISED), ids=lambda row: row[0][:60])
def test_every_promise_is_shown_by_tests_that_exist(row: list[str]) -> None:
    what, shown_by, _ = row
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", shown_by)
    assert what
    assert len(named) == shown_by.count("`") / 2 > 0
    for path, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_no_requirement_that_concerns_people_is_left_out() -> None:
    met = set().union(*(numbers(row[2]) for row in rows(PROMISED)))
    later = set().union(*(numbers(row[1]) for row in rows(NOT_YET)))
    assert met | later == CONCERN_PEOPLE
    assert not met & later
