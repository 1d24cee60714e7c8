"""`aparte bench` as one types it: it starts a server of its own, measures, prints, and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

from aparte.embedded import processes


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [sys.executable, "-m", "aparte", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_it_brings_its_own_server_and_takes_it_away(tmp_path: Path) -> None:
    done = bench("room", "--devices", "4", "--seconds", "0.5", "--floor", "0.3", "--json", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["what"] == "room"
    assert report["command"].startswith("aparte bench room --devices 4")
    figures = {figure["name"]: figure["value"] for figure in report["sections"][0]["figures"]}
    assert figures["undelivered"] == 0
    assert figures["messages_per_second"] > 0
    assert list(tmp_path.iterdir()) == []
    assert not any(str(tmp_path) in Path(f"/proc/{pid}/cmdline").read_text() for pid in processes.working_in(tmp_path))


def test_what_cannot_be_measured_is_one_sentence() -> None:
    done = bench("room", "--server", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "could not be measured" in done.stderr
    assert "Traceback" not in done.stderr
    assert bench("room", "--server", "http://127.0.0.1:9", "--slow-flush", "2").returncode == 1


def test_direct_conversations_are_measured_in_the_same_way(tmp_path: Path) -> None:
    done = bench("direct", "--devices", "4", "--seconds", "0.5", "--rate", "200", "--json", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [section] = json.loads(done.stdout)["sections"]
    assert section["title"].startswith("2 direct conversations")
    figures = {figure["name"]: figure["value"] for figure in section["figures"]}
    assert figures["undelivered"] == figures["refused_or_closed"] == 0
    assert figures["messages_in_all"] > 0


def test_a_group_is_measured_on_the_server_and_with_the_sdk(tmp_path: Path) -> None:
    options = ["--members", "3", "--others", "2", "--seconds", "0.5", "--rate", "100"]
    done = bench("group", *options, "--json", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr
    on_the_server, with_the_sdk = json.loads(done.stdout)["sections"]
    figures = {figure["name"]: figure["value"] for figure in on_the_server["figures"]}
    assert figures["undelivered"] == figures["refused_or_closed"] == 0
    assert figures["deliveries_per_second"] > figures["messages_per_second"] > 0
    figures = {figure["name"]: figure["value"] for figure in with_the_sdk["figures"]}
    assert figures["ciphertexts_of_a_later_message"] == figures["keys_of_a_later_message"] == 1
    assert figures["first_message"] > 0
