"""Every command of the README runs, in order, against a real server on ports and in folders of the test's own."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from tests.support import valkey
from tests.support.server import TESTING, free_port

from aparte.embedded import postgres, store
from aparte.embedded.postgres import Address

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
PASSWORD = "correct horse battery staple"
PROMPT = r"(?:Password|Repeat for confirmation): ?"
SECONDS = 90


def blocks() -> list[tuple[str, str, str]]:
    """The fenced blocks: heading, language, text."""
    found = []
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        heading = section.splitlines()[0]
        found += [(heading, language, body) for language, body in re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL)]
    return found


def block(heading: str, language: str = "sh", number: int = 0) -> str:
    """One block of a section."""
    return [body for title, kind, body in blocks() if (title, kind) == (heading, language)][number]


def environment(**more: str) -> dict[str, str]:
    """The environment of somebody who follows the README on this machine."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("APARTE_", "DATABASE_", "VALKEY_", "PG"))}
    return {**clean, **TESTING, "LC_ALL": "C.UTF-8", **more}


@contextmanager
def running(script: str, env: dict[str, str], cwd: Path, url: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run a script that stays, wait until its server is ready, and stop it as Ctrl-C does."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(["bash", "-ec", script], env=env, cwd=cwd, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]
    try:
        ends = time.monotonic() + SECONDS
        while url:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < ends, "not ready"
            with suppress(OSError):
                if urllib.request.urlopen(f"{url}/ready", timeout=1).status == 200:  # noqa: S310 - our own server
                    break
            time.sleep(0.1)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


class Terminal:
    """A script in a terminal, and somebody who reads what it says and types."""

    def __init__(self, script: str, env: dict[str, str], cwd: Path) -> None:
        self.said = ""
        self._read_to = 0
        self._ends = time.monotonic() + SECONDS
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(cwd)
            os.execvpe("bash", ["bash", "-ec", script], env)  # noqa: S606 - this process is the shell from here on

    def expect(self, pattern: str) -> str:
        """Read on until it says this; gives what matched, the first group if there is one."""
        while not (found := re.compile(pattern).search(self.said, self._read_to)):
            assert self._reads(), self.said
        self._read_to = found.end()
        return found[found.re.groups and 1]

    def answer(self, prompt: str, line: str) -> None:
        """Type a line once it is asked for; a moment later, because a terminal that goes silent forgets what came."""
        self.expect(prompt)
        time.sleep(0.2)
        os.write(self._terminal, f"{line}\n".encode())

    def close(self) -> str:
        """Type the password whenever it is asked for, until the script has ended well; gives all that it said."""
        asked = len(re.findall(PROMPT, self.said[: self._read_to]))
        while self._reads():
            prompts = len(re.findall(PROMPT, self.said))
            if prompts > asked:
                asked = prompts
                time.sleep(0.2)
                os.write(self._terminal, f"{PASSWORD}\n".encode())
        os.close(self._terminal)
        _, status = os.waitpid(self._pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, self.said
        return self.said

    def _reads(self) -> bool:
        """Read what comes next; False once nothing more will come."""
        while not select.select([self._terminal], [], [], 0.2)[0]:
            assert time.monotonic() < self._ends, self.said
        try:
            data = os.read(self._terminal, 4096)
        except OSError:
            return False
        self.said = (self.said + data.decode(errors="replace")).replace("\r\n", "\n")
        return bool(data)


def in_a_terminal(script: str, env: dict[str, str], cwd: Path) -> str:
    """Run a script in a terminal where somebody types the password whenever they are asked for it."""
    return Terminal(script, env, cwd).close()


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="aparte-readme-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where profiles are kept, and a working folder that looks like a checkout."""
    with open_folder() as folder:
        for name in ("Makefile", ".venv", "src", "pyproject.toml", "locks"):
            (folder / name).symlink_to(ROOT / name)
        yield folder


@pytest.fixture(scope="module")
def talk(home: Path) -> Iterator[dict[str, str]]:
    """`make up` of the README; gives the environment of a second terminal."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data = home / "data"
    with running(block("Start it"), environment(PORT=str(port), DATA=str(data)), home, url):
        yield environment(APARTE_SERVER=url, APARTE_HOME=str(home / "profiles"))


def test_no_block_is_left_out() -> None:
    ran = {
        "Start it": 1,
        "A first conversation": 3,
        "Channels, threads, search": 2,
        "A second device, and who is who": 3,
        "A bot in ten lines": 3,
        "Run it for real": 6,
    }
    counted = {heading: sum(title == heading for title, _, _ in blocks()) for heading in ran}
    assert counted == ran
    assert len(blocks()) == sum(ran.values())
    assert {language for _, language, _ in blocks()} == {"sh", "python", "caddyfile"}


def test_a_first_conversation_a_second_device_and_a_bot(talk: dict[str, str], home: Path) -> None:
    said = in_a_terminal(block("A first conversation"), talk, home)
    assert "@alice alice: Only the two of us" in said
    said = in_a_terminal(block("A first conversation", number=1), talk, home)
    assert said.count("#lounge alice: Anybody here?") == 2
    a_group_talks(talk, home)
    there_is_more_to_do(talk, home)
    a_second_device_is_linked(talk, home)
    safety_numbers_are_compared(talk, home)
    a_bot_answers(talk, home)


def a_group_talks(talk: dict[str, str], home: Path) -> None:
    said = in_a_terminal(block("A first conversation", number=2), talk, home)
    told = [line[17:] for line in said.splitlines() if re.match(r"\d{4}-", line)]
    assert told == [
        "+Book club * alice added bob",
        "+Book club * alice named the group Book club",
        "+Book club alice: Who brings what?",
        "+Book club * alice opened an invite link",
        "+Book club * carol joined by an invite link",
        "+Book club alice: Carol is with us",
        "+Book club carol: I bring the tea",
    ]
    assert re.findall(r"^(\w+) +(owner|member) ", said, re.MULTILINE) == [
        ("alice", "owner"),
        ("bob", "member"),
        ("carol", "member"),
    ]


def there_is_more_to_do(talk: dict[str, str], home: Path) -> None:
    section = "Channels, threads, search"
    said = in_a_terminal(block(section), talk, home)
    assert re.search(r"#lounge alice: Who helps at the market\? .*1 reply", said)
    find = ".venv/bin/aparte --profile bob search messages market"
    assert find in block(section)
    until = f"until [ $({find} | wc -l) = 2 ]; do sleep 0.2; done; {find}"  # the index follows a moment later
    found = re.sub(r"\x1b\[\d*m", "", in_a_terminal(until, talk, home))
    assert "#news alice: The market is on Saturday" in found
    said = in_a_terminal(block(section, number=1), talk, home)
    assert re.search(r"Happy birthday! \(waiting\)", said)
    assert re.search(r"@alice alice: The code is 4812 \(until .*\)", said)
    assert "carol" in in_a_terminal(".venv/bin/aparte --profile alice contacts list", talk, home)


def a_second_device_is_linked(talk: dict[str, str], home: Path) -> None:
    section = "A second device, and who is who"
    phone = Terminal(block(section), talk, home)
    phone.answer(PROMPT, PASSWORD)
    offer = phone.expect(r"\n([\w-]{107})\n")
    assert "LINE" in block(section, number=1)
    desk = Terminal(block(section, number=1).replace("LINE", offer), talk, home)
    desk.answer(r"Is this your own device, in your hands\?.*: ", "y")
    desk.answer(PROMPT, PASSWORD)
    desk.answer(r"Code that the new device shows: ?", phone.expect(r"\ncode: (\d{6})\n"))
    assert len(re.findall(r"^[0-9a-f-]{36} +\* ", desk.close(), re.MULTILINE)) == 2
    assert "linked to the account of alice" in phone.close()
    told = ".venv/bin/aparte --profile bob send @alice 'both of you'\n"
    heard = in_a_terminal(told + ".venv/bin/aparte --profile phone listen --count 1 --timeout 60", talk, home)
    assert "@bob bob: both of you" in heard


def safety_numbers_are_compared(talk: dict[str, str], home: Path) -> None:
    said = in_a_terminal(block("A second device, and who is who", number=2), talk, home)
    numbers = re.findall(r"^\d{5}(?: \d{5}){11}$", said, re.MULTILINE)
    assert len(numbers) == 3
    assert len(set(numbers)) == 1
    assert said.rstrip().endswith("Verified.")


def a_bot_answers(talk: dict[str, str], home: Path) -> None:
    assert "Signed in as echo" in in_a_terminal(block("A bot in ten lines"), talk, home)
    bot = block("A bot in ten lines", "python")
    assert len([line for line in bot.splitlines() if line.strip()]) <= 10
    (home / "echo.py").write_text(bot)
    in_private = ".venv/bin/aparte --profile bob send @echo '!echo psst'"
    assert re.search("`send (@echo '!echo psst')`", TEXT)
    with running(block("A bot in ten lines", number=1), talk, home):
        ask = "until .venv/bin/aparte --profile bob members '#lounge' | grep -q ^echo; do sleep 0.5; done\n"
        ask += f".venv/bin/aparte --profile bob send '#lounge' '!echo salut'\n{in_private}\n"
        heard = in_a_terminal(ask + ".venv/bin/aparte --profile bob listen --count 2 --timeout 60", talk, home)
    assert "#lounge echo: salut" in heard
    assert "@echo echo: psst" in heard


@dataclass(frozen=True)
class Elsewhere:
    """A PostgreSQL and a Valkey of one's own, a folder for secrets, and a free port."""

    folder: Path
    database: Address
    valkey: str
    port: int

    def fitted(self, number: int) -> str:
        """A block of the section with the places of this test."""
        script = block("Run it for real", number=number)
        places = {
            "localhost:5432": f"127.0.0.1:{self.database.port}",
            "valkey://localhost:6379/0": self.valkey,
            "--port 8787": f"--port {self.port}",
            "/etc/aparte": str(self.folder),
            "/srv/aparte": str(self.folder),
        }
        for written, ours in places.items():
            assert written in TEXT
            script = script.replace(written, ours)
        return script

    def superuser(self, **more: str) -> dict[str, str]:
        """The environment of who may do everything in that PostgreSQL."""
        tools = f"{postgres.binaries()}:{os.environ['PATH']}"
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.database.port), "PGSSLMODE": "disable", "PATH": tools}
        return environment(PGUSER=store.ADMIN_ROLE, PGPASSWORD=self.database.admin_password, **where, **more)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async with valkey.running() as cache:
        with open_folder() as folder, postgres.running(folder / "data") as database:
            here = Elsewhere(folder, database, cache.url, free_port())
            run(f"psql postgres -c 'DROP DATABASE {store.DATABASE}'", here.superuser(), folder)
            yield here


