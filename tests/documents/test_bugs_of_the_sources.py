"""The list of known mistakes names tests that exist, and leaves no number out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| B-(\d{3}) \| ([^|]+) \| (.+) \|$", (ROOT / "docs/bugs-of-the-sources.md").read_text(), re.MULTILINE
)


def test_every_number_is_there_once() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 144))


def test_every_row_has_a_test_that_exists_or_a_reason() -> None:
    for number, _, held_by in ROWS:
        named = re.findall(r"`(tests/[^`]+)::([^`]+)`", held_by)
        reason = re.match(r"(not here yet|cannot happen|not ours): \w+", held_by)
        assert named or reason, f"B-{number} is held by nothing"
        for path, name in named:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (
                f"B-{number}: {path}::{name}"
            )


def test_what_tests_say_of_a_mistake_is_in_the_list() -> None:
    listed = {number: held_by for number, _, held_by in ROWS}
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path == Path(__file__):
            continue
        for number in re.findall(r"\bB-(\d{3})\b", path.read_text()):
            assert path.relative_to(ROOT).as_posix() in listed[number], f"B-{number} is tested in {path}"
