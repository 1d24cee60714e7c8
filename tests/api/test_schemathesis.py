"""Schemathesis asks every route of the OpenAPI document, rightly and wrongly, and compares what a real server answers.

No answer is an error of ours (5xx), none has a status or a shape that the document does not tell, nothing that the
document forbids is accepted, and no door opens without a token that says it needs one.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support import people
from tests.support.server import Aparte, aparte

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)
ENDS_IT = (
    "DELETE /sessions/current",
    "POST /conversations/{conversation}/leave",
    "DELETE /conversations/{conversation}",
)
"""With these the rest of the run would only hear 401 and 404; their own tests have them."""


@dataclass(frozen=True)
class Person:
    """A token, and ids that lead somewhere with it."""

    token: str
    ids: dict[str, str]


async def settled(url: str, token_of: str | None) -> Person:
    """Give somebody a room with another member and a message; with a setup token they are the administrator."""
    async with people.world(url) as world:
        bob = await world.register("bob")
        if token_of is None:
            alice = await world.register("alice")
        else:
            account = {
                "account_id": str(uuid4()),
                "device": {"device_id": str(uuid4()), "name": "desk"},
                "username": f"root_{uuid4().hex[:8]}",
                "password": people.PASSWORD,
                "email": "root@example.org",
            }
            made = await people.call(world.http, url, "POST", "/setup", {"token": token_of, "account": account})
            alice = people.Device(world.http, url, account["username"], made)
        room = await alice.room()
        await bob.join(room)
        message = await alice.send(room, "hello")
        return Person(
            alice.tokens["access_token"], {"conversation": room, "message": message["id"], "account": bob.account}
        )


@pytest.fixture(scope="module")
def here() -> Iterator[Aparte]:
    """A server of its own: what is asked of it is not nice."""
    with aparte() as server:
        yield server


@pytest.fixture(scope="module")
def user(here: Aparte) -> Person:
    return asyncio.run(settled(here.url, None))


@pytest.fixture(scope="module")
def root(here: Aparte) -> Person:
    ends = time.monotonic() + 30
    while (found := re.search(r"/setup#(\S+)", here.output.read_text())) is None:
        assert time.monotonic() < ends, "no setup link"
        time.sleep(0.1)
    return asyncio.run(settled(here.url, found.group(1)))


def ask(folder: Path, document: str, person: Person | None, *options: str) -> tuple[bool, str]:
    """Run Schemathesis; tells whether all was well, and what it said."""
    settings = folder / "schemathesis.toml"
    ids = person.ids if person else {}
    settings.write_text("[parameters]\n" + "".join(f'"path.{name}" = "{value}"\n' for name, value in ids.items()))
    tool = Path(sys.executable).with_name("schemathesis")
    arguments = ["--config-file", settings, "run", document, "--checks", ",".join(CHECKS), "--no-color", "--seed", "1"]
    arguments += ["--generation-database", "none", "--generation-allow-x00", "false", "--warnings", "off"]
    if person:
        arguments += ["--header", f"Authorization: Bearer {person.token}"]
        arguments += [part for name in ENDS_IT for part in ("--exclude-name", name)]
    done = subprocess.run([tool, *arguments, *options], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def asked(said: str) -> int:
    """How many requests were made."""
    found = re.search(r"(\d+) generated", said)
    return int(found.group(1)) if found else 0


ALONE = ("--workers", "1")
"""Python 3.11 sometimes fails to parse in one thread while another one does ("AST constructor recursion depth")."""
SHORT = ("--phases", "coverage,fuzzing", "--max-examples", "5", *ALONE)
ONE = ("--phases", "fuzzing", "--max-examples", "1", "--no-shrink")
LONG = ("--phases", "coverage,fuzzing,stateful", "--max-examples", "150", *ALONE)
LONG_DEPTH = pytest.param(LONG, id="long", marks=[pytest.mark.long])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("depth", [pytest.param(("--phases", "coverage", *SHORT[4:]), id="short"), LONG_DEPTH])
def test_signed_out(here: Aparte, tmp_path: Path, depth: tuple[str, ...]) -> None:
    well, said = ask(tmp_path, f"{here.url}/api/openapi.json", None, *depth)
    assert well, said
    assert asked(said) > 500


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("depth", [pytest.param(SHORT, id="short"), LONG_DEPTH])
def test_as_a_user(here: Aparte, user: Person, tmp_path: Path, depth: tuple[str, ...]) -> None:
    well, said = ask(tmp_path, f"{here.url}/api/openapi.json", user, *depth)
    assert well, said
    assert asked(said) > 500


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("depth", [pytest.param(("--phases", "fuzzing", *SHORT[2:]), id="short"), LONG_DEPTH])
def test_as_an_administrator(here: Aparte, root: Person, tmp_path: Path, depth: tuple[str, ...]) -> None:
    well, said = ask(tmp_path, f"{here.url}/api/openapi.json", root, *depth)
    assert well, said
    assert asked(said) > 200


@pytest.mark.parametrize("lie", ["a status is missing", "a field is wrong"])
def test_a_lie_in_the_document_is_found(here: Aparte, user: Person, tmp_path: Path, lie: str) -> None:
    with urllib.request.urlopen(f"{here.url}/api/openapi.json", timeout=10) as response:  # noqa: S310 - our own server
        document: dict[str, Any] = json.load(response)
    if lie == "a status is missing":
        del document["paths"]["/accounts/me"]["get"]["responses"]["200"]
    else:
        document["components"]["schemas"]["Account"]["properties"]["username"] = {"type": "integer"}
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    only = ("--url", f"{here.url}/api/v1", "--include-path", "/accounts/me", "--include-method", "GET", *ONE)
    well, said = ask(tmp_path, "openapi.json", user, *only)
    assert not well
    assert ("Undocumented" if lie == "a status is missing" else "violates schema") in said
