"""The command line starts quickly because a command loads only what it needs."""

import subprocess
import sys

import pytest

from aparte.cli import main

HEAVY = ("aiohttp", "sqlcipher3", "asyncpg", "rich.progress", "aparte.client", "aparte.server", "aparte.embedded")


def loaded(code: str) -> set[str]:
    probe = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split())


def test_the_table_of_commands_loads_nothing_heavy() -> None:
    assert loaded("import aparte.cli.main").isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["aparte.cli.hosting", "aparte.cli.bench"])
def test_hosting_does_not_load_the_sdk(module: str) -> None:
    code = f"import aparte.cli.main\naparte.cli.main.commands_of('{module}')"
    assert loaded(code).isdisjoint({"sqlcipher3", "aparte.client"})


def test_every_command_of_the_table_is_there() -> None:
    for name, module in main.COMMANDS.items():
        assert name in main.commands_of(module)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    words = {"COMP_WORDS": "aparte li", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "aparte li"}
    environment = {**words, "_APARTE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    command = [sys.executable, "-c", "import sys; sys.argv = ['aparte']; from aparte.cli.main import run; run()"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "listen" in done.stdout