async def test_running_it_for_real_and_putting_a_dump_back(elsewhere: Elsewhere, home: Path) -> None:
    run(elsewhere.fitted(0), elsewhere.superuser(), home)
    run(elsewhere.fitted(1), environment(), home)
    url = f"http://127.0.0.1:{elsewhere.port}"
    with running(elsewhere.fitted(2), environment(), home, url):
        carol = ".venv/bin/aparte --profile carol register carol --email carol@example.org --password-stdin"
        terminal = environment(APARTE_SERVER=url, APARTE_HOME=str(elsewhere.folder / "profiles"))
        run(f"{carol} <<< '{PASSWORD}'", terminal, home)

    owner = re.findall(r"DATABASE_ADMIN_URL=(\S+)", elsewhere.fitted(0))[0]
    run(elsewhere.fitted(3), elsewhere.superuser(DATABASE_ADMIN_URL=owner), elsewhere.folder)
    names, generation = await kept(owner)
    assert "carol" in names
    run('psql "$OWNER" -c "DELETE FROM accounts WHERE username = \'carol\'"', elsewhere.superuser(OWNER=owner), home)
    run(elsewhere.fitted(4), elsewhere.superuser(DATABASE_ADMIN_URL=owner), elsewhere.folder)
    again, another = await kept(owner)
    assert again == names
    assert another != generation
    with running(elsewhere.fitted(2), environment(), home, url):
        run(".venv/bin/aparte --profile carol whoami", terminal, home)


