"""Two people and three devices, from their terminals: what one says shows on the others, whatever is killed."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pytest

from aparte.client import Client, Place
from tests.support.server import Aparte, aparte
from tests.support.terminal import Listener, Speaker, Terminal, kill
from tests.support.texts import texts

LINES = int(os.environ.get("APARTE_JOURNEY_MESSAGES", "400"))
BOOK = 10_000


@asynccontextmanager
async def listening(terminal: Terminal, *profiles: str) -> AsyncIterator[list[Listener]]:
    """Listen on some devices."""
    listeners = [Listener(terminal, profile) for profile in profiles]
    for listener in listeners:
        listener.start()
    try:
        yield listeners
    finally:
        await asyncio.gather(*(listener.stop() for listener in listeners))


async def meet(terminal: Terminal) -> tuple[str, str]:
    """Alice with laptop and phone, bob with his laptop; gives both names."""
    tag = uuid4().hex[:8]
    alice, bob = f"alice-{tag}", f"bob-{tag}"
    await terminal.register("laptop", alice)
    await terminal.register("bob", bob)
    await terminal.link("phone", alice, by="laptop")
    return alice, bob


@pytest.mark.timeout(240)
async def test_what_one_device_says_shows_on_all_others(server: Aparte, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, server.url)
    alice, bob = await meet(terminal)
    async with listening(terminal, "phone", "bob") as (phone, bobs):
        await terminal.run("laptop", "send", f"@{bob}", "hello", "bob")
        await phone.hears(alice, "hello bob")
        await bobs.hears(alice, "hello bob")
        await terminal.run("phone", "send", f"@{bob}", "from my pocket")
        await bobs.hears(alice, "from my pocket")
    async with listening(terminal, "laptop", "phone") as (laptop, phone):
        await terminal.run("bob", "send", f"@{alice}", "hello to both of you")
        await laptop.hears(bob, "hello to both of you")
        await phone.hears(bob, "hello to both of you")
        await terminal.run("laptop", "send", "@me", "milk, bread")
        await phone.hears(alice, "milk, bread")
    assert bobs.texts(alice) == ["hello bob", "from my pocket"]
    assert "milk, bread" not in bobs.texts(alice)
    assert {row["conversation"] for row in bobs.heard} == {f"@{alice}"}
    said = await terminal.rows("bob", "history", f"@{alice}")
    assert [row["text"] for row in said] == ["hello bob", "from my pocket", "hello to both of you"]


def book(seed: int, count: int) -> list[str]:
    """Lines of a book in many scripts, each unlike the others."""
    lines = (" ".join(text.split())[:2_000].strip() for text in texts(seed))
    return [f"{n} {line}" for n, line in enumerate(islice(lines, count))]


async def kill_in_turn(
    server: Aparte, deaths: list[Callable[[], bool]], progress: Callable[[], int], every: int
) -> int:
    """Kill a worker, PostgreSQL, Valkey and the devices' processes in turn, each when people got a word in since."""
    rng, kills, said = random.Random(11), 0, 0
    servers = [lambda what=what: bool(server.children(what)) and bool(server.kill(what)) for what in VICTIMS]
    turn = [*servers, *deaths]
    try:
        while True:
            for die in turn:
                while progress() < said + every:  # noqa: ASYNC110 - other processes' doings are waited for
                    await asyncio.sleep(rng.uniform(0.01, 0.05))
                said = progress()
                kills += die()
    except asyncio.CancelledError:
        return kills


VICTIMS = ["aparte.server", "postgres", "valkey-server"]


async def read_a_book(tmp_path: Path, count: int) -> None:
    """Alice and bob read to each other, half each; everything comes once, in order, to all three devices."""
    with aparte(workers=2) as server:
        terminal = Terminal(tmp_path, server.url)
        alice, bob = await meet(terminal)
        async with listening(terminal, "laptop", "phone", "bob") as (laptop, phone, bobs):
            hers = Speaker(terminal, "laptop", f"@{bob}", book(1, count // 2), lambda: bobs.texts(alice))
            his = Speaker(terminal, "bob", f"@{alice}", book(2, count // 2), lambda: laptop.texts(bob))
            speakers, listeners = (hers, his), (laptop, phone, bobs)
            deaths = [lambda one=one: kill(one.process) for one in (*speakers, *listeners)]
            killing = asyncio.create_task(
                kill_in_turn(server, deaths, lambda: hers.acknowledged + his.acknowledged, max(6, count // 60))
            )
            await asyncio.gather(*(speaker.speak() for speaker in speakers))
            killing.cancel()
            kills = await killing
            server.await_ready()
            for listener, sender, speaker in (
                (bobs, alice, hers),
                (laptop, bob, his),
                (phone, alice, hers),
                (phone, bob, his),
            ):
                await listener.hears(sender, speaker.lines[-1], seconds=120)
                said = [text for text in listener.texts(sender) if not text.startswith("¶")]
                assert said == speaker.lines, f"{listener.profile} heard something else than {sender} said"
        unreadable = [await unreadable_on(terminal, profile) for profile in ("laptop", "phone", "bob")]
    print(f"{count} lines, {kills} deaths, {sum(unreadable)} unreadable")  # noqa: T201 - the number is the result
    assert sum(unreadable) == 0
    assert kills >= len(VICTIMS) + 5, "it was over before everything was killed once"


async def unreadable_on(terminal: Terminal, profile: str) -> int:
    """How many entries a device could not open."""
    place = Place(profile, home=terminal.home, server=terminal.server)
    async with Client.open(place) as client:
        return sum(client.unreadable().values())


@pytest.mark.timeout(600)
async def test_a_few_pages_arrive_once_and_in_order_whatever_is_killed(tmp_path: Path) -> None:
    await read_a_book(tmp_path, LINES)


@pytest.mark.long
@pytest.mark.timeout(3_600)
async def test_a_whole_book_arrives_once_and_in_order_whatever_is_killed(tmp_path: Path) -> None:
    await read_a_book(tmp_path, BOOK)
