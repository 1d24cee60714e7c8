"""The account state and a fetch say the same of what waits, whatever has happened."""

import random

import pytest
from tests.support import moderating
from tests.support.moderating import decide, hold, states, waiting, withdraw
from tests.support.people import Device, Problem, World


async def check(room: str, authors: list[Device], moderators: list[Device]) -> None:
    """Compare both for everybody."""
    for author in authors:
        fetched = {f"held:{one['id']}": one for one in await waiting(author, room)}
        assert await states(author, "held:") == fetched
    pending = [one for one in await waiting(moderators[0], room) if one["status"] == "pending"]
    told = {f"moderation:{room}": {"held": len(pending)}} if pending else {}
    for moderator in moderators:
        assert await states(moderator, "moderation:") == told


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_told_and_what_is_fetched_is_the_same(world: World, seed: int) -> None:
    rng = random.Random(seed)
    owner, moderator, *authors = [await world.register("person") for _ in range(5)]
    room = await moderating.screened(owner, moderator, *authors)
    await owner.call("PATCH", f"/conversations/{room}/members/{moderator.account}", {"role": "moderator"})
    for _ in range(25):
        shown = await waiting(owner, room)
        try:
            if not shown or rng.random() < 0.4:
                await hold(rng.choice(authors), room, f"spam {rng.random()}")
            elif rng.random() < 0.7:
                one = rng.choice(shown)
                await decide(rng.choice([owner, moderator]), room, one["id"], approve=rng.random() < 0.5)
            else:
                one = rng.choice(shown)
                await withdraw(next(a for a in authors if a.account == one["account"]), room, one["id"])
        except Problem as problem:
            assert problem.code == "over"
        await check(room, authors, [owner, moderator])


async def test_only_moderators_are_told_that_something_waits(world: World) -> None:
    """By base role, by a custom role, by an override; and not whom one of them denies it."""
    owner, author, helper, granted, denied = [await world.register("person") for _ in range(5)]
    room = await moderating.screened(owner, author, helper, granted, denied)
    at = f"/conversations/{room}"
    role = await owner.post(f"{at}/roles", {"name": "Helpers", "permissions": {"manage_messages": True}})
    await owner.call("PATCH", f"{at}/members/{helper.account}", {"role_id": role["id"]})
    await owner.call("PATCH", f"{at}/members/{granted.account}", {"permissions": {"manage_messages": True}})
    change = {"role": "moderator", "permissions": {"manage_messages": False}}
    await owner.call("PATCH", f"{at}/members/{denied.account}", change)
    await hold(author, room)
    told = [bool(await states(who, "moderation:")) for who in (owner, helper, granted, denied, author)]
    assert told == [True, True, True, False, False]
    async with owner.gateway() as here:
        rev = here.welcome.get("rev", 0)
        await hold(author, room)
        frame = await here.wait(lambda f: f["type"] == "states" and f["rev"] > rev)
        assert frame["rev"] > rev
