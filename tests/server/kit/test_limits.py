"""The rate limits by themselves and between processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.valkey import Server, running, until

from aparte.server.kit.limits import LIMITS, Bucket, Limit, Limiter
from aparte.server.kit.valkey import Valkey
from aparte.wire.errors import Refusal


class Time:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def draws(limiter: Limiter, name: str, key: str, times: int) -> int:
    """How many of so many draws are granted."""
    granted = 0
    for _ in range(times):
        try:
            await limiter.draw(name, key)
            granted += 1
        except Refusal as refusal:
            if refusal.code != "rate_limited" or not refusal.retry_after:
                raise
    return granted


@pytest.mark.parametrize("name", sorted(LIMITS))
async def test_grants_the_capacity_at_once_and_not_one_more(name: str) -> None:
    limiter = Limiter(clock=Time())
    assert await draws(limiter, name, "a", int(LIMITS[name].capacity) + 50) == int(LIMITS[name].capacity)


async def test_keys_do_not_share_a_bucket() -> None:
    limiter = Limiter(clock=Time())
    assert await draws(limiter, "send", "a", 30) == 20
    assert await draws(limiter, "send", "b", 30) == 20


async def test_waiting_as_long_as_told_is_enough() -> None:
    clock = Time()
    limiter = Limiter(clock=clock)
    await draws(limiter, "login_name", "a", 20)
    with pytest.raises(Refusal) as refused:
        await limiter.draw("login_name", "a")
    clock.now += (refused.value.retry_after or 0) + 0.01
    await limiter.draw("login_name", "a")


async def test_a_refused_draw_costs_nothing() -> None:
    clock = Time()
    limiter = Limiter(clock=clock)
    await draws(limiter, "send", "a", 500)
    clock.now += 1.0
    assert await draws(limiter, "send", "a", 500) == 5


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5)), max_size=60),
    st.floats(1, 50),
    st.floats(0.05, 20),
)
def test_never_grants_more_than_capacity_and_refill(
    steps: list[tuple[float, int]], capacity: float, refill: float
) -> None:
    bucket, limit, now, granted = Bucket(), Limit(capacity, refill), 0.0, 0.0
    for pause, cost in steps:
        now += pause
        if bucket.take(limit, cost, now) == 0:
            granted += cost
        assert granted <= capacity + refill * now + 1e-6


async def test_the_factor_scales_and_cannot_switch_off() -> None:
    assert await draws(Limiter(factor=2, clock=Time()), "send", "a", 100) == 40
    for factor in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            Limiter(factor=factor)


async def test_the_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aparte.server.kit.limits.BUCKETS", 10)
    limiter = Limiter()
    for n in range(100):
        await limiter.draw("send", str(n))
    assert len(limiter._buckets["send"]) == 10


def test_the_document_says_what_the_limits_are() -> None:
    text = (Path(__file__).parents[3] / "docs" / "rate-limits.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    written = {name.strip("`"): (float(at_once), float(refill)) for name, _, at_once, refill, _ in rows}
    assert written == {name: (limit.capacity, round(limit.refill, 4)) for name, limit in LIMITS.items()}


# Between processes ------------------------------------------------------------------------------------------------


@pytest.fixture
async def valkey() -> AsyncIterator[Server]:
    async with running() as here:
        yield here


@pytest.fixture
async def two(valkey: Server) -> AsyncIterator[tuple[Limiter, Limiter]]:
    """Two processes with one Valkey."""
    clients = [Valkey(valkey.url), Valkey(valkey.url)]
    for client in clients:
        await client.open()
    yield Limiter(clients[0]), Limiter(clients[1])
    for client in clients:
        await client.close()


async def test_what_guards_passwords_is_one_limit_for_all_processes(two: tuple[Limiter, Limiter]) -> None:
    granted = 0
    for _ in range(40):
        for limiter in two:
            granted += await draws(limiter, "login", "192.0.2.1", 1)
    assert LIMITS["login"].capacity <= granted <= LIMITS["login"].capacity + 3


async def test_r_016_a_flood_on_two_processes_gets_at_most_half_as_much_again(two: tuple[Limiter, Limiter]) -> None:
    limit = LIMITS["send"]
    granted, began = 0, time.monotonic()
    while (passed := time.monotonic() - began) < 3:
        for limiter in two:
            granted += await draws(limiter, "send", "alice", 5)
            await limiter.share()
        await asyncio.sleep(0.05)
    assert granted <= 1.5 * (limit.capacity + limit.refill * passed)
    assert granted >= limit.capacity


async def test_a_process_that_meets_a_key_late_does_not_start_with_a_full_bucket(two: tuple[Limiter, Limiter]) -> None:
    first, second = two
    await draws(first, "register", "192.0.2.1", 20)
    assert await draws(second, "register", "192.0.2.1", 20) <= 2
    assert await draws(second, "register", "192.0.2.2", 30) == 20


async def test_valkey_is_not_told_whose_counters_these_are(two: tuple[Limiter, Limiter], valkey: Server) -> None:
    await draws(two[0], "login_name", "hunter2", 3)
    client = Valkey(valkey.url)
    await client.open()
    names = await client.call("KEYS", "*")
    assert len(names) == 1
    assert b"hunter2" not in names[0]
    assert 0 < await client.call("TTL", names[0]) <= 2 * 200 + 10
    await client.close()


async def test_r_015_when_valkey_dies_each_process_keeps_to_the_limit_and_when_it_returns_they_share_again(
    two: tuple[Limiter, Limiter], valkey: Server
) -> None:
    first, second = two
    await draws(first, "login", "a", 1)
    valkey.kill()
    for limiter in two:
        assert await draws(limiter, "login", "192.0.2.1", 100) == 30
    await valkey.start()
    await until(lambda: all(limiter._valkey is not None and limiter._valkey.available for limiter in two))
    granted = await draws(first, "login", "192.0.2.3", 20) + await draws(second, "login", "192.0.2.3", 40)
    assert granted <= 32


async def test_r_015_nobody_waits_long_for_a_valkey_that_hangs(two: tuple[Limiter, Limiter], valkey: Server) -> None:
    valkey.freeze()
    async with asyncio.timeout(5):
        granted = [await draws(limiter, "login", "192.0.2.1", 100) for limiter in two]
    assert granted == [30, 30]
    valkey.thaw()


async def test_what_is_drawn_in_the_background_is_shared_by_itself(two: tuple[Limiter, Limiter]) -> None:
    tasks = [asyncio.create_task(limiter.run()) for limiter in two]
    first, second = two
    assert await draws(first, "directory", "alice", 60) == 60
    await draws(second, "directory", "alice", 16)
    await asyncio.sleep(0.8)
    assert await draws(second, "directory", "alice", 60) <= 4
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
