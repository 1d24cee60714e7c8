"""Somebody of a measurement who speaks to a group with the SDK, as people do: how long first and later messages take.

The others exist on the server alone. Their keys are real, so that every session is begun as with anybody.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple

from aparte.bench.crowd import PASSWORD, crowd, name_of
from aparte.bench.direct import second_device
from aparte.bench.report import Figure, Section
from aparte.bench.server import Server
from aparte.client import Client, Credentials, Place
from aparte.client.crypto import membership, sealing

NAME = "bench_speaker"
WARM_UP = 3
MESSAGES = 100


class Call(NamedTuple):
    """When something began and ended, in seconds."""

    began: float
    ended: float


async def run(server: Server, people: int) -> Section:
    """Make a group of so many others with two devices each, and speak to it."""
    async with crowd(server.url) as here:
        others = await here.people(people)
        await here.each(others, lambda connection, person: second_device(here, connection, person))
    names = [name_of(person.account) for person in others]
    with TemporaryDirectory(prefix="aparte-bench-") as folder:
        place = Place("bench", home=Path(folder), server=server.url)
        who = Credentials(NAME, PASSWORD)
        async with Client.register(place, who, email=f"{NAME}@example.org") as me:
            figures = await _spoken(me, names)
            if server.is_own:
                figures += await _stored(server)
    return Section(f"the SDK in 1 group of {2 * people} other devices of {people} people", figures)


async def _spoken(me: Client, names: list[str]) -> list[Figure]:
    with watched(membership, "create") as made:
        group = await me.groups.new_group("bench", names)  # whose first message says its name
        first = time.perf_counter() - made[0].ended
    target = str(group.id)
    await me.remove_member(target, names[0])
    new_chain = await _seconds(me, target)
    for _ in range(WARM_UP):
        await _seconds(me, target)
    cpu = time.process_time()
    with watched(sealing, "finished") as sealed:
        later = [await _seconds(me, target) for _ in range(MESSAGES)]
    cpu = time.process_time() - cpu
    return [
        Figure("first_message", first, "s"),
        Figure("first_message_of_a_new_chain", new_chain, "s"),
        Figure("later_message", 1000 * median(later), "ms"),
        Figure("later_message_sealing", 1000 * median(call.ended - call.began for call in sealed), "ms"),
        Figure("later_message_cpu", 1000 * cpu / MESSAGES, "ms"),
    ]


async def _seconds(me: Client, group: str) -> float:
    before = time.perf_counter()
    await me.send(group, "x" * 100)
    return time.perf_counter() - before


async def _stored(server: Server) -> list[Figure]:
    """What the server keeps of the last message: its content and its keys, for however many devices."""
    from aparte.bench import store  # noqa: PLC0415 - asyncpg is no package of the client's

    connection = await store.connect(server.admin_dsn)
    try:
        contents, keys = await store.count_newest(connection)
    finally:
        await connection.close()
    return [Figure("ciphertexts_of_a_later_message", contents), Figure("keys_of_a_later_message", keys)]


@contextmanager
def watched(where: ModuleType, name: str) -> Iterator[list[Call]]:
    """Note when a function of a module begins and ends, as long as the context lasts."""
    calls: list[Call] = []
    before: Callable[..., Any] = getattr(where, name)

    @wraps(before)
    def noted(*args: Any, **more: Any) -> Any:
        began = time.perf_counter()
        found = before(*args, **more)
        if asyncio.iscoroutine(found):
            return _awaited(found, began, calls)
        calls.append(Call(began, time.perf_counter()))
        return found

    setattr(where, name, noted)
    try:
        yield calls
    finally:
        setattr(where, name, before)


async def _awaited(found: Any, began: float, calls: list[Call]) -> Any:
    result = await found
    calls.append(Call(began, time.perf_counter()))
    return result
