"""Presence and typing: told to those who have it on screen and may see it, by whatever process their socket is on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from tests.support.rooms import person, room
from tests.support.valkey import Server, running, until

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.valkey import Valkey
from aparte.server.presence.actions import Presence
from aparte.server.presence.frames import Frames
from aparte.server.realtime.bus import Bus
from aparte.wire import frames
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, DeviceId, SessionId


@dataclass
class Process:
    """One server process, as far as presence goes."""

    presence: Presence
    valkey: Valkey
    bus: Bus
    audience: set[tuple[SessionId, ConversationId]] = field(default_factory=set)
    """What its hub would know: whose socket belongs to which conversation."""

    def hears(self, session: SessionId, conversation: ConversationId) -> bool:
        return (session, conversation) in self.audience

    async def enter(self, caller: Caller, *conversations: ConversationId) -> "Screen":
        """A device opens its gateway here."""
        self.audience |= {(caller.session, conversation) for conversation in conversations}
        self.presence.arrived(caller)
        return Screen(self, caller)


@dataclass
class Screen:
    """A device with a socket, and what was pushed to it."""

    process: Process
    caller: Caller
    pushed: list[frames.FromServer] = field(default_factory=list)

    async def watch(self, *accounts: AccountId, conversations: tuple[ConversationId, ...] = ()) -> None:
        frame = frames.Watch(list(accounts), list(conversations))
        await Frames(self.process.presence).watch(self.caller, frame, self.pushed.append)

    async def types(self, conversation: ConversationId, *, on: bool = True) -> None:
        await Frames(self.process.presence).typing(self.caller, frames.Typing(conversation, on), self.pushed.append)

    def leave(self) -> None:
        self.process.presence.gone(self.caller)

    def sees(self, account: AccountId) -> str | None:
        """The newest status that was pushed."""
        seen = [frame for frame in self.pushed if isinstance(frame, frames.Presence) and frame.account == account]
        return seen[-1].status if seen else None

    def reads(self) -> list[tuple[AccountId, bool]]:
        """Who was said to write."""
        return [(frame.account, frame.on) for frame in self.pushed if isinstance(frame, frames.Writing)]


Start = Callable[[], Any]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as here:
        yield here


@pytest.fixture
async def start(server: Server, db: Database) -> AsyncIterator[Start]:
    """Start one more process."""
    async with AsyncExitStack() as stack:

        async def one() -> Process:
            valkey = Valkey(server.url)
            await valkey.open()
            stack.push_async_callback(valkey.close)
            bus = Bus(valkey, uuid4())
            bus.start()
            stack.push_async_callback(bus.close)
            process = Process(None, valkey, bus)  # type: ignore[arg-type]  # the two need each other
            process.presence = Presence(db, valkey, bus, process)
            process.presence.start()
            stack.push_async_callback(process.presence.close)
            return process

        yield one


async def looked(process: Process, asker: Caller, account: AccountId) -> frames.Presence:
    (answer,) = await process.presence.look(asker.account, [account])
    return answer


async def until_shown(process: Process, asker: Caller, account: AccountId, status: str) -> frames.Presence:
    async def is_shown() -> bool:
        return (await looked(process, asker, account)).status == status

    await until(is_shown)
    return await looked(process, asker, account)


async def set_privacy(admin: Any, caller: Caller, **aspects: str) -> None:
    await admin.execute(
        "UPDATE accounts SET privacy = $2::text::jsonb WHERE account_id = $1", caller.account, json.dumps(aspects)
    )


async def test_who_has_a_socket_is_online_and_who_left_is_offline_with_the_time(start: Start, admin: Any) -> None:
    here, there = await start(), await start()
    alice, bob = await person(admin), await person(admin)
    assert (await looked(there, bob, alice.account)).status == "offline"
    screen = await here.enter(alice)
    await until_shown(there, bob, alice.account, "online")
    screen.leave()
    seen = await until_shown(there, bob, alice.account, "offline")
    assert seen.last_seen_at is not None
    assert abs(seen.last_seen_at.timestamp() - time.time()) < 30


async def test_a_watcher_is_told_across_processes_and_after_watching_something_else_no_longer(
    start: Start, admin: Any
) -> None:
    here, there = await start(), await start()
    alice, bob = await person(admin), await person(admin)
    screen = await there.enter(bob)
    await screen.watch(alice.account)
    assert screen.sees(alice.account) == "offline"
    await asyncio.sleep(0.3)  # the subscription is made
    hers = await here.enter(alice)
    await until(lambda: screen.sees(alice.account) == "online")
    hers.leave()
    await until(lambda: screen.sees(alice.account) == "offline")
    await screen.watch()
    count = len(screen.pushed)
    await here.enter(alice)
    await until_shown(there, bob, alice.account, "online")
    await asyncio.sleep(0.2)
    assert len(screen.pushed) == count


async def test_two_devices_count_twice_and_one_that_leaves_does_not_end_the_other(start: Start, admin: Any) -> None:
    here, there = await start(), await start()
    alice, bob = await person(admin), await person(admin)
    phone = alice._replace(device=DeviceId(uuid4()), session=SessionId(uuid4()))
    first, second = await here.enter(alice), await there.enter(phone)

    async def counted(count: int) -> bool:
        found = await here.valkey.call("HMGET", f"presence:user:{alice.account}", "connections", "devices", "node")
        return bool(found[0] and int(found[0]) == count and len(found[1].split(b",")) == count and found[2])

    await until(lambda: counted(2))
    first.leave()
    await until(lambda: counted(1))
    assert (await looked(here, bob, alice.account)).status == "online"
    second.leave()
    await until_shown(here, bob, alice.account, "offline")


async def test_a_socket_replaced_by_a_newer_one_of_its_session_stays_online(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    old, new = await here.enter(alice), await here.enter(alice)
    old.leave()
    await until_shown(here, bob, alice.account, "online")
    await asyncio.sleep(0.2)
    assert (await looked(here, bob, alice.account)).status == "online"
    new.leave()
    await until_shown(here, bob, alice.account, "offline")


async def test_keys_stand_under_their_catalogued_names_and_expire_b_076(start: Start, admin: Any) -> None:
    here = await start()
    alice = await person(admin)
    conversation = await room(admin, alice)
    screen = await here.enter(alice, conversation)
    await screen.watch(conversations=(conversation,))
    await screen.types(conversation)
    limits = {
        f"presence:user:{alice.account}": 120,
        f"session:{alice.session}": 90,
        f"presence:sessions:{alice.account}": 90,
        f"presence:conversation:{conversation}": 60,
        f"typing:{conversation}:{alice.account}": 5,
    }

    async def are_there() -> bool:
        return all([await here.valkey.call("EXISTS", name) for name in limits])

    await until(are_there)
    for name, most in limits.items():
        assert 0 < await here.valkey.call("TTL", name) <= most
    doing = await here.valkey.call("HGET", f"presence:conversation:{conversation}", str(alice.account))
    assert doing.startswith(b"writing ")
    # a session whose process died is not counted, though another device's activity keeps the user's key alive
    dead = f"{uuid4()}/{uuid4()}"
    await here.valkey.call("ZADD", f"presence:sessions:{alice.account}", int(time.time()) - 1, dead)
    here.presence.declared(alice.account)

    async def is_struck() -> bool:
        return int(await here.valkey.call("ZCARD", f"presence:sessions:{alice.account}")) == 1

    await until(is_struck)
    assert await here.valkey.call("HGET", f"presence:user:{alice.account}", "connections") == b"1"


async def test_declared_offline_is_invisible_and_declared_away_is_away(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    screen = await here.enter(bob)
    await screen.watch(alice.account)
    await here.enter(alice)
    await until(lambda: screen.sees(alice.account) == "online")
    for status in ("away", "offline"):
        await admin.execute("UPDATE accounts SET status = $2 WHERE account_id = $1", alice.account, status)
        here.presence.declared(alice.account)
        await until(lambda status=status: screen.sees(alice.account) == status)  # type: ignore[misc]  # a loop's value
        assert (await looked(here, bob, alice.account)).status == status


@pytest.mark.parametrize("hide", ["nobody", "contacts", "blocked", "blocking"])
async def test_what_privacy_or_a_block_hides_is_not_told(start: Start, admin: Any, hide: str) -> None:
    here = await start()
    alice, bob, carol = await person(admin), await person(admin), await person(admin)
    if hide in ("nobody", "contacts"):
        await set_privacy(admin, alice, see_presence=hide, see_last_seen=hide)
        await admin.execute("INSERT INTO contacts (owner_id, contact_id) VALUES ($1, $2)", bob.account, alice.account)
    else:
        pair = (alice.account, bob.account) if hide == "blocking" else (bob.account, alice.account)
        await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", *pair)
    if hide == "contacts":
        await admin.execute("INSERT INTO contacts (owner_id, contact_id) VALUES ($1, $2)", alice.account, carol.account)
    conversation = await room(admin, alice, bob, carol)
    screens = {caller: await here.enter(caller, conversation) for caller in (bob, carol)}
    for screen in screens.values():
        await screen.watch(alice.account, conversations=(conversation,))
    hers = await here.enter(alice, conversation)
    sees_carol = hide != "nobody"
    await asyncio.sleep(0.2)
    await hers.types(conversation)
    hers.leave()
    if sees_carol:
        await until(lambda: screens[carol].sees(alice.account) == "offline")
        assert screens[carol].reads() == [(alice.account, True)]
    await asyncio.sleep(0.2)
    shown = [frame for frame in screens[bob].pushed if isinstance(frame, frames.Presence)]
    assert [(frame.status, frame.last_seen_at) for frame in shown] == [("unknown", None)]
    assert screens[bob].reads() == []
    assert await looked(here, bob, alice.account) == frames.Presence(alice.account, "unknown")


async def test_last_seen_may_be_hidden_alone(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    await set_privacy(admin, alice, see_last_seen="nobody")
    screen = await here.enter(bob)
    await screen.watch(alice.account)
    hers = await here.enter(alice)
    await until(lambda: screen.sees(alice.account) == "online")
    hers.leave()
    await until(lambda: screen.sees(alice.account) == "offline")
    shown = [frame for frame in screen.pushed if isinstance(frame, frames.Presence)]
    assert all(frame.last_seen_at is None for frame in shown)
    assert (await looked(here, bob, alice.account)).last_seen_at is None


async def test_typing_reaches_members_who_look_at_the_conversation_and_nobody_else(start: Start, admin: Any) -> None:
    here, there = await start(), await start()
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    conversation = await room(admin, alice, bob, carol)
    other = await room(admin, alice, carol)
    looks, elsewhere = await there.enter(bob, conversation), await there.enter(carol, conversation, other)
    stranger = await there.enter(dave)
    await looks.watch(conversations=(conversation,))
    await elsewhere.watch(conversations=(other,))
    await stranger.watch(conversations=(conversation,))
    hers = await here.enter(alice, conversation, other)
    await hers.watch(conversations=(conversation,))
    await asyncio.sleep(0.3)
    await hers.types(conversation)
    await until(lambda: looks.reads() == [(alice.account, True)])
    await hers.types(conversation, on=False)
    await until(lambda: looks.reads() == [(alice.account, True), (alice.account, False)])
    there.audience.clear()  # bob is removed from the conversation
    await hers.types(conversation)
    await asyncio.sleep(0.3)
    assert len(looks.reads()) == 2
    assert elsewhere.reads() == stranger.reads() == hers.reads() == []


async def test_who_is_no_member_cannot_type(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    conversation = await room(admin, alice)
    theirs = await here.enter(bob)
    with pytest.raises(Refusal, match="not_member"):
        await theirs.types(conversation)


async def test_typing_again_at_once_is_not_whispered_again(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    conversation = await room(admin, alice, bob)
    looks, hers = await here.enter(bob, conversation), await here.enter(alice, conversation)
    await looks.watch(conversations=(conversation,))
    for _ in range(20):
        await hers.types(conversation)
    await asyncio.sleep(0.2)
    assert looks.reads() == [(alice.account, True)]


async def test_the_invisible_type_unseen(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    await admin.execute("UPDATE accounts SET status = 'offline' WHERE account_id = $1", alice.account)
    conversation = await room(admin, alice, bob)
    looks, hers = await here.enter(bob, conversation), await here.enter(alice, conversation)
    await looks.watch(conversations=(conversation,))
    await hers.types(conversation)
    await asyncio.sleep(0.2)
    assert looks.reads() == []
    assert await here.valkey.call("EXISTS", f"typing:{conversation}:{alice.account}") == 0


async def test_without_valkey_presence_is_unknown_typing_silent_and_nothing_fails(
    start: Start, server: Server, admin: Any
) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    conversation = await room(admin, alice, bob)
    looks = await here.enter(bob, conversation)
    server.kill()
    await until(lambda: not here.valkey.available)
    hers = await here.enter(alice, conversation)
    await looks.watch(alice.account, conversations=(conversation,))
    assert looks.sees(alice.account) == "unknown"
    await hers.types(conversation)
    here.presence.active(alice)
    await asyncio.sleep(0.2)
    assert looks.reads() == []
    seen_at = await admin.fetchval("SELECT last_seen_at FROM accounts WHERE account_id = $1", alice.account)
    assert seen_at is not None
    await server.start()
    await until(lambda: here.valkey.available)
    await here.presence._heartbeat()  # the next one
    await until_shown(here, bob, alice.account, "online")
    await until(lambda: looks.sees(alice.account) == "online")


async def test_who_vanishes_with_their_process_is_noticed_by_asking_again(start: Start, admin: Any) -> None:
    here = await start()
    alice, bob = await person(admin), await person(admin)
    screen = await here.enter(bob)
    name = f"presence:sessions:{alice.account}"
    await here.valkey.call("ZADD", name, int(time.time()) + 60, f"{uuid4()}/{uuid4()}")
    await here.valkey.call("HSET", f"presence:user:{alice.account}", "last_activity", int(time.time()))
    await screen.watch(alice.account)
    assert screen.sees(alice.account) == "online"
    await here.presence._refresh()
    await here.valkey.call("DEL", name)  # as it expires when nobody's heartbeat renews it
    here.presence._watching._people[alice.account].told_at = -1e9
    await here.presence._refresh()
    await until(lambda: screen.sees(alice.account) == "offline")


async def test_last_seen_is_written_once_a_minute_at_most(start: Start, admin: Any) -> None:
    here = await start()
    alice = await person(admin)
    await here.enter(alice)
    query = "SELECT last_seen_at FROM accounts WHERE account_id = $1"

    async def is_noted() -> bool:
        return await admin.fetchval(query, alice.account) is not None

    await until(is_noted)
    first = await admin.fetchval(query, alice.account)
    for _ in range(5):
        here.presence.active(alice)
        await here.presence._heartbeat()
        await here.presence._live.idle()
    assert await admin.fetchval(query, alice.account) == first
