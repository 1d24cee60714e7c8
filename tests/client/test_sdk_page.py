"""The examples of docs/sdk.md run, one after the other, in one profile folder against a whole server."""

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Aparte

from aparte.client.errors import KEY_CODES, OWN_CODES
from aparte.client.words import ERRORS

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


async def run(code: str, names: dict[str, Any]) -> None:
    """Run an example that may await at its top level."""
    compiled = compile(code, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(compiled, names)  # noqa: S307 - our own page
    if asyncio.iscoroutine(made):
        await made


async def test_the_examples_run(
    server: Aparte, tmp_path: Path, tag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APARTE_HOME", str(tmp_path))
    names: dict[str, Any] = {"SERVER": server.url}
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        own = re.sub(r'(?<!Place\()(?<!open\()"(@?)(alice|bob|carol)"', rf'"\1\2-{tag}"', example)
        own = own.replace("@alice?", f"@alice-{tag}?")
        own = own.replace("lounge", f"lounge-{tag}").replace("@example.org", f"-{tag}@example.org")
        async with asyncio.timeout(60):
            await run(own, names)
    out = capsys.readouterr().out
    assert "bonsoir" in out
    assert f"('alice-{tag}',) {{'📚': ('alice-{tag}',)}} True 1 None" in out
    assert "since May True" in out
    assert f"['who reads Perec, @alice-{tag}?', 'who reads Queneau, @alice-{tag}?']" in out
    assert f"#lounge-{tag}-den +lounge-{tag}-vault channel" in out
    assert "held ['held']" in out
    assert f"bob-{tag} spoilers ahead ('spoiler*',)" in out
    assert f"alice-{tag} silenced bob-{tag} until" in out
    assert f"@alice-{tag} alice-{tag} only we two" in out
    assert f"only we two {{'🎭': ('bob-{tag}',)}} None () True" in out
    assert re.search(rf"gladly {{}} Quoted\(.*sender='alice-{tag}', text='only we two'\) \('alice-{tag}',\) False", out)
    assert "waiting good morning!" in out
    assert "what I wanted to say is" in out
    assert "group +Book club True" in out
    assert f"+Book club alice-{tag}: who brings what?" in out
    assert f"+Book club carol-{tag} joined by an invite link" in out
    assert re.search(rf"carol-{tag} member .* False", out)
    assert "no_such_room Aucun salon ne porte ce nom" in out
    async with asyncio.timeout(60):
        await an_echo_answers(names, tag)


async def an_echo_answers(names: dict[str, Any], tag: str) -> None:
    client = names["Client"]
    echo = asyncio.ensure_future(names["echo"]("alice"))
    async with client.open("bob") as bob:
        await bob.join(f"#lounge-{tag}")
        await bob.send(f"#lounge-{tag}", "!echo, echo")
        await bob.send(f"#lounge-{tag}", "!echo echo")
        stream = bob.messages()
        while (await anext(stream)).text != "echo":
            pass
    echo.cancel()
    with pytest.raises(asyncio.CancelledError):
        await echo


def test_every_refused_key_is_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(KEY_CODES)


def test_every_check_of_a_message_on_the_page_is_one() -> None:
    (sentence,) = re.findall(r"^Checks of single messages \(([^)]+)\)", PAGE.read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", sentence))
    assert named <= set(OWN_CODES) & set(ERRORS)
    assert len(named) == 8
