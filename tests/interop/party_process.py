"""A party in a process of its own: one line of JSON in, one out. Both implementations speak the same language."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ORACLE = Path(__file__).parent / "oracle"
COMMANDS = {
    "aparte": ([sys.executable, "-m", "aparte.e2ee.party"], Path(__file__).parents[2]),
    "oracle": (["node", "party.js"], ORACLE),
}


class Refused(Exception):
    """A party refused; the text is its reason, in its own words."""


class PartyProcess:
    """Many named parties of one implementation."""

    def __init__(self, implementation: str) -> None:
        command, folder = COMMANDS[implementation]
        self.implementation = implementation
        self._number = 0
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask for one operation; bytes are encoded on the way, `body` and `data` decoded in the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._number += 1
        request = {"id": self._number, "op": op} | {key: _encode(value) for key, value in arguments.items()}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer.pop("id") == self._number
        if "error" in answer:
            raise Refused(answer["error"])
        return {key: base64.b64decode(value) if key in ("body", "data") else value for key, value in answer.items()}


def _encode(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
