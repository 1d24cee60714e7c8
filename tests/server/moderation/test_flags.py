"""Members tell moderators of messages: one open flag of a person per message, counted when asked (R-323, C-57)."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.marking import delete, expire, pin, reply, restore, shown
from tests.support.moderating import flag, unflag
from tests.support.people import Device, Problem, World

from aparte.wire import limits

Admin = Any


async def room_of(world: World, members: int) -> tuple[str, Device, list[Device]]:
    """A room, its owner, and members."""
    owner = await world.register("owner")
    room = await owner.room()
    people = [await world.register("member") for _ in range(members)]
    for person in people:
        await person.join(room)
    return room, owner, people


async def flagged(who: Device, room: str, **query: Any) -> list[dict[str, Any]]:
    """What a moderator is shown of flags."""
    page: list[dict[str, Any]] = (await who.get(f"/conversations/{room}/flags", **query))["flagged"]
    return page


async def told(who: Device, room: str, message: str) -> tuple[int, str]:
    """What somebody is told of a message's flags, the same in every list of messages."""
    one = await shown(who, room, message)
    (paged,) = [m for m in (await who.get(f"/conversations/{room}/messages"))["messages"] if m["id"] == message]
    (pinned,) = (await who.get(f"/conversations/{room}/pins"))["messages"]
    (root,) = (await who.get(f"/conversations/{room}/threads"))["roots"]
    said = {(m.get("flag_count", 0), m.get("moderation", "approved")) for m in (one, paged, pinned, root)}
    assert len(said) == 1, said
    return said.pop()


async def test_three_different_people_make_a_message_flagged_to_moderators_alone(world: World) -> None:
    """G-24, C-56; B-102: the count is what is there, however often somebody says it."""
    room, owner, (author, *others) = await room_of(world, limits.FLAGS_UNTIL_SHOWN + 1)
    message = (await author.send(room, "words"))["id"]
    await pin(owner, room, message)
    await reply(author, room, message, "reply")
    counts = []
    for person in others:
        await flag(person, room, message)
        await flag(person, room, message, "abuse", "again, in other words")
        counts.append(await told(owner, room, message))
        assert await told(author, room, message) == await told(person, room, message) == (0, "approved")
    assert counts == [(1, "approved"), (2, "approved"), (3, "flagged")]
    await unflag(others[0], room, message)
    await unflag(others[0], room, message)
    assert await told(owner, room, message) == (2, "approved")
    found = (await owner.get("/mentions"))["messages"]
    assert all("flag_count" not in m for m in found)


async def test_moderators_read_how_often_why_and_what_was_said_and_never_who(world: World) -> None:
    room, owner, (author, bob, carol) = await room_of(world, 3)
    first, second, third = [(await author.send(room, f"words {n}"))["id"] for n in range(3)]
    await flag(bob, room, first, "spam", " sells things ")
    await flag(carol, room, first, "spam")
    await flag(bob, room, third, "abuse", "unkind")
    (newest, older) = await flagged(owner, room)
    assert (newest["message"]["id"], newest["reasons"], newest["notes"]) == (third, {"abuse": 1}, ["unkind"])
    assert (older["message"]["id"], older["reasons"], older["notes"]) == (first, {"spam": 2}, ["sells things"])
    assert older["message"]["flag_count"] == 2
    assert bob.account not in str(await flagged(owner, room)).replace(room, "")
    page = await owner.get(f"/conversations/{room}/flags", limit=1)
    assert ([row["message"]["id"] for row in page["flagged"]], page["next"]) == ([third], third)
    page = await owner.get(f"/conversations/{room}/flags", limit=1, before=page["next"])
    assert [row["message"]["id"] for row in page["flagged"]] == [first]
    for who in (author, bob):
        with pytest.raises(Problem, match="forbidden"):
            await flagged(who, room)
    assert second not in str(await flagged(owner, room))


async def test_one_flags_what_others_say_and_what_is_there(world: World, server_admin: Admin) -> None:
    room, owner, (author, bob) = await room_of(world, 2)
    message = (await author.send(room, "words"))["id"]
    with pytest.raises(Problem, match="forbidden"):
        await flag(author, room, message)
    with pytest.raises(Problem, match="not_found"):
        await flag(bob, room, str(uuid4()))
    with pytest.raises(Problem, match="invalid"):
        await flag(bob, room, message, "boring")
    with pytest.raises(Problem, match="invalid"):
        await flag(bob, room, message, note="x" * (limits.REASON + 1))
    await flag(bob, room, message, note="x" * limits.REASON)
    await delete(author, room, message)
    assert await flagged(owner, room) == []
    with pytest.raises(Problem, match="gone"):
        await flag(bob, room, message)
    await restore(author, room, message)
    assert [row["message"]["id"] for row in await flagged(owner, room)] == [message]
    await bob.call("DELETE", f"/conversations/{room}/messages/{message}", scope="me")
    with pytest.raises(Problem, match="not_found"):
        await flag(bob, room, message)
    await expire(server_admin, message)
    assert await flagged(owner, room) == []


async def test_a_closed_flag_does_not_count_and_leaves_room_for_another(world: World, server_admin: Admin) -> None:
    """R-330: the states are there; open are those that nobody has decided."""
    room, owner, (author, bob) = await room_of(world, 2)
    message = (await author.send(room, "words"))["id"]
    await flag(bob, room, message)
    for status, count in (("under_review", 1), ("resolved", 0), ("dismissed", 0), ("pending", 1)):
        await server_admin.execute(
            "UPDATE flags SET status = $2::flag_status WHERE message_id = $1", UUID(message), status
        )
        assert (await shown(owner, room, message)).get("flag_count", 0) == count
    await server_admin.execute("UPDATE flags SET status = 'dismissed' WHERE message_id = $1", UUID(message))
    await flag(bob, room, message, "illegal")
    assert [row["reasons"] for row in await flagged(owner, room)] == [{"illegal": 1}]
    await unflag(bob, room, message)
    assert await server_admin.fetchval("SELECT count(*) FROM flags WHERE message_id = $1", UUID(message)) == 1
