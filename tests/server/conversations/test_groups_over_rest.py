"""Groups over the wire: what is sent is what is kept, whoever is inside hears it, and sizes end where they say."""

from typing import Any

import pytest
from tests.support import groups, keys
from tests.support.groups import Link, over_the_wire, say_over_the_wire
from tests.support.people import Problem, World
from tests.support.sealing import caller_of


async def test_a_group_lives_over_rest_and_the_gateway(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    made = await over_the_wire(alice, bob)
    here, link = f"/conversations/{made.id}", Link()
    async with bob.gateway() as ears, carol.gateway() as outside:
        opening = made.open(caller_of(alice), link, uses=1)
        answer = await say_over_the_wire(made, alice, opening, token=str(link.token))
        assert (answer["number"], answer["epoch"]) == (3, 2)
        heard = await ears.entry(str(made.id))
        assert (heard["seq"], heard["kind"], heard["account"]) == (3, 22, alice.account)
        assert heard["body"]["signed"] == keys.in_json(opening)
        found = await carol.get(f"/invites/{link.token}")
        assert (found["conversation"], found["uses_left"], found["number"]) == (str(made.id), 1, 3)
        chain = await carol.get(f"/invites/{link.token}/statements", after=1)
        assert chain["statements"] == keys.in_json(made.chain[1:])
        joining = made.join(caller_of(carol), link)
        first = await carol.post(f"/invites/{link.token}/join", keys.in_json(joining))
        made.take(joining)
        assert (first["number"], first["epoch"]) == (4, 3)
        assert await carol.post(f"/invites/{link.token}/join", keys.in_json(joining)) == first
        assert (await ears.entry(str(made.id)))["body"]["signed"] == keys.in_json(joining)
        await outside.wait(lambda frame: frame["type"] == "states")
        await say_over_the_wire(made, bob, made.leave(caller_of(bob)))
        assert (await outside.entry(str(made.id)))["account"] == bob.account
    shown = await carol.get(here)
    assert (shown["kind"], shown["member_count"], shown["membership"]["role"]) == ("group", 2, "member")
    epoch = await carol.get(f"{here}/epoch")
    assert sorted(member["account"] for member in epoch["members"]) == sorted([alice.account, carol.account])
    assert (await carol.get(f"{here}/statements"))["statements"] == keys.in_json(made.chain)


@pytest.mark.parametrize(
    ("count", "code"), [(0, "invalid"), (500, "bad_statement"), (501, "invalid")], ids=["none", "most", "too many"]
)
async def test_statements_come_by_the_hundred_and_no_more(world: World, count: int, code: str) -> None:
    alice = await world.register("alice")
    made = await over_the_wire(alice)
    said = keys.in_json(made.set_policy(caller_of(alice), 1))
    for path, more in ((f"/conversations/{made.id}/statements", {}), ("/conversations/group", {"id": str(made.id)})):
        with pytest.raises(Problem) as refused:
            await alice.post(path, {"statements": [said] * count, **more})
        assert refused.value.code == code


@pytest.mark.parametrize(
    "change",
    [{"statement": "AAAA"}, {"signature": "AAAA"}, {"link_signature": "AAAA"}, {"statement": None}, {"signature": 1}],
)
async def test_a_statement_of_another_form_is_invalid(world: World, change: dict[str, Any]) -> None:
    alice = await world.register("alice")
    made = await over_the_wire(alice)
    said = keys.in_json(made.set_policy(caller_of(alice), 1)) | change
    with pytest.raises(Problem, match="invalid"):
        await alice.post(f"/conversations/{made.id}/statements", {"statements": [said]})


async def test_what_is_no_token_names_nothing(world: World) -> None:
    alice = await world.register("alice")
    for wrong, code in (("x", "not_found"), (str(groups.Link().token), "invite_over")):
        with pytest.raises(Problem, match=code):
            await alice.get(f"/invites/{wrong}")
    for number in (0, -1, 2**53, "x"):
        with pytest.raises(Problem, match="invalid"):
            await alice.get(f"/conversations/{groups.Link().token}/epoch", number=number)
