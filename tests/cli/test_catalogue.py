"""Everything that is said to people is in the catalogue, in both languages, and nothing is there that nobody says."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from aparte.catalogue import TONGUES, Section, form, section, text
from aparte.cli import main
from aparte.cli.wording import key_of, patterns
from aparte.client.errors import OWN_CODES
from aparte.wire.accounts import Privacy
from aparte.wire.content import ConversationSettings
from aparte.wire.conversations import Level
from aparte.wire.errors import CODES
from aparte.wire.moderation import FlagReason

SOURCES = Path(main.__file__).parents[1]
SECTIONS: tuple[Section, ...] = get_args(Section)


def forms_of(words: Any) -> dict[str, str]:
    """The forms of a text; one, if it is not counted."""
    return words if isinstance(words, dict) else {"": words}


def places_in(words: str) -> set[str]:
    """The names of the places in a text; of what kind a conversation is need not be said in both languages."""
    return {str(name) for _, name, _, _ in string.Formatter().parse(words) if name not in {None, "kind"}}


@pytest.mark.parametrize("name", SECTIONS)
def test_both_languages_say_the_same(name: Section) -> None:
    for key, words in section(name).items():
        assert set(words) == set(TONGUES), key
        english, french = forms_of(words["en"]), forms_of(words["fr"])
        assert english.keys() == french.keys(), key
        assert english.keys() in ({""}, {"one", "other"}), key
        wanted = set().union(*(places_in(one) for one in english.values()))
        assert wanted == set().union(*(places_in(one) for one in french.values())), key
        assert all(one.strip() for one in (*english.values(), *french.values())), key


def test_counted_words_take_the_form_of_their_language() -> None:
    assert [form(count, "en") for count in (0, 1, 2)] == ["other", "one", "other"]
    assert [form(count, "fr") for count in (0, 1, 2)] == ["one", "one", "other"]
    assert text("phrases", "replies", "fr", count=0) == "0 réponse"
    assert text("phrases", "replies", "en", count=0) == "0 replies"


def constants(folder: Path) -> Iterator[tuple[str, bool]]:
    """Every string in the sources of a folder, and whether it is the beginning of one that is put together."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                yield str(node.values[0].value), True
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, False


def unused(name: Section, *folders: Path) -> set[str]:
    """The keys of a section that no source names, nor begins."""
    found = [one for folder in folders for one in constants(folder)]
    whole = {words for words, is_beginning in found if not is_beginning}
    begun = tuple(words for words, is_beginning in found if is_beginning and re.fullmatch(r"\w+[._](\w+[._])*", words))
    return {key for key in section(name) if key not in whole and not key.startswith(begun)}


def test_no_phrase_is_kept_that_nobody_says() -> None:
    assert unused("phrases", SOURCES / "cli", SOURCES / "client") == set()


def test_no_sentence_about_events_is_kept_that_nobody_says() -> None:
    assert unused("events", SOURCES / "client") == set()


def test_every_phrase_that_is_said_is_there() -> None:
    called: list[str] = []
    for path in (SOURCES / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"phrase", "done"}:
                said = node.args[0 if node.func.id == "phrase" else 1]
                called += [one.value for one in (*chosen(said), said) if is_text(one)]
    assert len(called) > 50
    assert set(called) - section("phrases").keys() == set()


def chosen(node: ast.expr) -> Iterator[ast.expr]:
    """What is chosen between."""
    if isinstance(node, ast.IfExp):
        yield from (node.body, *chosen(node.body), node.orelse, *chosen(node.orelse))


def is_text(node: ast.AST) -> bool:
    """Whether a node is a name that is written out."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()


FAMILIES = [
    ("privacy_", Privacy.__struct_fields__),
    ("level_", get_args(Level)),
    ("reason_", get_args(FlagReason)),
    ("word_", ("hold", "refuse")),
    ("message_", ("approved", "rejected")),
    ("status_", ("pending", "approved", "rejected", "accepted", "declined", "blocked")),
    ("status_", ("waiting", "stale", "refused", "sent")),
]


@pytest.mark.parametrize(("beginning", "names"), FAMILIES)
def test_every_value_of_the_wire_has_its_word(beginning: str, names: tuple[str, ...]) -> None:
    assert {f"{beginning}{name}" for name in names} <= section("phrases").keys()


def test_every_setting_has_its_word() -> None:
    assert {f"setting.{name}" for name in ConversationSettings.__struct_fields__} <= section("events").keys()


def test_every_code_that_the_sdk_raises_has_its_sentence() -> None:
    raised = set()
    for path in (SOURCES / "client").rglob("*.py"):
        raised |= set(
            re.findall(r"(?:ClientError|KeyRefused|NotSignedIn|TimeOver|Unreachable)\(\s*\"(\w+)\"", path.read_text())
        )
    assert len(raised) > 30
    assert raised <= section("errors").keys() == CODES.keys() | OWN_CODES.keys()


def tree() -> Iterator[tuple[str, Any]]:
    """Every command with its path."""

    def below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield path, command
        for name, one in getattr(command, "commands", {}).items():
            yield from below(f"{path} {name}".strip(), one)

    yield from below("", typer.main.get_command(main.app))
    for name, module in main.COMMANDS.items():
        yield from below(name, main.commands_of(module)[name])


def test_every_command_and_option_is_explained_and_nothing_else() -> None:
    keys = {path for path, _ in tree()}
    keys |= {key_of(path, parameter.name) for path, command in tree() for parameter in command.params}
    assert len(keys) > 200
    assert keys == section("help").keys()


def test_what_the_library_says_is_recognised_by_one_row_at_most() -> None:
    for words in section("usage").values():
        said = re.sub(r"\{\w+\}", "x", str(words["en"]))
        first = next(french for pattern, french in patterns() if pattern.fullmatch(said))
        assert first == words["fr"], said
