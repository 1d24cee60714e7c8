"""However it is stopped, by whomever, nothing is left running and the next start works."""

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.embedded.host import Host, eventually, host

MAKE = shutil.which("make") or ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order_and_the_exit_code_says_so(tmp_path: Path, number: signal.Signals) -> None:
    with host(tmp_path / "data", workers=2) as here:
        here.start().wait_until_ready()
        here.send(number)
        assert here.exit_code() == 0
        assert here.remains() == []
        assert not (here.data / "postgres" / "postmaster.pid").exists(), "PostgreSQL was not stopped cleanly"
        assert "Traceback" not in here.errors()


def ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def test_sigint_stops_it_also_when_it_was_started_with_sigint_ignored_and_blocked(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here:
        here.start(preexec_fn=ignore_signals).wait_until_ready()
        here.send(signal.SIGINT)
        assert here.exit_code() == 0
        assert here.remains() == []


def test_a_signal_in_the_middle_of_the_first_start_leaves_nothing(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here:
        here.start()
        assert eventually((here.data / "postgres.partial").exists)
        here.send(signal.SIGTERM)
        assert here.exit_code() == 0
        assert here.remains() == []
        assert "Traceback" not in here.errors()
    with host(tmp_path / "data") as again:
        assert again.start().wait_until_ready().answers()


@pytest.mark.parametrize("delay", [0.3, 0.8, 1.3])
def test_killed_at_any_moment_of_a_start_it_leaves_nothing_and_starts_again(tmp_path: Path, delay: float) -> None:
    with host(tmp_path / "data") as here:
        here.start()
        time.sleep(delay)
        here.send(signal.SIGKILL)
        assert here.is_gone()
    with host(tmp_path / "data") as again:
        assert again.start().wait_until_ready().answers()


def test_killed_with_sigkill_it_takes_everything_with_it_and_the_next_start_works(tmp_path: Path) -> None:
    with host(tmp_path / "data", workers=2, environment={"DRAIN_SECONDS": "60"}) as here:
        here.start().wait_until_ready()
        here.send(signal.SIGKILL)
        assert here.is_gone()
    with host(tmp_path / "data") as again:
        assert again.start().wait_until_ready().answers()


def test_a_restart_need_not_wait_until_the_killed_one_has_gone(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here, host(tmp_path / "data") as again:
        here.start().wait_until_ready()
        here.send(signal.SIGKILL)
        assert again.start().wait_until_ready().answers()


def test_a_second_signal_does_not_wait_for_workers_that_drain(tmp_path: Path) -> None:
    with host(tmp_path / "data", environment={"DRAIN_SECONDS": "60"}) as here:
        here.start().wait_until_ready()
        here.send(signal.SIGINT)
        assert eventually(lambda: not here.answers())
        before = time.monotonic()
        here.send(signal.SIGINT)
        assert here.exit_code() == 0
        assert time.monotonic() - before < 12, "it waited the 15 seconds that a worker may take"
        assert not (here.data / "postgres" / "postmaster.pid").exists()


def under_make(here: Host, folder: Path) -> Host:
    """Start it as the Makefile does, with GNU make above it."""
    recipe = " ".join(shlex.quote(word) for word in [*here.arguments, "--follow-parent"])
    (folder / "Makefile").write_text(f"up:\n\t@APARTE_PARENT_PID=$$PPID exec {recipe}\n")
    return here.start([MAKE, "-C", str(folder), "up"])


@pytest.mark.skipif(not MAKE, reason="make is not installed")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_nothing_outlives_make_however_make_ends(tmp_path: Path, number: signal.Signals) -> None:
    with host(tmp_path / "data") as here:
        under_make(here, tmp_path).wait_until_ready()
        here.send(number)
        assert here.is_gone()
        assert here.exit_code() != 0, "make tells its caller that it was interrupted"
        assert not (here.data / "postgres" / "postmaster.pid").exists(), "PostgreSQL was not stopped cleanly"


@pytest.mark.skipif(not MAKE, reason="make is not installed")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("delay", [0.05, 0.7])
def test_nothing_outlives_make_that_ends_while_everything_starts(
    tmp_path: Path, number: signal.Signals, delay: float
) -> None:
    with host(tmp_path / "data") as here:
        under_make(here, tmp_path)
        time.sleep(delay)
        here.send(number)
        assert here.is_gone()


@pytest.mark.skipif(not MAKE, reason="make is not installed")
def test_ctrl_c_in_a_terminal_reaches_the_whole_group_and_stops_everything(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here:
        under_make(here, tmp_path).wait_until_ready()
        assert here.process
        os.killpg(here.process.pid, signal.SIGINT)
        assert here.is_gone()


def test_the_end_of_any_other_parent_is_followed_too(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here:
        words = " ".join(shlex.quote(word) for word in [*here.arguments, "--follow-parent"])
        here.start(["/bin/sh", "-c", f"{words}; exit $?"]).wait_until_ready()
        here.send(signal.SIGKILL)
        assert here.is_gone()


def test_a_wish_nobody_reads_does_not_stop_the_stop(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here:
        here.start().wait_until_ready()
        assert here.process
        assert here.process.stderr
        here.process.stderr.close()
        here.send(signal.SIGTERM)
        assert here.exit_code() == 0
        here.process.stderr = None


def test_it_can_be_started_from_a_shell_in_the_background(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here:
        words = " ".join(shlex.quote(word) for word in here.arguments)
        here.start(["/bin/sh", "-c", f"{words} & wait"], stdin=subprocess.DEVNULL).wait_until_ready()
        assert here.process
        os.killpg(here.process.pid, signal.SIGINT)
        assert here.is_gone()
