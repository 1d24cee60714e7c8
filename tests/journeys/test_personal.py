"""What one sets on one device, another of theirs knows: from the account state alone, and as a fetch shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import convert

from aparte.wire.conversations import Preferences
from tests.support.people import Device, Gateway, World


async def told(gateway: Gateway, after: int) -> dict[str, Any]:
    """Wait for the hint that there is something newer, and ask for all of it."""
    await gateway.wait(lambda f: f["type"] == "states" and f["rev"] > after and f.get("ref") is None)
    frame = await gateway.ask("state", after=after)
    return {item["key"]: item["value"] for item in frame["items"]}


async def state_of(device: Device, after: int = 0) -> dict[str, Any]:
    """What is there for a device that has everything up to a revision; what is gone is left out."""
    items = (await device.get("/account/state", after=after))["items"]
    return {item["key"]: item["value"] for item in items if item["value"] is not None}


async def shown_to(device: Device, room: str) -> Preferences:
    """What a fetch of the conversation shows of one's own."""
    return convert((await device.get(f"/conversations/{room}"))["membership"]["preferences"], Preferences)


async def people(world: World) -> tuple[Device, Device, Device]:
    """Alice with laptop and phone, and bob."""
    alice, bob = await world.register("alice"), await world.register("bob")
    return alice, await world.link(alice), bob


async def test_each_device_learns_what_another_sets(world: World) -> None:
    alice, phone, bob = await people(world)
    room = await bob.room()
    await alice.join(room)
    at = f"/conversations/{room}"
    async with phone.gateway() as there:
        rev = there.welcome["rev"]
        until = (datetime.now(UTC) + timedelta(hours=8)).isoformat()
        await alice.call("PATCH", at + "/preferences", {"muted_until": until, "level": "mentions", "labels": ["work"]})
        news = await told(there, rev)
        assert list(news) == [f"preferences:{room}"]
        shown = await shown_to(phone, room)
        assert convert(news[f"preferences:{room}"], Preferences) == shown
        assert convert(await phone.get(at + "/preferences"), Preferences) == shown
        assert (shown.level, shown.labels) == ("mentions", ["work"])
    assert await shown_to(bob, room) == Preferences()
    assert f"preferences:{room}" not in await state_of(bob)


async def test_a_phone_that_was_away_finds_all_that_is_personal_by_its_revision(world: World) -> None:
    alice, phone, bob = await people(world)
    carol, dave = await world.register("carol"), await world.register("dave")
    room = await alice.room()
    rev = (await phone.get("/account/state"))["rev"]

    await alice.call("PATCH", f"/conversations/{room}/preferences", {"is_pinned": True, "settings": {"sound": None}})
    await alice.call("PUT", f"/contacts/{carol.account}", {"display_name": "Caro"})
    await alice.post(f"/contact-requests/{bob.account}", {"note": "it is me"})
    await dave.post(f"/contact-requests/{alice.account}", {})
    await alice.call("PUT", f"/blocks/{dave.account}", {"reason": "spam"})
    await bob.post(f"/contact-requests/{alice.account}/accept")
    await alice.call("PATCH", "/accounts/me", {"privacy": {"may_add": "contacts"}})

    news = await state_of(phone, rev)
    expected = Preferences(is_pinned=True, settings={"sound": None})
    assert convert(news[f"preferences:{room}"], Preferences) == expected == await shown_to(phone, room)
    assert news["privacy"]["may_add"] == "contacts"
    books = {row["person"]["id"]: row for row in (await phone.get("/contacts"))["contacts"]}
    assert {key: news[f"contact:{key}"]["nickname"] for key in books} == {bob.account: None, carol.account: "Caro"}
    asked = {row["person"]["id"]: row["status"] for row in (await phone.get("/contact-requests"))["requests"]}
    assert asked == {bob.account: "accepted", dave.account: "blocked"}
    assert {key: news[f"request:{key}"]["status"] for key in asked} == asked
    assert news[f"block:{dave.account}"]["reason"] == "spam"
    assert {key for key in news if key.startswith("block:")} == {f"block:{dave.account}"}
    assert (await state_of(dave))[f"request:{alice.account}"]["status"] == "declined"


async def test_what_one_has_pinned_put_away_and_labelled_is_listed(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    rooms = [await alice.room() for _ in range(3)]
    for room in rooms:
        await bob.join(room)
    await alice.call("PATCH", f"/conversations/{rooms[0]}/preferences", {"is_pinned": True, "labels": ["work", "é"]})
    await alice.call("PATCH", f"/conversations/{rooms[1]}/preferences", {"is_archived": True, "labels": ["work"]})

    async def listed(who: Device, **query: Any) -> set[str]:
        return {row["id"] for row in (await who.get("/conversations", **query))["conversations"]} & set(rooms)

    assert await listed(alice, pinned=True) == {rooms[0]}
    assert await listed(alice, pinned=False) == {rooms[1], rooms[2]}
    assert await listed(alice, put_away=True) == {rooms[1]}
    assert await listed(alice, put_away=False) == {rooms[0], rooms[2]}
    assert await listed(alice, label="work") == {rooms[0], rooms[1]}
    assert await listed(alice, label="work", pinned=True) == {rooms[0]}
    assert await listed(alice) == await listed(bob) == await listed(bob, put_away=False) == set(rooms)
    assert await listed(bob, pinned=True) == await listed(bob, label="work") == set()
    assert not (await bob.get(f"/conversations/{rooms[1]}"))["settings"].get("is_archived"), "nobody else's archive"


async def test_whoever_leaves_and_comes_back_finds_what_they_had_set(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await bob.room()
    await alice.join(room)
    await alice.call("PATCH", f"/conversations/{room}/preferences", {"level": "none"})
    await alice.post(f"/conversations/{room}/leave")
    assert (await state_of(alice))[f"preferences:{room}"] == {"level": "none"}
    await alice.join(room)
    assert await shown_to(alice, room) == Preferences(level="none")


async def test_who_looks_on_one_device_has_it_marked_as_unread_on_none(world: World) -> None:
    alice, phone, bob = await people(world)
    room = await bob.room()
    await alice.join(room)
    said = await bob.send(room, "read me")
    mark = {"up_to": {"seq": said["seq"], "id": said["id"]}}
    await alice.post(f"/conversations/{room}/read", mark)
    await phone.call("PATCH", f"/conversations/{room}/preferences", {"is_marked_unread": True})
    assert await shown_to(alice, room) == Preferences(is_marked_unread=True)
    await alice.post(f"/conversations/{room}/read", mark)
    assert await shown_to(phone, room) == Preferences()
    assert f"preferences:{room}" not in await state_of(phone)
