"""A few seconds of coverage-guided fuzzing in every run; the hours are for `python -m tests.e2ee.fuzz.fuzz`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("target", ["parsers", "session", "group", "membership"])
def test_nothing_from_outside_gets_past_the_typed_errors(target: str, tmp_path: Path) -> None:
    seconds = 3
    command = [sys.executable, "-m", "tests.e2ee.fuzz.fuzz", target]
    options = [f"-max_total_time={seconds}", "-max_len=4096", f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"]
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    result = subprocess.run(
        [*command, *options, str(corpus)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr[-4_000:]
    runs = re.search(r"number_of_executed_units: (\d+)", result.stderr)
    assert runs is not None
    assert int(runs[1]) > 100
