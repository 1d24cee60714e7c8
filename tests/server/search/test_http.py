"""Search over REST: what is asked in an address, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.support.people import Device, Problem, World
from tests.support.valkey import until

from aparte.wire import limits


async def texts(who: Device, **params: Any) -> list[str]:
    """The texts that a search finds."""
    answer = await who.get("/search/messages", **params)
    return [one["message"]["content"]["text"] for one in answer["found"]]


async def found(who: Device, expected: list[str], **params: Any) -> None:
    """Wait until a search finds this: the index is read after the commit."""

    async def is_so() -> bool:
        return await texts(who, **params) == expected

    await until(is_so)


async def test_what_was_said_is_found_a_moment_later(world: World) -> None:
    """R-318; and edited, and no longer when it is deleted: at once."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    first = await alice.send(room, "Les œufs de Pâques")
    await found(bob, ["Les œufs de Pâques"], q="oeuf paques")
    answer = await bob.get("/search/messages", q="oeuf", **{"in": room})
    [one] = answer["found"]
    assert (one["message"]["id"], one["highlights"], answer["next"]) == (first["id"], [[4, 8]], None)
    await alice.call("DELETE", f"/conversations/{room}/messages/{first['id']}", client_message_id=first["id"])
    assert await texts(bob, q="oeuf") == []


async def test_filters_are_read_from_the_address(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    sent = [await alice.send(room, f"mot {n}", metadata={"n": n}) for n in range(3)]
    await found(alice, ["mot 2", "mot 1", "mot 0"], q="mot")
    assert await texts(alice, **{"from": alice.account, "in": room, "limit": 2}) == ["mot 2", "mot 1"]
    page = await alice.get("/search/messages", q="mot", limit=2)
    assert await texts(alice, q="mot", limit=2, cursor=page["next"]) == ["mot 0"]
    assert await texts(alice, q="mot", before=sent[1]["id"]) == ["mot 0"]
    assert await texts(alice, q="mot", after=sent[1]["id"]) == ["mot 2"]
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await texts(alice, q="mot", after=soon) == []
    assert len(await texts(alice, q="mot", before=soon)) == 3
    assert await texts(alice, metadata=msgspec.json.encode({"n": 1}).decode()) == ["mot 1"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("messages", {}),
        ("messages", {"q": " "}),
        ("messages", {"q": "a" * (limits.QUERY + 1)}),
        ("messages", {"q": "a", "limit": limits.PAGE_FOUND + 1}),
        ("messages", {"q": "a", "limit": 0}),
        ("messages", {"q": "a", "has": "money"}),
        ("messages", {"q": "a", "has": "link,"}),
        ("messages", {"q": "a", "before": "yesterday"}),
        ("messages", {"q": "a", "before": "2026-01-01T00:00:00"}),
        ("messages", {"q": "a", "metadata": "[1]"}),
        ("messages", {"q": "a", "metadata": "{"}),
        ("messages", {"q": "a", "in": "here"}),
        ("people", {}),
        ("people", {"q": ""}),
        ("people", {"q": "a" * (limits.QUERY + 1)}),
        ("rooms", {}),
        ("rooms", {"metadata": "7"}),
    ],
)
async def test_bad_questions_are_refused(world: World, path: str, params: dict[str, Any]) -> None:
    alice = await world.register("alice")
    with pytest.raises(Problem) as problem:
        await alice.get(f"/search/{path}", **params)
    assert (problem.value.status, problem.value.code) == (422, "invalid")


async def test_the_longest_questions_are_answered(world: World) -> None:
    alice = await world.register("alice")
    for path in ("messages", "people", "rooms"):
        await alice.get(f"/search/{path}", q="a" * limits.QUERY, limit=limits.PAGE_FOUND)


async def test_conversations_one_is_not_in_are_not_there(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    for conversation in (room, bob.account):
        with pytest.raises(Problem, match="404 not_member"):
            await bob.get("/search/messages", q="mot", **{"in": conversation})


async def test_people_and_rooms_are_found(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room(name=f"Salon {alice.username}")

    async def is_found(path: str, kind: str, named: str) -> bool:
        answer = await bob.get(f"/search/{path}", q=alice.username)
        return named in [one["id"] for one in answer[kind]]

    await until(lambda: is_found("people", "people", alice.account))
    await until(lambda: is_found("rooms", "rooms", room))
