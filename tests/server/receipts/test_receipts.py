"""Receipts: who is told what about whom, marks that go forward only, and the rows that ranges stand for."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.marking import delete, expire
from tests.support.people import Device, Gateway, Problem, World


async def scene(world: World, *names: str, count: int = 3) -> tuple[list[Device], str, list[str]]:
    """A room of these people, the first of whom owns it and has said so much since."""
    people = [await world.register(name) for name in names]
    room = await people[0].room()
    for person in people[1:]:
        await person.join(room)
    return people, room, [str((await people[0].send(room, str(n)))["id"]) for n in range(count)]


async def mark(who: Device, room: str, message: str, kind: str = "read") -> None:
    """Mark everything up to a message. The server goes by the id alone."""
    await who.post(f"/conversations/{room}/{kind}", {"up_to": {"seq": 0, "id": message}})


async def receipts(who: Device, room: str, message: str) -> dict[str, Any]:
    """What somebody is told about a message."""
    found: dict[str, Any] = await who.get(f"/conversations/{room}/messages/{message}/receipts")
    return found


async def unread(who: Device, room: str) -> int:
    """How much somebody has not read."""
    return int((await who.get(f"/conversations/{room}"))["membership"]["unread"])


async def keep_to(who: Device, audience: str) -> None:
    """Let everyone, contacts or nobody know what one has read."""
    now = (await who.get("/accounts/me"))["privacy"]
    await who.call("PATCH", "/accounts/me", {"privacy": {**now, "see_receipts": audience}})


async def told(here: Gateway, who: Device, kind: str, up_to: int) -> None:
    """Wait until a gateway has been told of a receipt."""
    wanted = ("receipt", who.account, kind, up_to)
    await here.wait(lambda f: f["type"] == "receipt" and (f["type"], f["account"], f["kind"], f["up_to"]) == wanted)


def left(here: Gateway) -> set[str]:
    """Whose receipts a gateway was told beside those that were waited for."""
    return {frame["account"] for frame in here.frames if frame["type"] == "receipt"}


async def test_marking_one_message_marks_what_came_before_it_and_nothing_after(world: World) -> None:
    """B-061: everything that arrived meanwhile counted as read."""
    (_, bob), room, ids = await scene(world, "alice", "bob")
    assert await unread(bob, room) == 3
    await mark(bob, room, ids[1])
    assert await unread(bob, room) == 1
    await mark(bob, room, ids[0])
    assert await unread(bob, room) == 1, "a mark never goes back (B-010)"
    await mark(bob, room, ids[2])
    assert await unread(bob, room) == 0


async def test_a_mark_takes_a_message_of_this_conversation_and_a_member(world: World) -> None:
    """B-010, B-062: a foreign message, a stranger, or nothing at all."""
    (alice, bob), room, ids = await scene(world, "alice", "bob")
    elsewhere, eve = await alice.room(), await world.register("eve")
    for kind in ("read", "delivered"):
        with pytest.raises(Problem, match="not_member"):
            await mark(eve, room, ids[0], kind)
        with pytest.raises(Problem, match="not_member"):
            await mark(bob, elsewhere, ids[0], kind)
        with pytest.raises(Problem, match="invalid"):
            await bob.post(f"/conversations/{room}/{kind}", {"up_to": None})
        with pytest.raises(Problem, match="not_found"):
            await mark(alice, elsewhere, ids[0], kind)
        with pytest.raises(Problem, match="not_found"):
            await mark(bob, room, str(uuid4()), kind)
    assert await unread(bob, room) == 3
    assert await receipts(alice, room, ids[0]) == {"receipts": [], "readers": []}


async def test_who_came_later_has_no_receipt_for_what_was_said_before(world: World) -> None:
    """B-011, R-253: receipts reached back to before the reader was there."""
    (alice, bob), room, ids = await scene(world, "alice", "bob")
    await mark(bob, room, ids[-1])
    carol = await world.register("carol")
    await carol.join(room)
    later = str((await alice.send(room, "for carol too"))["id"])
    await mark(carol, room, later)
    assert (await receipts(alice, room, ids[-1]))["readers"] == [bob.account]
    assert [r["account"] for r in (await receipts(alice, room, ids[-1]))["receipts"]] == [bob.account]
    assert (await receipts(alice, room, later))["readers"] == [carol.account]
    await bob.post(f"/conversations/{room}/leave")
    assert await receipts(alice, room, ids[-1]) == {"receipts": [], "readers": []}


async def test_an_author_has_no_receipt_for_their_own_words(world: World) -> None:
    (alice, bob), room, ids = await scene(world, "alice", "bob")
    await mark(alice, room, ids[-1])
    await mark(bob, room, ids[-1])
    assert (await receipts(bob, room, ids[-1]))["readers"] == [bob.account]
    assert len((await receipts(bob, room, ids[-1]))["receipts"]) == 1


async def test_only_those_may_know_whom_the_reader_lets(world: World) -> None:
    (alice, bob, carol), room, ids = await scene(world, "alice", "bob", "carol")
    await mark(bob, room, ids[0])
    for audience, friend, seen in (
        ("contacts", alice, [alice]),
        ("nobody", alice, []),
        ("everyone", alice, [alice, carol]),
    ):
        await bob.call("PUT", f"/contacts/{friend.account}", {})
        await keep_to(bob, audience)
        for asker in (alice, carol):
            expected = [bob.account] if asker in seen else []
            told = await receipts(asker, room, ids[0])
            assert told["readers"] == expected, (audience, asker.username)
            assert [r["account"] for r in told["receipts"]] == expected
        assert (await receipts(bob, room, ids[0]))["readers"] == [bob.account], "oneself always"


async def test_a_block_in_either_direction_hides_receipts(world: World) -> None:
    (alice, bob, carol), room, ids = await scene(world, "alice", "bob", "carol")
    await mark(bob, room, ids[0])
    for blocker, blocked in ((alice, bob), (bob, alice)):
        await blocker.call("PUT", f"/blocks/{blocked.account}", {})
        assert await receipts(alice, room, ids[0]) == {"receipts": [], "readers": []}
        assert (await receipts(carol, room, ids[0]))["readers"] == [bob.account]
        await blocker.call("DELETE", f"/blocks/{blocked.account}")
    assert (await receipts(alice, room, ids[0]))["readers"] == [bob.account]


async def test_what_is_pushed_keeps_to_the_same_rules(world: World) -> None:
    """Both ways to write marks, REST and frames, tell the same people."""
    (alice, bob, carol), room, ids = await scene(world, "alice", "bob", "carol")
    phone = await world.link(bob)
    async with alice.gateway() as hers, carol.gateway() as carols, phone.gateway() as his:
        await mark(bob, room, ids[0], "delivered")
        for here in (hers, carols, his):
            await told(here, bob, "delivered", 4)
        await keep_to(bob, "contacts")
        await bob.call("PUT", f"/contacts/{carol.account}", {})
        await alice.call("PUT", f"/blocks/{carol.account}", {})
        await mark(bob, room, ids[1], "delivered")
        await mark(bob, room, ids[1])
        await his.send({"type": "read", "conversation": room, "up_to": {"seq": 6, "id": ids[2]}})
        for here in (carols, his):
            await told(here, bob, "delivered", 5)
            await told(here, bob, "read", 5)
            await told(here, bob, "read", 6)
        await mark(carol, room, ids[1])
        await told(his, carol, "read", 5)
        await mark(alice, room, ids[2], "delivered")
        await told(hers, alice, "delivered", 6)
        await told(his, alice, "delivered", 6)
        assert left(hers) == set(), "neither of bob, who keeps to his contacts, nor of carol, whom she blocks"
        assert alice.account not in left(carols)


async def test_reading_takes_back_that_it_is_marked_unread(world: World) -> None:
    (_, bob), room, ids = await scene(world, "alice", "bob")
    await mark(bob, room, ids[-1])
    path = f"/conversations/{room}/preferences"
    await bob.call("PATCH", path, {"is_marked_unread": True})
    await mark(bob, room, ids[-1])
    assert "is_marked_unread" not in await bob.get(path)


async def rows(admin: Any, view: str, room: str) -> list[dict[str, Any]]:
    """What a view shows of a room."""
    found = await admin.fetch(f"SELECT * FROM {view} WHERE conversation_id = $1 ORDER BY message_id", UUID(room))  # noqa: S608 - names of ours
    return [dict(row) for row in found]


async def test_views_spread_receipts_out_as_the_sources_wrote_them(world: World, server_admin: Any) -> None:
    """B-002, B-012, B-033, B-062, B-141: a row for each message and device, from which those of people follow."""
    (alice, bob, carol), room, ids = await scene(world, "alice", "bob", "carol", count=4)
    phone = await world.link(bob)
    await mark(bob, room, ids[1], "delivered")
    await mark(phone, room, ids[0])
    await mark(bob, room, ids[1])
    await delete(alice, room, ids[2])
    await mark(bob, room, ids[3], "delivered")
    await expire(server_admin, ids[3])
    by_device = await rows(server_admin, "message_receipts", room)
    shown = {(str(r["message_id"]), str(r["device_id"]), r["status"]) for r in by_device}
    assert shown == {(ids[0], bob.id, "read"), (ids[0], phone.id, "read"), (ids[1], bob.id, "read")}
    assert all(r["delivered_at"] <= r["read_at"] == r["timestamp"] for r in by_device)
    assert {str(r["user_id"]) for r in by_device} == {bob.account}

    statuses = await rows(server_admin, "delivery_statuses", room)
    assert {(str(r["message_id"]), str(r["user_id"]), r["read_at"] is None) for r in statuses} == {
        (ids[0], bob.account, False), (ids[1], bob.account, False),
        (ids[0], carol.account, True), (ids[1], carol.account, True),
    }  # fmt: skip
    for message in (ids[0], ids[1]):
        [told] = (await receipts(alice, room, message))["receipts"]
        reads = [r for r in await rows(server_admin, "message_reads", room) if str(r["message_id"]) == message]
        assert [(str(r["user_id"]), f"{r['read_at']:%S.%f}Z") for r in reads] == [
            (told["account"], told["read_at"][-10:])
        ]


async def test_views_know_when_somebody_was_there(world: World, server_admin: Any) -> None:
    """B-049, R-191: nobody gets rows for what was said before they came or after they went."""
    (alice, bob), room, ids = await scene(world, "alice", "bob", count=1)
    carol = await world.register("carol")
    await carol.join(room)
    ids.append(str((await alice.send(room, "both are here"))["id"]))
    await bob.post(f"/conversations/{room}/leave")
    ids.append(str((await alice.send(room, "bob is not"))["id"]))
    there = {(str(r["message_id"]), str(r["user_id"])) for r in await rows(server_admin, "delivery_statuses", room)}
    assert there == {(ids[0], bob.account), (ids[1], bob.account), (ids[1], carol.account), (ids[2], carol.account)}
