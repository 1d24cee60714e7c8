"""Messages over the wire: pages, edits, deletions, restores, and what each reader is shown."""

import asyncio
from uuid import uuid4

import pytest
from tests.support.people import Device, Problem, World


async def edit(who: Device, room: str, message: str, text: str) -> None:
    """Change a message."""
    body = {"client_message_id": str(uuid4()), "content": {"text": text}}
    await who.call("PATCH", f"/conversations/{room}/messages/{message}", body)


async def delete(who: Device, room: str, message: str) -> None:
    """Delete a message for everyone."""
    await who.call("DELETE", f"/conversations/{room}/messages/{message}", client_message_id=uuid4())


async def restore(who: Device, room: str, message: str) -> None:
    """Take a deletion back."""
    await who.post(f"/conversations/{room}/messages/{message}/restore", {"client_message_id": str(uuid4())})


async def talk(world: World, count: int) -> tuple[Device, Device, str, list[str]]:
    """Alice has said so much in a room where Bob is too."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    return alice, bob, room, [(await alice.send(room, str(n)))["id"] for n in range(count)]


async def test_pages_go_through_a_room_in_both_directions_without_hole_or_repeat(world: World) -> None:
    """B-060: a page that ends between two messages of one millisecond skips none."""
    _, bob, room, ids = await talk(world, 25)
    seen: list[str] = []
    page = await bob.get(f"/conversations/{room}/messages", limit=10)
    assert page["newer"] is None
    while True:
        seen = [m["id"] for m in page["messages"]] + seen
        if page["older"] is None:
            break
        page = await bob.get(f"/conversations/{room}/messages", limit=10, before=page["older"])
    assert seen == ids
    forward = await bob.get(f"/conversations/{room}/messages", limit=10, after=ids[4])
    assert [m["id"] for m in forward["messages"]] == ids[5:15]
    assert (forward["older"], forward["newer"]) == (ids[5], ids[14])
    around = await bob.get(f"/conversations/{room}/messages", limit=5, around=ids[12])
    assert [m["id"] for m in around["messages"]] == ids[10:15]
    assert (around["older"], around["newer"]) == (ids[10], ids[14])


async def test_an_edit_shows_everywhere_and_keeps_its_history(world: World) -> None:
    alice, bob, room, ids = await talk(world, 1)
    with pytest.raises(Problem, match="forbidden"):
        await edit(bob, room, ids[0], "not mine")
    await edit(alice, room, ids[0], "one")
    await edit(alice, room, ids[0], "two")
    message = await bob.get(f"/conversations/{room}/messages/{ids[0]}")
    assert (message["content"], message["edit_count"]) == ({"text": "two"}, 2)
    history = await bob.get(f"/conversations/{room}/messages/{ids[0]}/history")
    assert [v["content"]["text"] for v in history["versions"]] == ["0", "one", "two"]


async def test_words_that_are_deleted_are_shown_nowhere(world: World) -> None:
    """Not on any page, not in the log, not in the history, not through an edit of them."""
    alice, bob, room, ids = await talk(world, 2)
    await edit(alice, room, ids[0], "secret edit")
    await delete(alice, room, ids[0])
    assert await bob.texts(room) == ["1"]
    tombstones = await bob.get(f"/conversations/{room}/messages", tombstones=True)
    assert ["content" in m for m in tombstones["messages"]] == [False, True]
    assert tombstones["messages"][0]["deleted_by"] == alice.account
    entries = await bob.get(f"/conversations/{room}/entries")
    told = {e["seq"]: e.get("body") for e in entries["entries"] if e["kind"] in {1, 2}}
    assert list(told.values()) == [None, {"text": "1"}, None]
    with pytest.raises(Problem, match="gone"):
        await bob.get(f"/conversations/{room}/messages/{ids[0]}/history")
    with pytest.raises(Problem, match="gone"):
        await edit(alice, room, ids[0], "still here?")
    with pytest.raises(Problem, match="gone"):
        await delete(alice, room, ids[0])


async def test_a_restore_brings_back_the_newest_words(world: World) -> None:
    alice, bob, room, ids = await talk(world, 1)
    await edit(alice, room, ids[0], "newest")
    await delete(alice, room, ids[0])
    assert (await alice.get(f"/conversations/{room}"))["message_count"] == 0
    async with bob.gateway() as there:
        await restore(alice, room, ids[0])
        live = await there.entry(room)
    assert live["body"] == {"on": False, "content": {"text": "newest"}}
    assert await bob.texts(room) == ["newest"]
    assert (await alice.get(f"/conversations/{room}"))["message_count"] == 1
    entries = await bob.get(f"/conversations/{room}/entries")
    assert entries["entries"][-1]["body"] == live["body"]


async def test_moderators_delete_others_words_and_only_they_take_it_back(world: World) -> None:
    alice, bob, room, _ = await talk(world, 0)
    said = await bob.send(room, "rude")
    carol = await world.register("carol")
    await carol.join(room)
    with pytest.raises(Problem, match="forbidden"):
        await delete(carol, room, said["id"])
    await delete(alice, room, said["id"])
    with pytest.raises(Problem, match="forbidden"):
        await restore(bob, room, said["id"])
    await restore(alice, room, said["id"])
    assert await bob.texts(room) == ["rude"]


async def test_deleting_for_oneself_hides_it_from_nobody_else(world: World) -> None:
    """B-054."""
    alice, bob, room, ids = await talk(world, 2)
    await bob.call("DELETE", f"/conversations/{room}/messages/{ids[0]}", scope="me")
    await bob.call("DELETE", f"/conversations/{room}/messages/{ids[0]}", scope="me")
    assert await bob.texts(room) == ["1"]
    assert await alice.texts(room) == ["0", "1"]
    state = await bob.get("/account/state")
    assert f"hidden:{room}:{ids[0]}" in {item["key"] for item in state["items"]}


async def test_an_edit_or_deletion_repeated_is_done_once(world: World) -> None:
    alice, bob, room, ids = await talk(world, 1)
    path = f"/conversations/{room}/messages/{ids[0]}"
    body = {"client_message_id": str(uuid4()), "content": {"text": "once"}}
    first, again = await alice.call("PATCH", path, body), await alice.call("PATCH", path, body)
    assert first == again
    body["content"] = {"text": "other"}
    with pytest.raises(Problem, match="client_id_reused"):
        await alice.call("PATCH", path, body)
    key = uuid4()
    deleted = [await alice.call("DELETE", path, client_message_id=key) for _ in range(2)]
    assert deleted[0] == deleted[1]
    assert (await bob.get(path))["edit_count"] == 1


async def test_the_key_of_one_person_means_nothing_to_another(world: World) -> None:
    """B-008."""
    alice, bob, room, _ = await talk(world, 0)
    key = uuid4()
    first = await alice.send(room, "mine", key)
    second = await bob.send(room, "mine too", key)
    assert first["id"] != second["id"]
    assert await alice.texts(room) == ["mine", "mine too"]


async def test_a_message_of_another_conversation_cannot_be_marked_or_changed(world: World) -> None:
    """B-010, B-026: what belongs elsewhere is not found here."""
    alice, _, room, ids = await talk(world, 1)
    other = await alice.room()
    with pytest.raises(Problem, match="not_found"):
        await alice.post(f"/conversations/{other}/read", {"up_to": {"seq": 1, "id": ids[0]}})
    with pytest.raises(Problem, match="not_found"):
        await edit(alice, other, ids[0], "elsewhere")
    with pytest.raises(Problem, match="not_found"):
        await alice.get(f"/conversations/{other}/messages/{ids[0]}")
    assert await alice.texts(room) == ["0"]


async def test_receipts_tell_who_had_and_read_a_message_and_when(world: World) -> None:
    """B-012, B-141: reading implies having; B-011: the first time stays."""
    alice, bob, room, ids = await talk(world, 3)
    path = f"/conversations/{room}/messages/{ids[1]}/receipts"
    await bob.post(f"/conversations/{room}/delivered", {"up_to": {"seq": 5, "id": ids[2]}})
    (had,) = (await alice.get(path))["receipts"]
    assert had["account"] == bob.account
    assert "read_at" not in had
    await bob.post(f"/conversations/{room}/read", {"up_to": {"seq": 0, "id": ids[1]}})
    (read,) = (await alice.get(path))["receipts"]
    assert read["delivered_at"] == had["delivered_at"]
    await bob.post(f"/conversations/{room}/read", {"up_to": {"seq": 0, "id": ids[2]}})
    assert (await alice.get(path))["receipts"] == [read]
    assert bob.account in (await alice.get(path))["readers"]
    (unread,) = (await alice.get(f"/conversations/{room}/messages/{ids[2]}/receipts"))["receipts"]
    assert unread["read_at"] > read["read_at"]


async def test_a_page_of_the_longest_messages_fits_a_frame_and_goes_on(world: World) -> None:
    """500 messages of 4,000 characters would be 8 MiB in one frame, and the reader would be put out as too slow."""
    alice = await world.register("alice")
    room = await alice.room()
    longest = "\N{GRINNING FACE}" * 4_000
    await asyncio.gather(*(alice.send(room, longest) for _ in range(100)))
    async with alice.gateway() as here:
        seen, after, more = 0, "00000000-0000-0000-0000-000000000000", True
        while more:
            page = await here.ask("entries", conversation=room, after=after, limit=500)
            assert 0 < len(page["entries"]) < 50
            seen, after, more = seen + len(page["entries"]), page["entries"][-1]["id"], page["more"]
    assert seen == 101
