"""The doorbell between processes: what one rings, the others with sockets of the audience hear, exactly as it was."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from tests.support.valkey import Server, running, until

from aparte.server.kit.doorbell import (
    Ended,
    Hint,
    Joined,
    Left,
    ToAccount,
    ToConversation,
    ToConversationSealed,
    ToDevice,
)
from aparte.server.kit.valkey import Valkey
from aparte.server.realtime import bus as module
from aparte.server.realtime.bus import Bus
from aparte.wire import frames
from aparte.wire.codec import to_json, to_msgpack
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, SessionId
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope, Sealed

Node = tuple[Bus, list[tuple[Hint, Any]]]
Start = Callable[[], Any]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as here:
        yield here


@pytest.fixture
async def start(server: Server) -> AsyncIterator[Start]:
    """Start one more process's bus; gives it and what it hears."""
    async with AsyncExitStack() as stack:

        async def one() -> Node:
            valkey = Valkey(server.url)
            await valkey.open()
            stack.push_async_callback(valkey.close)
            heard: list[tuple[Hint, Any]] = []
            bus = Bus(valkey, uuid4())
            bus.on_hint = lambda hint, encoded: heard.append((hint, encoded))
            bus.start()
            stack.push_async_callback(bus.close)
            return bus, heard

        yield one


def live(conversation: UUID, seq: int) -> frames.Live:
    """A frame with everything that encodes differently: ids, a time, free JSON."""
    entry = Entry(
        seq=seq,
        id=EntryId(uuid4()),
        kind=1,
        at=datetime(2026, 5, 4, 3, 2, 1, 987_000, UTC),
        account=AccountId(uuid4()),
        device=DeviceId(uuid4()),
        body={"text": "Grüß Gott 👋", "metadata": {"n": [1, None, 2.5]}},
    )
    return frames.Live(ConversationId(conversation), entry)


async def rung(bus: Bus, hints: list[Hint], heard: list[tuple[Hint, Any]], count: int) -> None:
    """Ring until it is heard: subscriptions take a moment, and hints may be lost meanwhile."""

    async def is_heard() -> bool:
        bus.publish(hints)
        await asyncio.sleep(0.02)
        return len(heard) >= count

    await until(is_heard)


async def test_a_frame_arrives_at_the_other_process_encoded_for_both_and_not_at_its_own(start: Start) -> None:
    (mine, my_heard), (theirs, their_heard) = await start(), await start()
    conversation = ConversationId(uuid4())
    hint = ToConversation(conversation, live(conversation, 7))
    for bus in (mine, theirs):
        bus.watch(f"conversation:{conversation}")
    await rung(mine, [hint], their_heard, 1)
    arrived, encoded = their_heard[0]
    assert encoded == {"json": to_json(hint.frame), "msgpack": to_msgpack(hint.frame)}
    assert arrived == hint
    assert my_heard == []


async def test_everything_about_an_account_comes_over_its_channel_in_order(start: Start) -> None:
    (mine, _), (theirs, heard) = await start(), await start()
    account, session, conversation = AccountId(uuid4()), SessionId(uuid4()), ConversationId(uuid4())
    theirs.watch(f"account:{account}")
    theirs.watch(f"session:{session}")
    hints: list[Hint] = [
        Joined(account, conversation),
        ToAccount(account, frames.States(rev=4)),
        Left(account, conversation),
        Joined(AccountId(uuid4()), conversation),
        Ended(session),
        Ended(SessionId(uuid4())),
    ]
    await rung(mine, hints, heard, 4)
    assert [hint for hint, _ in heard][:4] in ([*hints[:3], hints[4]], [hints[4], *hints[:3]])


