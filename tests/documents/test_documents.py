"""Documents name what exists: files, tests, commands, packages. A document that is wrong once is not read again."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
    if (ROOT / name).exists()
] + sorted((ROOT / "docs").rglob("*.md"))
TOPS = ("src/", "tests/", "docs/", "tools/", "locks/")


def names(text: str) -> set[str]:
    """Files and folders that a page names in backticks, by their way from the root or from the server's package."""
    found = set()
    for span in re.findall(r"`([^`\n]+)`", text):
        path = span.split("::")[0].split(": ")[0]
        if re.fullmatch(r"[\w./-]+", path) and path.startswith(TOPS) and not path.endswith("…"):
            found.add(path)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for name in names(text):
        assert (ROOT / name).exists(), name
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if not re.match(r"https?://|mailto:", link):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tests_named_in_pages_exist(page: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::|: )(test_\w+)`", page.read_text()):
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}: {name}"


def test_the_checks_of_names_can_fail() -> None:
    assert names("`src/aparte/nowhere.py` and `tests/no_such.py::test_x`") == {
        "src/aparte/nowhere.py",
        "tests/no_such.py",
    }
    assert not (ROOT / "src/aparte/nowhere.py").exists()


def test_the_journeys_name_more_than_twenty_files() -> None:
    journeys = sorted((ROOT / "docs/journeys").glob("*.md"))
    assert len(journeys) == 3
    for journey in journeys:
        assert len(names(journey.read_text())) > 20


def test_every_decision_is_in_its_list() -> None:
    listed = (ROOT / "docs/adr/README.md").read_text()
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        title = page.read_text().splitlines()[0]
        assert page.name in listed
        assert title.startswith(f"# {page.name[:4]} ")
        assert page.read_text().count("\n") < 60, f"{page.name} is longer than a page"


def test_every_dependency_has_its_reason_and_nothing_else_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    packages = sorted(re.split(r"[<>=;\s\[]", line)[0] for line in wanted)
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in rows) == packages
    assert all(len(reason) > 4 for _, reason in rows)


def test_commands_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for block in re.findall(r"```\w*\n(.*?)```|`(make [a-z-]+)`", page.read_text(), re.DOTALL):
            for target in re.findall(r"^make ([a-z-]+)", "\n".join(block), re.MULTILINE):
                assert target in targets, f"{page.name}: make {target}"
