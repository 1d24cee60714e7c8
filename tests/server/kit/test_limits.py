"""The rate limits by themselves and between processes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.kit.limits import LIMITS, Bucket, Limit, Limiter
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


class Away:
    """A Valkey that is not there."""

    def __init__(self, *, available: bool) -> None:
        self.available = available
        self.calls = 0

    async def call(self, *arguments: Any) -> Any:
        self.calls += 1
        raise ConnectionError(arguments[0])


@pytest.mark.parametrize("available", [True, False])
@pytest.mark.parametrize("name", ["login", "send"])
async def test_without_valkey_each_process_keeps_to_the_limit_by_itself(name: str, available: bool) -> None:
    limiter = Limiter(Away(available=available), clock=Time())
    assert await draws(limiter, name, "a", 100) == int(LIMITS[name].capacity)
    await limiter.share()
