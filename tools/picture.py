"""Draws docs/terminal.svg: `python -m tools.picture` starts an Aparté, lets two people talk in it, and stops it."""

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text
from tests.support.server import aparte

PICTURE = Path(__file__).parents[1] / "docs" / "terminal.svg"
PASSWORD = "correct horse battery staple\n"  # noqa: S105 - of people who live for three seconds
SCENE = [
    ("alice", ["join", "#lounge"]),
    ("alice", ["send", "#lounge", "Anybody here?"]),
    ("bob", ["join", "#lounge"]),
    ("bob", ["history", "#lounge"]),
    ("bob", ["send", "#lounge", "Only the two of us, and whoever listens."]),
    ("alice", ["listen", "--count", "1"]),
    ("bob", ["members", "#lounge"]),
]


def shown(arguments: list[str]) -> str:
    """Write a command as one types it."""
    return " ".join(f"'{word}'" if re.search(r"[^\w-]", word) else word for word in arguments)


def main() -> None:
    """Run the scene and draw it."""
    console = Console(record=True, width=84, file=StringIO())
    with aparte() as here, tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "APARTE_SERVER": here.url, "APARTE_HOME": home, "PYTHONPATH": "src"}

        def run(who: str, arguments: list[str], said: str = "") -> str:
            command = [sys.executable, "-m", "aparte", "--profile", who, *arguments]
            done = subprocess.run(command, input=said, env=environment, capture_output=True, text=True, check=True)
            return done.stdout

        for who in ("alice", "bob"):
            run(who, ["register", who, "--email", f"{who}@example.org", "--password-stdin"], PASSWORD)
        for who, arguments in SCENE:
            prompt = Text(f"{who} ", style="bold green" if who == "alice" else "bold magenta")
            console.print(prompt + Text(f"$ aparte {shown(arguments)}", style="bold white"))
            console.print(Text(run(who, arguments).rstrip("\n")))
    # The drawing would fetch a font from another host; any monospaced one will do.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="Aparté"), flags=re.DOTALL)
    PICTURE.write_text(drawn.replace("Fira Code", "ui-monospace"))


if __name__ == "__main__":
    main()
