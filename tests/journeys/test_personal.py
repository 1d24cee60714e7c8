"""What one sets on one device, another of theirs knows: from the account state alone, and as a fetch shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

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
        shown = (await phone.get(at))["membership"]["preferences"]
        assert news[f"preferences:{room}"] == shown == await phone.get(at + "/preferences")
        assert shown["labels"] == ["work"]
    assert (await bob.get(at))["membership"]["preferences"] == {}
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
    assert news[f"preferences:{room}"] == {"is_pinned": True, "settings": {"sound": None}}
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
    back = await alice.join(room)
    assert back["membership"]["preferences"] == {"level": "none"}
