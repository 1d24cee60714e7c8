"""A group of three with a device each, and what tests ask of what is sealed there."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.support import rooms
from tests.support.sealed_groups import Group
from tests.support.sealing import Sealer, give_keys

from aparte.server.kit.caller import Caller
from aparte.server.messages import actions
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID, DeviceId
from aparte.wire.messages import Entry

if TYPE_CHECKING:
    from tests.server.messages.conftest import Sealing

Admin = Any


class Three(NamedTuple):
    """A group of Alice, who owns it, Bob and Carol, with a device each."""

    group: Group
    alice: Caller
    bob: Caller
    carol: Caller
    a: Sealer


async def person(admin: Admin) -> Caller:
    """Somebody with keys and one device."""
    who = await rooms.person(admin)
    await give_keys(admin, who)
    return who


async def code_of(sealing: "Sealing", sealer: Sealer, **other: Any) -> str:
    """Why an entry is refused; the sealer's chain of entries does not go on with it."""
    with pytest.raises(Refusal) as refused:
        await sealing.seal(sealer.caller, sealer.conversation, replace(sealer).seal(**other))
    return refused.value.code


async def say(sealing: "Sealing", sealer: Sealer, **other: Any) -> int:
    """Store an entry; gives its position."""
    return (await sealing.seal(sealer.caller, sealer.conversation, sealer.seal(**other))).seq


async def log_of(sealing: "Sealing", reader: Caller, group: Group) -> list[Entry]:
    """The sealed part of the log, as one device reads it."""
    page = await actions.entries(sealing.db, reader, group.id, FIRST_ID, 100)
    return [entry for entry in page.entries if entry.sealed]


async def pending(admin: Admin) -> set[DeviceId]:
    """Who has something waiting."""
    return {row[0] for row in await admin.fetch("SELECT device_id FROM distributions WHERE seq IS NULL")}
