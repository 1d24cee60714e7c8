"""Who is added to a group follows from who may add them, and not from who may write to them."""

from typing import Any

import pytest
from tests.support import groups
from tests.support.people import Device, Problem, World
from tests.support.sealing import caller_of


async def added(owner: Device, other: Device, *, later: bool) -> str:
    """Somebody is in from the first statement, or added by one of their own: `done` or a code."""
    try:
        if not later:
            await groups.over_the_wire(owner, other)
            return "done"
        made = await groups.over_the_wire(owner)
        await groups.say_over_the_wire(made, owner, made.add(caller_of(owner), caller_of(other)))
    except Problem as problem:
        return problem.code
    return "done"


@pytest.mark.parametrize("later", [False, True], ids=["at the beginning", "later"])
@pytest.mark.parametrize(
    ("privacy", "in_book", "outcome"),
    [
        ({"may_add": "everyone", "may_write": "nobody"}, False, "done"),
        ({"may_add": "contacts", "may_write": "everyone"}, False, "blocked"),
        ({"may_add": "contacts", "may_write": "nobody"}, True, "done"),
        ({"may_add": "nobody", "may_write": "everyone"}, True, "blocked"),
    ],
)
async def test_c_019_who_may_add_is_a_choice_of_its_own(
    world: World, privacy: dict[str, Any], outcome: str, *, in_book: bool, later: bool
) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    await bob.call("PATCH", "/accounts/me", {"privacy": privacy})
    if in_book:
        await bob.call("PUT", f"/contacts/{alice.account}", {})
    assert await added(alice, bob, later=later) == outcome
