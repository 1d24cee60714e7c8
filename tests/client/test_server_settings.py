"""How the server runs an encrypted conversation (slow mode, archive) is told in the open; what its members have agreed
on is sealed, and nobody believes the server a word of that."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from tests.client.conftest import Newcomer
from tests.client.grouped import notices_of
from tests.client.test_following import take

from aparte.client.api.conversations import Rooms
from aparte.client.crypto.opening import is_of_server
from aparte.wire import kinds
from aparte.wire.conversations import ConversationChange
from aparte.wire.ids import AccountId, EntryId
from aparte.wire.messages import Entry


def unsealed(kind: int, body: Any) -> Entry:
    return Entry(1, EntryId(UUID(int=1)), kind, datetime.now(UTC), AccountId(UUID(int=2)), body=body)


@pytest.mark.parametrize(
    ("kind", "body", "is_taken"),
    [
        (kinds.SETTINGS, {"slow_mode_seconds": 5}, True),
        (kinds.SETTINGS, {}, True),
        (kinds.SETTINGS, {"form": "agreed", "ttl": ["sending", 5]}, False),
        (kinds.SETTINGS, {"form": "agreed"}, False),
        (kinds.PROFILE, {"name": "mine now"}, False),
        (kinds.MESSAGE, {"text": "readable"}, False),
        (kinds.PIN, {"on": True}, False),
        (kinds.SILENCED, {"account": str(UUID(int=3))}, True),
        (kinds.RIGHTS, {"account": str(UUID(int=3))}, True),
        (kinds.NICKNAME, {"account": str(UUID(int=3)), "nickname": "carol"}, False),
        (99, {"not": "known yet"}, True),
    ],
)
def test_of_what_people_say_only_the_servers_own_settings_come_unsealed(kind: int, body: Any, is_taken: bool) -> None:
    assert is_of_server(unsealed(kind, body)) is is_taken


async def test_members_hear_of_slow_mode_without_alarm(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    duo = await ann.groups.new_group("duo", [f"bob-{tag}"])
    await ann.send("+duo", "before")
    stream = bob.messages()
    assert [one.text for one in await take(stream, 1)] == ["before"]
    await Rooms(ann._session).change(duo.id, ConversationChange(slow_mode_seconds=1))
    await ann.send("+duo", "after")
    assert [one.text for one in await take(stream, 1)] == ["after"]
    assert notices_of(bob) == set()
