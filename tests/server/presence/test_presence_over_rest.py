"""Presence over REST: who is here is asked and declared."""

import pytest
from tests.support.people import Problem, World


async def shown(asker: object, account: str) -> str:
    """What somebody is shown as."""
    (row,) = (await asker.get("/presence", accounts=account))["people"]  # type: ignore[attr-defined]
    status: str = row["status"]
    return status


async def test_who_is_here_is_seen_and_may_hide(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    assert await shown(bob, alice.account) == "offline"
    async with alice.gateway():
        async with bob.gateway() as there:
            await there.send({"type": "watch", "accounts": [alice.account]})
            await there.wait(lambda f: f["type"] == "presence" and f["status"] == "online")
        assert await shown(bob, alice.account) == "online"
        await alice.call("PUT", "/presence", {"status": "offline"})
        assert await shown(bob, alice.account) == "offline"
        await alice.call("PATCH", "/accounts/me", {"status": "online", "privacy": {"see_presence": "nobody"}})
        assert await shown(bob, alice.account) == "unknown"


@pytest.mark.parametrize("ids", ["", "x", ",".join(["01a1fc86-a3e4-7c77-a395-06fc62a6e4ae"] * 101)])
async def test_a_list_of_ids_is_ids_and_not_too_many(world: World, ids: str) -> None:
    alice = await world.register("alice")
    with pytest.raises(Problem, match="invalid"):
        await alice.get("/presence", accounts=ids)
