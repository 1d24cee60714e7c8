"""Valkey may hang, die and come back empty: nobody waits for it, and it is used again once it answers (R3, R15)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.valkey import Server, free_port, running, until

from aparte.server.kit import valkey as module
from aparte.server.kit.valkey import Valkey, ValkeyAway


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as here:
        yield here


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Valkey]:
    """A client of it."""
    valkey = Valkey(url)
    await valkey.open()
    try:
        yield valkey
    finally:
        await valkey.close()


@pytest.fixture
async def valkey(server: Server) -> AsyncIterator[Valkey]:
    async with opened(server.url) as client:
        yield client


async def test_it_is_there_after_opening_and_answers(valkey: Valkey) -> None:
    assert valkey.available
    assert await valkey.call("SET", "key", b"\x00\xff", "EX", 5) == b"OK"
    assert await valkey.call("GET", "key") == b"\x00\xff"
    assert await valkey.call("GET", "nothing") is None
    await valkey.call("HSET", "hash", "a", 1, "b", 2.5)
    assert await valkey.call("HGETALL", "hash") == {b"a": b"1", b"b": b"2.5"}


async def test_commands_of_many_callers_share_round_trips_and_get_their_own_replies(valkey: Valkey) -> None:
    async def one(number: int) -> None:
        replies = await valkey.batch([("SET", f"k{number}", number), ("GET", f"k{number}"), ("ECHO", "x" * number)])
        assert replies == [b"OK", str(number).encode(), b"x" * number]

    await asyncio.gather(*(one(number) for number in range(500)))


async def test_a_refused_command_fails_alone(valkey: Valkey) -> None:
    await valkey.call("SET", "string", "x")
    refused = valkey.call("HGETALL", "string")
    others = [valkey.call("GET", "string") for _ in range(3)]
    outcomes = await asyncio.gather(others[0], refused, others[1], others[2], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [bytes, ValkeyAway, bytes, bytes]
    assert valkey.available


async def test_a_cancelled_caller_leaves_the_others_their_replies(valkey: Valkey) -> None:
    gone = asyncio.create_task(valkey.call("ECHO", "gone"))
    stays = asyncio.create_task(valkey.call("ECHO", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == b"stays"


async def test_nobody_there_from_the_start_is_no_reason_to_fail() -> None:
    async with opened(f"redis://127.0.0.1:{free_port()}") as valkey:
        assert not valkey.available
        started = time.monotonic()
        for _ in range(100):
            with pytest.raises(ValkeyAway):
                await valkey.call("PING")
            valkey.publish(b"channel", b"lost")
        assert time.monotonic() - started < module.CALL_SECONDS


async def test_the_wrong_password_counts_as_away(server: Server) -> None:
    async with opened(f"redis://:wrong@127.0.0.1:{server.port}") as valkey:
        assert not valkey.available
        with pytest.raises(ValkeyAway):
            await valkey.call("PING")


async def test_it_is_used_again_after_being_killed_and_started_empty(server: Server, valkey: Valkey) -> None:
    heard: list[bytes] = []
    valkey.subscribe(b"channel", heard.append)
    await valkey.call("SET", "key", "x")
    server.kill()
    await until(lambda: not valkey.available, 5)
    with pytest.raises(ValkeyAway):
        await valkey.call("GET", "key")
    await asyncio.sleep(1)
    await server.start()
    await until(lambda: valkey.available, 10)
    assert await valkey.call("GET", "key") is None

    def is_heard() -> bool:
        valkey.publish(b"channel", b"again")
        return b"again" in heard

    await until(is_heard, 10)


async def test_a_hanging_valkey_costs_a_few_callers_a_quarter_of_a_second_and_the_others_nothing(
    server: Server, valkey: Valkey
) -> None:
    server.freeze()
    waits = []
    ended = time.monotonic() + 3
    while time.monotonic() < ended:
        started = time.monotonic()
        with pytest.raises(ValkeyAway):
            await valkey.call("GET", "key")
        waits.append(time.monotonic() - started)
        await asyncio.sleep(0.005)
    assert max(waits) < module.CALL_SECONDS + 0.2
    assert len([wait for wait in waits if wait > 0.1]) < 8
    assert len(waits) > 100
    server.thaw()
    await until(lambda: valkey.available, 10)
    assert await valkey.call("PING") == b"PONG"


async def test_what_is_published_reaches_every_subscriber_in_order(server: Server, valkey: Valkey) -> None:
    async with opened(server.url) as other:
        heard: dict[int, list[bytes]] = {number: [] for number in range(3_000)}
        for number, mine in heard.items():
            other.subscribe(b"channel:%d" % number, mine.append)
        await until(lambda: _subscribed(valkey, 3_000))
        for round_ in range(3):
            for number in heard:
                valkey.publish(b"channel:%d" % number, b"%d/%d" % (number, round_))
        await until(lambda: all(len(mine) == 3 for mine in heard.values()))
        for number, mine in heard.items():
            assert mine == [b"%d/%d" % (number, round_) for round_ in range(3)]
            other.unsubscribe(b"channel:%d" % number)
        await until(lambda: _subscribed(valkey, 0))


async def _subscribed(valkey: Valkey, count: int) -> bool:
    channels = await valkey.call("PUBSUB", "CHANNELS")
    return len(channels) == count


async def test_wanting_and_not_wanting_in_turn_ends_with_the_last_wish(valkey: Valkey) -> None:
    heard: list[bytes] = []
    for _ in range(50):
        valkey.subscribe(b"on", heard.append)
        valkey.unsubscribe(b"on")
        valkey.subscribe(b"off", heard.append)
        valkey.unsubscribe(b"off")
        await asyncio.sleep(0.001)
    valkey.subscribe(b"on", heard.append)

    def is_heard() -> bool:
        valkey.publish(b"off", b"never")
        valkey.publish(b"on", b"yes")
        return b"yes" in heard

    await until(is_heard)
    assert b"never" not in heard


async def test_a_failing_callback_does_not_end_listening(valkey: Valkey) -> None:
    heard: list[bytes] = []

    def fail(_: bytes) -> None:
        raise RuntimeError

    valkey.subscribe(b"bad", fail)
    valkey.subscribe(b"good", heard.append)

    def is_heard() -> bool:
        valkey.publish(b"bad", b"x")
        valkey.publish(b"good", b"x")
        return len(heard) > 3

    await until(is_heard)


async def test_hints_that_cannot_go_out_are_bounded_and_the_oldest_are_dropped(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES", 10_000)
    heard: list[bytes] = []
    valkey.subscribe(b"channel", heard.append)
    await until(lambda: _subscribed(valkey, 1))
    for number in range(1_000):  # without a pause: nothing goes out meanwhile
        valkey.publish(b"channel", b"%0100d" % number)
    await until(lambda: bool(heard) and int(heard[-1]) == 999)
    assert 10 < len(heard) < 100
    assert [int(one) for one in heard] == list(range(1_000 - len(heard), 1_000))


async def test_closing_ends_every_connection(server: Server) -> None:
    async with opened(server.url) as watcher:
        async with opened(server.url) as valkey:
            valkey.subscribe(b"channel", print)
            await until(lambda: _clients(watcher, 4))
        await until(lambda: _clients(watcher, 2))


async def _clients(valkey: Valkey, count: int) -> bool:
    listed: bytes = await valkey.call("CLIENT", "LIST")
    return len(bytes(listed).splitlines()) == count
