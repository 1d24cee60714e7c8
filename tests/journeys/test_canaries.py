"""G1: words of encrypted conversations are nowhere but on their devices; those of a room are, by the same search.

Looked through: a dump, the files of PostgreSQL with its write-ahead log, logs and everything else in the server's
folder, what Valkey stores and publishes, and the memory of every process of the server. On a device with a passphrase,
its profile's files.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.support import canary
from tests.support.server import Aparte, aparte
from tests.support.talk import Company, Talker, company


async def live(people: Company, readable: str, secret: str) -> None:
    """Put the one into a room, and the other wherever people put words that are for nobody else."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    room = f"#room-{alice.username}"
    await alice.client.new_room(room)
    await bob.client.join(room)
    await alice.client.send(room, readable)
    sent = await alice.client.send(bob.name, f"for bob: {secret}")
    await bob.hears(readable, f"for bob: {secret}")
    await alice.client.edit(bob.name, sent.id, f"changed: {secret}")
    await bob.client.react(alice.name, sent.id, secret)
    await bob.client.send(alice.name, "and back")
    await alice.hears("and back")
    await alice.client.send("@me", f"to myself: {secret}")
    await alice.client.set_draft(bob.name, f"half a thought: {secret}")
    await alice.client.set_draft(room, f"half a thought for the room: {secret}")
    await alice.client.scheduled.add(bob.name, f"for tomorrow: {secret}", datetime.now(UTC) + timedelta(days=1))
    lost = await alice.client.send(bob.name, f"regretted: {secret}")
    await bob.hears(f"regretted: {secret}")
    await alice.client.delete(bob.name, lost.id)
    await live_in_a_group(alice, bob, secret)


async def live_in_a_group(alice: Talker, bob: Talker, secret: str) -> None:
    """Put it wherever a group has words: what it is called and says of itself, what is said, done and changed there."""
    made = await alice.client.groups.new_group(secret, [bob.username], topic=f"topic: {secret}")
    group = str(made.id)
    await alice.client.scheduled.add(group, f"to the group tomorrow: {secret}", datetime.now(UTC) + timedelta(days=1))
    sent = await alice.client.send(group, f"in the group: {secret}")
    await bob.hears(f"in the group: {secret}")
    await bob.client.react(group, sent.id, secret)
    await alice.client.edit(group, sent.id, f"changed in the group: {secret}")
    await alice.client.change_room(group, name=f"renamed {secret}", description=f"description: {secret}")
    link = await alice.client.groups.invite(group)
    await alice.client.change_room(group, name=f"renamed again {secret}")
    assert secret in (await bob.client.groups.look(link)).title, "the card says it to who has the link"
    lost = await bob.client.send(group, f"regretted in the group: {secret}")
    await alice.hears(f"regretted in the group: {secret}")
    await alice.client.delete(group, lost.id)


@asynccontextmanager
async def overheard(url: str) -> AsyncIterator[bytearray]:
    """Everything that goes through Valkey while this lasts."""
    valkey = Redis.from_url(url)
    said = bytearray()

    async def listen() -> None:
        async with valkey.pubsub() as everything:
            await everything.psubscribe("*")
            subscribed.set()
            async for message in everything.listen():
                said.extend(repr(message).encode() + (message["data"] if isinstance(message["data"], bytes) else b""))

    subscribed = asyncio.Event()
    listening = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(subscribed.wait(), 10)
        yield said
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await valkey.aclose()


async def stored_in_valkey(url: str) -> bytes:
    """Every key and value, whatever its type, as Valkey itself writes them."""
    found = bytearray()
    valkey = Redis.from_url(url)
    async for key in valkey.scan_iter("*"):
        found += key + (await valkey.dump(key) or b"")
    await valkey.aclose()
    return bytes(found)


async def write_everything_out(server: Aparte) -> None:
    """Let PostgreSQL write what it has in memory alone."""
    admin = await asyncpg.connect(server.admin_dsn, ssl=False)
    await admin.execute("CHECKPOINT")
    await admin.close()


def environment_of(server: Aparte) -> dict[bytes, bytes]:
    """What a worker was told."""
    data = Path(f"/proc/{server.children('aparte.server')[0]}/environ").read_bytes()
    return dict(item.split(b"=", 1) for item in data.split(b"\0") if b"=" in item)


@pytest.mark.timeout(180)
async def test_the_words_of_encrypted_conversations_are_nowhere_at_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APARTE_PASSPHRASE", "a passphrase of one's own")
    readable, secret = canary.canary(), canary.canary()
    open_, hidden = canary.forms(readable), canary.forms(secret)
    with aparte(workers=2, environment={"APARTE_LOG_LEVEL": "debug"}) as server:
        valkey = environment_of(server)[b"VALKEY_URL"].decode()
        async with overheard(valkey) as said, company(tmp_path, server.url) as people:
            await live(people, readable, secret)
            kept = await stored_in_valkey(valkey)
        await write_everything_out(server)
        workers = set(server.children("aparte.server"))
        known, leaked = canary.in_memory(canary.family(server.pid), open_, hidden)
        found = {
            "readable": {
                "dump": canary.in_dump(open_, server.admin_dsn),
                "files": canary.in_files(open_, server.data, server.output),
                "memory": known & workers,
                "published": canary.in_bytes(open_, bytes(said)),
            },
            "secret": {
                "dump": canary.in_dump(hidden, server.admin_dsn),
                "files": canary.in_files(hidden, server.data, server.output),
                "memory": leaked,
                "valkey": canary.in_bytes(hidden, bytes(said) + kept),
            },
        }
        assert not any(found["secret"].values()), found
        assert all(found["readable"].values()), found
        for part in ("pg_wal", "base"):
            assert any(part in file for file in found["readable"]["files"]), f"{part} was not searched"
    assert canary.in_files(hidden, tmp_path) == []
    assert canary.in_files(open_, tmp_path) == []


def test_a_canary_is_found_in_every_form() -> None:
    word = canary.canary()
    pattern = canary.forms(word)
    raw = word.encode()
    for data in (raw, raw.hex().encode(), word.encode("utf-16-le"), *(encoded(raw, n) for n in range(3))):
        assert canary.in_bytes(pattern, b"x" + data + b"y")
    assert not canary.in_bytes(pattern, raw[:-1])


def encoded(raw: bytes, before: int) -> bytes:
    """Base64 of the word among other bytes."""
    return base64.b64encode(b"?" * before + raw + b"!!!!")
