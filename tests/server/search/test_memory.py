"""What a process remembers of searches, and what it never waits for."""

import asyncio

import pytest
from tests.support.valkey import until

from aparte.server.search import memory
from aparte.server.search.memory import Memory
from aparte.wire.errors import Refusal


class Asked:
    """Counts how often it is asked; `answer` is what it answers."""

    def __init__(self, answer: list[int]) -> None:
        self.answer, self.count = answer, 0

    async def __call__(self) -> list[int]:
        self.count += 1
        return self.answer


async def test_candidates_are_remembered_for_a_moment() -> None:
    """R-322."""
    time = [0.0]
    here, asked = Memory(lambda: time[0]), Asked([1])
    for moment, count in ((0, 1), (memory.KEPT_SECONDS - 0.1, 1), (memory.KEPT_SECONDS, 2)):
        time[0] = moment
        assert await here.candidates("who", asked) == [1]
        assert asked.count == count
    assert await here.candidates("else", asked) == [1]
    assert asked.count == 3


async def test_that_nothing_was_found_is_not_remembered() -> None:
    here, asked = Memory(), Asked([])
    assert [await here.candidates("who", asked) for _ in range(2)] == [[], []]
    assert asked.count == 2


async def test_so_much_is_remembered_and_no_more() -> None:
    here, asked = Memory(lambda: 0.0), Asked([1])
    for number in range(memory.KEPT + 1):
        await here.candidates(number, asked)
    await here.candidates(memory.KEPT, asked)
    assert asked.count == memory.KEPT + 1
    await here.candidates(0, asked)
    assert asked.count == memory.KEPT + 2


async def test_a_search_that_takes_too_long_is_refused_and_leaves_its_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SECONDS", 0.01)
    here = Memory()
    for _ in range(memory.AT_ONCE + 1):
        with pytest.raises(Refusal, match="unavailable"):
            async with here.seat():
                await asyncio.Event().wait()


async def test_one_more_waits_for_a_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SECONDS", 60.0)
    here, leave, seated = Memory(), asyncio.Event(), []

    async def sit(number: int) -> None:
        async with here.seat():
            seated.append(number)
            await leave.wait()

    sitting = [asyncio.ensure_future(sit(number)) for number in range(memory.AT_ONCE + 1)]
    await until(lambda: len(seated) >= memory.AT_ONCE)
    assert len(seated) == memory.AT_ONCE
    leave.set()
    await asyncio.gather(*sitting)
    assert len(seated) == memory.AT_ONCE + 1
