"""G1: words of encrypted conversations are nowhere but on their devices; those of a room are, by the same search.

Looked through: a dump, the files of PostgreSQL with its write-ahead log, logs and everything else in the server's
folder, what Valkey stores and publishes, and the memory of every process of the server. On a device with a passphrase,
its profile's files.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.support import canary
from tests.support.server import Aparte, aparte
from tests.support.talk import Company, Talker, company


@dataclass
class Words:
    """What is searched for, and whether the server may know it."""

    room: str
    text: str
    edit: str
    notes: str
    lost: str
    reaction: str
    """At most 20 characters."""

    @property
    def secret(self) -> re.Pattern[bytes]:
        """Everything that only devices may know."""
        found = [self.text, self.edit, self.reaction, self.notes, self.lost]
        return re.compile(b"|".join(canary.forms(word).pattern for word in found))

    @property
    def readable(self) -> re.Pattern[bytes]:
        """What the server may know: whoever does not find it has not looked."""
        return canary.forms(self.room)


async def live(people: Company, words: Words) -> tuple[Talker, Talker]:
    """Put every canary where people put words."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    room = f"#room-{alice.username}"
    await alice.client.new_room(room)
    await bob.client.join(room)
    await alice.client.send(room, words.room)
    sent = await alice.client.send(bob.name, words.text)
    await bob.hears(words.room, words.text)
    await alice.client.edit(bob.name, sent.id, f"changed: {words.edit}")
    await bob.client.react(alice.name, sent.id, words.reaction)
    await bob.client.send(alice.name, "and back")
    await alice.hears("and back")
    await alice.client.send("@me", words.notes)
    lost = await alice.client.send(bob.name, words.lost)
    await bob.hears(words.lost)
    await alice.client.delete(bob.name, lost.id)
    return alice, bob


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
    words = Words(*(canary.canary() for _ in range(5)), reaction=canary.canary()[:20])
    with aparte(workers=2, environment={"APARTE_LOG_LEVEL": "debug"}) as server:
        valkey = environment_of(server)[b"VALKEY_URL"].decode()
        async with overheard(valkey) as said, company(tmp_path, server.url) as people:
            await live(people, words)
            kept = await stored_in_valkey(valkey)
        await write_everything_out(server)
        memory = canary.family(server.pid)
        workers = server.children("aparte.server")
        found = {
            "readable": {
                "dump": canary.in_dump(words.readable, server.admin_dsn),
                "files": canary.in_files(words.readable, server.data, server.output),
                "memory": any(canary.in_memory(words.readable, pid) for pid in workers),
                "published": canary.in_bytes(words.readable, bytes(said)),
            },
            "secret": {
                "dump": canary.in_dump(words.secret, server.admin_dsn),
                "files": canary.in_files(words.secret, server.data, server.output),
                "memory": [pid for pid in memory if canary.in_memory(words.secret, pid)],
                "valkey": canary.in_bytes(words.secret, bytes(said) + kept),
            },
        }
        assert not any(found["secret"].values()), found
        assert all(found["readable"].values()), found
        for part in ("pg_wal", "base"):
            assert any(part in file for file in found["readable"]["files"]), f"{part} was not searched"
    assert canary.in_files(words.secret, tmp_path) == []
    assert canary.in_files(words.readable, tmp_path) == []


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
