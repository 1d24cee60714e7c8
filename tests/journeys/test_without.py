"""What still works without Valkey, and without PostgreSQL, and how it comes back."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from tests.support import database, people
from tests.support.devices import Follower, all_reach
from tests.support.people import Problem
from tests.support.server import Aparte, aparte, served

LATE_SECONDS = 35


@contextmanager
def unattended(server: Aparte) -> Iterator[None]:
    """Let the supervisor sleep, so that it restarts nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.timeout(180)
async def test_without_valkey_from_the_start_everything_but_presence_works(
    cluster: database.Cluster, database_name: str
) -> None:
    dsns = {
        "DATABASE_URL": cluster.dsn(database_name, service=True),
        "DATABASE_ADMIN_URL": cluster.dsn(database_name, service=False),
    }
    with served(dsns, workers=2) as server:
        async with people.world(server.url) as world:
            ready = (503, {"status": "unavailable"})
            async with asyncio.timeout(30):
                while ready[0] == 503:  # the other worker may be a moment behind the one that was waited for
                    async with world.http.get(f"{server.url}/ready") as response:
                        ready = (response.status, await response.json())
            assert ready == (200, {"status": "degraded", "without": ["valkey"]})
            alice = await world.register("alice")
            room = await alice.room()
            readers = [await world.register("reader") for _ in range(8)]
            for reader in readers:
                await reader.join(room)
            followers = [Follower(reader, room) for reader in readers]
            for follower in followers:
                follower.start()
            started = time.monotonic()
            sent = [await alice.send(room, f"{n}") for n in range(20)]
            assert time.monotonic() - started < 10, "sends wait for Valkey"
            await all_reach(followers, {room: sent[-1]["seq"]}, LATE_SECONDS)
            async with readers[0].gateway() as gateway:
                await gateway.send({"type": "watch", "accounts": [alice.account], "conversations": [room]})
                presence = await gateway.wait(lambda f: f["type"] == "presence")
                assert presence["status"] == "unknown"
                await gateway.send({"type": "typing", "conversation": room})
                assert (await gateway.ask("state"))["type"] == "states"
            await alice.call("DELETE", "/sessions/current")
            with pytest.raises(Problem, match="unauthenticated"):
                await alice.get("/accounts/me")


@pytest.mark.timeout(120)
async def test_when_valkey_dies_messages_still_go_round_and_hints_come_back_with_it() -> None:
    """R3: back to normal within 10 s after it returns, without a restart."""
    with aparte(workers=2) as server:
        async with people.world(server.url) as world:
            alice, bob = await world.register("alice"), await world.register("bob")
            room = await alice.room()
            await bob.join(room)
            follower = Follower(bob, room)
            follower.start()
            with unattended(server):
                server.kill("valkey-server")
                sent = await alice.send(room, "without hints")
                await follower.reach(room, sent["seq"], LATE_SECONDS)
            async with asyncio.timeout(30):
                while True:
                    async with world.http.get(f"{server.url}/ready") as response:
                        if (await response.json())["status"] == "ready":
                            break
                    await asyncio.sleep(0.2)
            sent = await alice.send(room, "with hints")
            await follower.reach(room, sent["seq"], 10)
            await follower.stop()


@pytest.mark.timeout(120)
async def test_when_postgresql_dies_callers_are_told_at_once_and_sockets_stay() -> None:
    """R2, R21: 503 with Retry-After within two seconds; recovery by itself, on the same sockets."""
    with aparte() as server:
        async with people.world(server.url) as world:
            alice, bob = await world.register("alice"), await world.register("bob")
            room = await alice.room()
            await bob.join(room)
            async with bob.gateway() as there, alice.gateway() as here:
                with unattended(server):
                    server.kill("postgres")
                    started = time.monotonic()
                    with pytest.raises(Problem) as refused:
                        await alice.send(room, "into the void")
                    assert (refused.value.status, refused.value.code) == (503, "unavailable")
                    assert "Retry-After" in refused.value.headers
                    message = {"client_message_id": str(uuid4()), "content": {"text": "again"}}
                    answer = await here.ask("send", conversation=room, message=message)
                    assert answer["code"] == "unavailable"
                    assert answer["retry_after"] > 0
                    assert time.monotonic() - started < 2 * 2, "each answer within two seconds"
                    await asyncio.sleep(6)
                    async with world.http.get(f"{server.url}/ready") as response:
                        assert response.status == 503
                    async with world.http.get(f"{server.url}/live") as response:
                        assert response.status == 200
                async with asyncio.timeout(30):
                    answer = {"type": "error"}
                    while answer["type"] != "sent":
                        await asyncio.sleep(0.2)
                        answer = await here.ask("send", conversation=room, message=message)
                assert (await there.entry(room))["body"] == {"text": "again"}
            assert await bob.texts(room) == ["again"]


@pytest.mark.timeout(120)
async def test_a_restart_drains_and_tells_devices_when_to_come_back() -> None:
    """R10: what was taken is finished, sockets close with 1012 and a delay, the process ends with 0."""
    with aparte() as server:
        async with people.world(server.url) as world:
            alice = await world.register("alice")
            room = await alice.room()
            async with alice.gateway() as here:
                for n in range(50):
                    message = {"client_message_id": str(uuid4()), "content": {"text": f"{n}"}}
                    await here.send({"type": "send", "ref": 1_000 + n, "conversation": room, "message": message})
                await here.wait(lambda f: f.get("ref") == 1_000)
                os.kill(server.pid, signal.SIGTERM)
                assert await here.closing(15) == 1012
                sent = {f["ref"] for f in here.frames if f["type"] == "sent"}
        assert server.wait(30) == 0
        server.start()
        async with people.world(server.url) as world:
            alice.http = world.http
            stored = await alice.texts(room, limit=100)
    assert len(stored) >= len(sent)
    assert stored == [str(n) for n in range(len(stored))]
