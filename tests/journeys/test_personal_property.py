"""Whatever three people set, ask, accept and block: what a device knows by the account state is what a fetch shows."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import convert

from aparte.wire.accounts import StatePage
from aparte.wire.conversations import Preferences
from tests.support.people import Device, Problem, World

REFUSED = {"blocked", "not_found", "over", "too_soon"}
"""What may be refused on the way, depending on what happened before."""


class Copy:
    """What one device knows: everything up to a revision."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.rev = 0
        self.known: dict[str, Any] = {}

    async def follow(self) -> None:
        """Ask for what is newer."""
        page = convert(await self.device.get("/account/state", after=self.rev), StatePage)
        self.rev = page.rev
        self.known |= {item.key: item.value for item in page.items}

    def of(self, prefix: str) -> dict[str, Any]:
        """What is there below a prefix."""
        rows = {key.removeprefix(prefix): value for key, value in self.known.items() if key.startswith(prefix)}
        return {key: value for key, value in rows.items() if value is not None}

    async def check(self, rooms: list[str]) -> None:
        """Compare with a fresh fetch of everything."""
        get = self.device.get
        requests = {row.pop("person")["id"]: row for row in (await get("/contact-requests"))["requests"]}
        assert {key: {"note": "", "decided_at": None} | row for key, row in requests.items()} == self.of("request:")
        book = (await get("/contacts"))["contacts"]
        assert {row["person"]["id"]: (row["nickname"], row["added_at"]) for row in book} == {
            key: (value["nickname"], value["added_at"]) for key, value in self.of("contact:").items()
        }
        blocks = (await get("/blocks"))["blocks"]
        assert {row["person"]["id"]: row["reason"] for row in blocks} == {
            key: value["reason"] for key, value in self.of("block:").items()
        }
        blocked = {row["person"]["id"] for row in book if row["is_blocked"]}
        assert blocked == set(self.of("block:")) & set(self.of("contact:"))
        for room in rooms:
            fresh = convert(await get(f"/conversations/{room}/preferences"), Preferences)
            assert convert(self.of("preferences:").get(room, {}), Preferences) == fresh
        privacy = (await get("/accounts/me"))["privacy"]
        assert privacy == self.known.get("privacy", privacy)


Verb = Callable[[random.Random, Device, Device, str], Awaitable[Any]]


def at(path: str, method: str, *bodies: Any) -> Verb:
    """One request about another person or a room, with one of some bodies."""

    async def verb(rng: random.Random, one: Device, other: Device, room: str) -> None:
        where = path.replace("{account}", other.account).replace("{room}", room)
        await one.call(method, where, rng.choice(bodies) if bodies else None)

    return verb


def soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


VERBS: list[Verb] = [
    at("/contacts/{account}", "PUT", {}, {"nickname": "N"}, {"display_name": "D"}),
    at("/contacts/{account}", "DELETE"),
    at("/blocks/{account}", "PUT", {}, {"reason": "spam"}),
    at("/blocks/{account}", "DELETE"),
    at("/contact-requests/{account}", "POST", {}, {"note": "hello"}),
    at("/contact-requests/{account}", "POST", {}, {"note": "again"}),
    at("/contact-requests/{account}", "DELETE"),
    at("/contact-requests/{account}/accept", "POST"),
    at("/contact-requests/{account}/decline", "POST"),
    at("/conversations/{room}/preferences", "PATCH", {"is_pinned": True}, {"labels": ["a", "b"]}, {"level": "none"}),
    at("/conversations/{room}/preferences", "PATCH", {"is_pinned": False}, {"labels": []}, {"level": "all"}),
    at("/conversations/{room}/preferences", "PATCH", {"is_marked_unread": True}, {"muted_until": soon()}),
    at("/conversations/{room}/preferences", "PATCH", {"muted_until": None}, {"settings": {"a": 1}}, {"settings": {}}),
    at("/accounts/me", "PATCH", {"privacy": {"may_add": "nobody"}}, {"privacy": {"find_by_email": "contacts"}}),
]


@pytest.mark.parametrize("seed", range(4))
async def test_a_device_that_follows_knows_what_a_fetch_shows(world: World, seed: int) -> None:
    rng = random.Random(seed)
    people = [await world.register(f"p{n}") for n in range(3)]
    rooms = [await people[0].room() for _ in range(2)]
    for room in rooms:
        for person in people[1:]:
            await person.join(room)
    copies = [Copy(person) for person in people for _ in range(2)]
    done = 0
    for _ in range(40):
        one, other = rng.sample(people, 2)
        try:
            await rng.choice(VERBS)(rng, one, other, rng.choice(rooms))
            done += 1
        except Problem as problem:
            assert problem.code in REFUSED
        copy = rng.choice(copies)
        await copy.follow()
        await copy.check(rooms)
    assert done > 10
    for copy in copies:
        await copy.follow()
        await copy.check(rooms)
