"""Help and wrong use are in the language of the environment, and help pages load nothing to be shown."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from aparte.catalogue import section
from aparte.cli import main

FRENCH, ENGLISH = {"LANG": "fr_FR.UTF-8", "LC_ALL": None}, {"LANG": "C.UTF-8", "LC_ALL": None}


def said(*arguments: str, env: dict[str, str | None]) -> str:
    """What is said, its lines put together."""
    result = CliRunner().invoke(main.app, arguments, env=env)
    return " ".join(result.output.split())


def test_the_first_page_is_french_for_the_french() -> None:
    page = said("--help", env=FRENCH)
    for words in ("Options :", "Compte :", "Modération :", "Afficher cette aide.", "par défaut : default"):
        assert words in page.replace("\u00a0", " ")
    assert not any(words in page for words in ("Show this message", "Account", "Print"))
    assert "send Envoyer un message, ou plusieurs, maintenant ou plus tard" in page


def test_the_first_page_is_english_for_everybody_else() -> None:
    page = said("--help", env=ENGLISH)
    assert "Options: " in page
    assert "send Send a message, or many, now or later" in page
    assert "Afficher" not in page


@pytest.mark.parametrize("path", [("send",), ("devices", "approve"), ("roles", "define"), ("bench", "room")])
def test_each_page_is_in_either_language(path: tuple[str, ...]) -> None:
    words = section("help")[" ".join(path)]
    for tongue, env in (("fr", FRENCH), ("en", ENGLISH)):
        sentence = str(words["fr" if tongue == "fr" else "en"]).split("\n")[0]
        assert " ".join(sentence.split()) in said(*path, "--help", env=env)


WRONG = [
    (("sned",), "Erreur : Il n'y a pas de commande « sned »."),
    (("send",), "Il manque l'argument 'TARGET'."),
    (("send", "#a", "b", "--what"), "Il n'y a pas d'option --what"),
    (("register", "ann"), "Il manque l'option '--email'."),
    (("listen", "--count", "0"), "il faut au moins 1"),
    (("history", "#a", "--limit", "x"), "ce n'est pas un nombre entier"),
    (("level", "#a", "loud"), "« loud » n'est pas parmi 'all', 'mentions', 'none'"),
    (("silence", "#a", "@b", "tomorrow"), "« tomorrow » n'est pas un moment"),
    (("send", "#a", "b", "--ttl", "0s"), "« 0s » n'est pas une durée"),
    (("send", "#a", "b", "--lines"), "--lines lit l'entrée standard"),
    (("roles", "lost"), "Il n'y a pas de commande « lost »."),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_wrong_use_is_told_in_french(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(main.app, arguments, env=FRENCH)
    told = " ".join(result.output.split())
    assert result.exit_code == 2
    assert words in told
    assert not any(english in told for english in ("Usage:", "Error", "Missing", "Invalid", "Try "))


@pytest.mark.parametrize("arguments", [(), ("roles",)])
def test_whoever_gives_nothing_is_shown_help(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main.app, arguments, env=FRENCH)
    page = " ".join(result.output.split())
    assert page.startswith("Usage : ")
    assert "Afficher cette aide." in page
    assert "Erreur" not in page


def test_help_loads_no_command() -> None:
    code = (
        "import sys, json, runpy; sys.argv = ['aparte', '--help']\n"
        "try:\n    runpy.run_module('aparte', run_name='__main__')\n"
        "except SystemExit:\n    print(json.dumps([m for m in sys.modules if m.startswith('aparte.')]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(json.loads(out.splitlines()[-1]))
    assert "aparte.catalogue" in loaded
    assert loaded.isdisjoint({"aparte.client", *main.COMMANDS.values()})
