"""The load generator counts right: against a bare relay, everything sent is acknowledged, and heard by the others."""

import pytest

from aparte.bench import floor
from aparte.bench.frames import clock
from aparte.bench.load import Drive


@pytest.mark.parametrize(
    ("rooms", "members", "drive"),
    [
        (3, 2, Drive(seconds=0.5, warm_up=0.1, window=4, acks=False)),
        (1, 6, Drive(seconds=0.5, warm_up=0.1, senders=2, acks=False)),
    ],
)
async def test_a_closed_loop_loses_and_invents_nothing(rooms: int, members: int, drive: Drive) -> None:
    outcome = await floor.measure(rooms, members, drive)
    assert outcome.undelivered == 0
    assert outcome.errors == {}
    assert 0 < outcome.acknowledged <= outcome.total
    assert len(outcome.latencies) == outcome.delivered > 0
    assert outcome.spent["server"] > 0


async def test_an_open_loop_sends_what_is_due() -> None:
    start = clock()
    outcome = await floor.measure(2, 2, Drive(seconds=1.0, warm_up=0.2, rate=100, acks=False))
    assert outcome.undelivered == 0
    assert 99 <= outcome.total <= 100 * (clock() - start) / 1e6