async def test_a_sealed_entry_and_what_is_for_one_device_arrive_as_they_were(start: Start) -> None:
    (mine, _), (theirs, heard) = await start(), await start()
    conversation, device = ConversationId(uuid4()), DeviceId(uuid4())
    theirs.watch(f"conversation:{conversation}")
    theirs.watch(f"device:{device}")
    frame = live(conversation, 3)
    sealed = Sealed(1, b"r" * 32, 4, b"p" * 32, sealed=bytes(range(256)))
    entry = msgspec.structs.replace(frame.entry, body=None, sealed=sealed)
    envelopes = [Envelope(device, 3, b"\xff\x00"), Envelope(DeviceId(uuid4()), 0)]
    hints: list[Hint] = [
        ToConversationSealed(conversation, frames.Live(conversation, entry), envelopes),
        ToDevice(device, frames.Waiting()),
        ToDevice(DeviceId(uuid4()), frames.Waiting()),
    ]
    await rung(mine, hints, heard, 2)
    arrived = [hint for hint, _ in heard][:2]
    assert arrived in (hints[:2], hints[1::-1])


async def test_nobody_hears_what_is_no_longer_watched(start: Start) -> None:
    (mine, _), (theirs, heard) = await start(), await start()
    kept, given_up = ConversationId(uuid4()), ConversationId(uuid4())
    for conversation in (kept, given_up):
        theirs.watch(f"conversation:{conversation}")
    theirs.unwatch(f"conversation:{given_up}")
    hints: list[Hint] = [ToConversation(each, live(each, 1)) for each in (given_up, kept)]
    await rung(mine, hints, heard, 3)
    assert {hint.conversation for hint, _ in heard if isinstance(hint, ToConversation)} == {kept}


async def test_whispers_reach_the_other_process_alone(start: Start) -> None:
    (mine, _), (theirs, hints) = await start(), await start()
    here: list[frames.FromServer] = []
    there: list[frames.FromServer] = []
    mine.overhear("typing:1", here.append)
    theirs.overhear("typing:1", there.append)
    frame = frames.Writing(ConversationId(uuid4()), AccountId(uuid4()), on=True)

    async def is_heard() -> bool:
        mine.whisper("typing:1", frame)
        await asyncio.sleep(0.02)
        return bool(there)

    await until(is_heard)
    assert there[0] == frame
    assert here == []
    assert hints == []


async def test_a_process_alone_is_silent_until_another_starts_and_again_when_that_one_leaves(start: Start) -> None:
    first, _ = await start()
    assert not first.is_alone

    async def is_alone() -> bool:
        await first.heartbeat()
        return first.is_alone

    await until(is_alone)
    second, heard = await start()
    await until(lambda: not first.is_alone, 2)  # long before the next heartbeat
    await second.heartbeat()
    assert not second.is_alone
    conversation = ConversationId(uuid4())
    second.watch(f"conversation:{conversation}")
    await rung(first, [ToConversation(conversation, live(conversation, 1))], heard, 1)
    await second.close()
    await until(is_alone)


async def test_a_node_that_died_is_struck_from_the_list_after_a_while(start: Start, server: Server) -> None:
    first, _ = await start()
    valkey = Valkey(server.url)
    await valkey.open()
    clock = await valkey.call("TIME")
    await valkey.call("HSET", module.NODE_STATUS, "dead", int(clock[0]) - module.GONE_SECONDS - 1)
    await valkey.call("HSET", module.NODE_STATUS, "silent", int(clock[0]) - module.GONE_SECONDS + 5)
    await first.heartbeat()
    assert not first.is_alone
    assert await valkey.call("HEXISTS", module.NODE_STATUS, "dead") == 0
    assert await valkey.call("HEXISTS", module.NODE_STATUS, "silent") == 1
    await valkey.close()


async def test_hints_flow_again_after_valkey_was_killed_and_is_back_empty(start: Start, server: Server) -> None:
    (mine, _), (theirs, heard) = await start(), await start()
    conversation = ConversationId(uuid4())
    theirs.watch(f"conversation:{conversation}")
    hint = ToConversation(conversation, live(conversation, 1))
    await rung(mine, [hint], heard, 1)
    server.kill()
    for _ in range(50):
        mine.publish([hint])
        await mine.heartbeat()
    assert not mine.is_alone
    await server.start()
    heard.clear()
    await rung(mine, [hint], heard, 1)
    assert heard[0][0] == hint
