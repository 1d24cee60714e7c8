"""Mentions: what names somebody, from all conversations they are in; and what an author alone is shown."""

from typing import Any
from uuid import uuid4

import pytest
from tests.support.marking import delete, expire, shown
from tests.support.people import Device, Problem, World


async def scene(world: World) -> tuple[Device, Device, str, str]:
    """Two rooms that both are in."""
    alice, bob = await world.register("alice"), await world.register("bob")
    here, there = await alice.room(), await alice.room()
    for room in (here, there):
        await bob.join(room)
    return alice, bob, here, there


async def mention(who: Device, room: str, whom: Device) -> str:
    """Name somebody; gives the message's id."""
    return str((await who.send(room, f"what do you say, @{whom.username}?"))["id"])


async def mentions(who: Device, **params: Any) -> list[str]:
    """What names somebody, newest first."""
    return [m["id"] for m in (await who.get("/mentions", **params))["messages"]]


async def test_mentions_come_from_everywhere_newest_first(world: World) -> None:
    alice, bob, here, there = await scene(world)
    ids = [await mention(alice, (here, there)[n % 2], bob) for n in range(5)]
    await alice.send(here, "names nobody")
    assert await mentions(bob) == ids[::-1]
    assert await mentions(alice) == []
    page = await bob.get("/mentions", limit=3)
    assert await mentions(bob, limit=3, before=page["next"]) == ids[1::-1]
    assert (page["messages"][0]["conversation"], page["messages"][0]["content"]["mentions"]) == (here, [bob.account])


async def test_what_is_gone_hidden_or_left_is_not_among_them(world: World, server_admin: Any) -> None:
    alice, bob, here, there = await scene(world)
    deleted, expired, hidden, kept = [await mention(alice, here, bob) for _ in range(4)]
    elsewhere = await mention(alice, there, bob)
    await delete(alice, here, deleted)
    await expire(server_admin, expired)
    await bob.call("DELETE", f"/conversations/{here}/messages/{hidden}", scope="me")
    assert await mentions(bob) == [elsewhere, kept]
    await bob.post(f"/conversations/{there}/leave")
    assert await mentions(bob) == [kept]


async def test_nobody_is_shown_mentions_by_people_they_block(world: World) -> None:
    alice, bob, here, _ = await scene(world)
    said = await mention(alice, here, bob)
    await bob.call("PUT", f"/blocks/{alice.account}", {})
    assert await mentions(bob) == []
    await bob.call("DELETE", f"/blocks/{alice.account}")
    assert await mentions(bob) == [said]


async def test_an_edit_names_whom_it_names_and_nobody_else(world: World) -> None:
    alice, bob, here, _ = await scene(world)
    carol = await world.register("carol")
    await carol.join(here)
    said = await mention(alice, here, bob)
    body = {"client_message_id": str(uuid4()), "content": {"text": f"or you, @{carol.username}?"}}
    await alice.call("PATCH", f"/conversations/{here}/messages/{said}", body)
    assert (await mentions(bob), await mentions(carol)) == ([], [said])
    assert (await shown(bob, here, said))["content"]["mentions"] == [carol.account]


async def test_an_author_alone_is_shown_what_was_typed(world: World) -> None:
    alice, bob, here, _ = await scene(world)
    typed = ["<b>bold</b><script>alert(1)</script>", "<i>other</i><script>2</script>"]
    said = str((await alice.send(here, typed[0], format="html"))["id"])
    path = f"/conversations/{here}/messages/{said}"
    assert (await shown(alice, here, said))["source"] == typed[0]
    body = {"client_message_id": str(uuid4()), "content": {"text": typed[1], "format": "html"}}
    await alice.call("PATCH", path, body)
    assert (await shown(alice, here, said))["source"] == typed[1]
    assert [v.get("source") for v in (await alice.get(f"{path}/history"))["versions"]] == typed
    versions = (await bob.get(f"{path}/history"))["versions"]
    assert [(v["content"]["text"], v.get("source")) for v in versions] == [
        ("<b>bold</b>", None),
        ("<i>other</i>", None),
    ]
    page = await bob.get(f"/conversations/{here}/messages")
    assert "script" not in str(page)
    await delete(alice, here, said)
    assert "source" not in await shown(alice, here, said)
    with pytest.raises(Problem, match="gone"):
        await alice.get(f"{path}/history")


async def test_what_has_expired_is_in_no_page_and_has_no_history(world: World, server_admin: Any) -> None:
    """B-007: from that moment on, before any job runs."""
    alice, bob, here, _ = await scene(world)
    kept, said = str((await alice.send(here, "stays"))["id"]), str((await alice.send(here, "goes"))["id"])
    body = {"client_message_id": str(uuid4()), "content": {"text": "goes, too"}}
    await alice.call("PATCH", f"/conversations/{here}/messages/{said}", body)
    await bob.post(
        f"/conversations/{here}/messages/{said}/reactions",
        {"client_message_id": str(uuid4()), "emoji": "gone-with-it", "on": True},
    )
    await expire(server_admin, said)
    for page in (await bob.get(f"/conversations/{here}/messages", tombstones=True),
                 await alice.get(f"/conversations/{here}/messages", around=said)):  # fmt: skip
        assert [m["id"] for m in page["messages"]] == [kept]
    path = f"/conversations/{here}/messages/{said}"
    for read in (path, f"{path}/history", f"{path}/replies"):
        with pytest.raises(Problem, match="not_found"):
            await alice.get(read)
    log = await bob.get(f"/conversations/{here}/entries", limit=100)
    assert "goes" not in str(log)
    assert "gone-with-it" not in str(log)
    [entry] = [e for e in log["entries"] if e["id"] == said]
    assert entry["expires_at"]