async def kept(dsn: str) -> tuple[set[str], object]:
    """Who is in a database, and which history its log is."""
    connection = await asyncpg.connect(dsn, ssl=False)
    names = {row["username"] for row in await connection.fetch("SELECT username FROM accounts")}
    generation = await connection.fetchval("SELECT generation FROM log_generation")
    await connection.close()
    return names, generation


def run(script: str, env: dict[str, str], cwd: Path) -> None:
    """Run a script to its end."""
    done = subprocess.run(["bash", "-ec", script], env=env, cwd=cwd, capture_output=True, text=True, timeout=SECONDS)  # noqa: PLW1510 - judged here
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_figures_are_those_that_were_measured() -> None:
    (row,) = re.findall(r"^\| \*\*Aparté\*\* \| (.*) \|$", TEXT, re.MULTILINE)
    measured = (ROOT / "docs" / "performance.md").read_text()
    figures = [figure for cell in row.split(" | ") for figure in cell.split(", ")]
    assert len(figures) == 8
    sums = {f"{float(a) + float(b):.3f}" for a, b in re.findall(r"(\d\.\d+) \+ (\d\.\d+)", measured)}
    for figure in figures:
        assert figure in measured or figure in sums, f"{figure} is not in docs/performance.md"


def test_its_picture_asks_no_other_host() -> None:
    picture = (ROOT / "docs" / "terminal.svg").read_text()
    assert "Only the two of us" in picture.replace("&#160;", " ")
    assert not re.search(r"url\(\W*http|href=\W*http|@import|<script", picture)
