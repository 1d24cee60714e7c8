"""The account state and the list say the same, whatever was done: a device that follows needs no list."""

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.server.scheduling.conftest import SOON, Process, let_pass, said
from tests.support import rooms

from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.scheduling import actions
from aparte.server.state import actions as state
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Scheduled, ScheduledChange

Admin = Any


async def by_state(process: Process, caller: Caller, conversation: ConversationId) -> list[Scheduled]:
    """What a device knows that follows the account state."""
    page = await state.page(process.db, caller, 0)
    values = [item.value for item in page.items if item.key.startswith("scheduled:") and item.value is not None]
    found = [msgspec.convert(value, Scheduled) for value in values]
    return sorted((one for one in found if one.conversation == conversation), key=lambda one: (one.due, one.id))


async def by_list(process: Process, caller: Caller, conversation: ConversationId) -> list[Scheduled]:
    """What the server lists."""
    return (await actions.mine(process.db, caller, conversation)).scheduled


@pytest.mark.parametrize("seed", range(6))
async def test_both_say_the_same_after_everything(process: Process, admin: Admin, seed: int) -> None:
    rng = random.Random(seed)
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    places = [await rooms.room(admin, alice, bob) for _ in range(2)]
    for step in range(40):
        caller, room = rng.choice((alice, bob)), rng.choice(places)
        open_ones = await by_list(process, caller, room)
        one = rng.choice(open_ones) if open_ones else None
        try:
            match rng.randrange(6), one:
                case (1, Scheduled()):
                    await actions.cancel(process.db, caller, room, one.id)
                case (2, Scheduled()):
                    wanted = ScheduledChange(now() + SOON + timedelta(seconds=step))
                    await actions.change(process.db, process.delivery, caller, (room, one.id), wanted)
                case (3, Scheduled()):
                    wanted = ScheduledChange(message=said(one.client_message_id, f"changed {step}"))
                    await actions.change(process.db, process.delivery, caller, (room, one.id), wanted)
                case (4, Scheduled()) if one.status == "waiting":
                    await let_pass(admin, one.id)
                    await process.round()
                case (5, _):
                    guest = "guest" if rng.random() < 0.5 else "user"
                    await admin.execute("UPDATE accounts SET role = $2 WHERE account_id = $1", bob.account, guest)
                case _:
                    await process.add(caller, room, f"words {step}", due=now() + SOON + timedelta(seconds=step))
        except Refusal as refusal:
            assert refusal.code in {"over", "forbidden"}
    for caller in (alice, bob):
        for room in places:
            assert await by_state(process, caller, room) == await by_list(process, caller, room)
