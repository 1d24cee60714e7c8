"""What a link says of its group: kept as it was sealed, renewed by those who may, shown to who has it, and erased."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.groups import Group, Link, group, over_the_wire, person, say_over_the_wire, store
from tests.support.keys import in_json
from tests.support.people import Problem, World
from tests.support.sealing import caller_of

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire import limits
from aparte.wire.errors import Refusal

Admin = Any


async def opened(db: Database, made: Group, who: Caller, card: bytes | None = None) -> Link:
    """A link that is stored."""
    link = Link()
    await store(db, made, who, made.open(who, link), token=link.token, card=card)
    return link


async def shown(db: Database, link: Link) -> bytes | None:
    return (await conversations.invite(db, link.token)).card


async def kept(admin: Admin, link: Link) -> bytes | None:
    found: bytes | None = await admin.fetchval("SELECT card FROM invite_links WHERE link_id = $1", link.id)
    return found


async def refused(renewing: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        await renewing
    return refusal.value.code


async def test_a_link_shows_its_card_until_it_is_closed(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    made = await group(db, alice)
    link, silent = await opened(db, made, alice, b"sealed"), await opened(db, made, alice)
    assert (await shown(db, link), await shown(db, silent)) == (b"sealed", None)
    await store(db, made, alice, made.open(alice, link, uses=9))
    assert await shown(db, link) == b"sealed", "other terms, the same words"
    await store(db, made, alice, made.open(alice, link, uses=9), card=b"sealed anew")
    assert await shown(db, link) == b"sealed anew"
    await store(db, made, alice, made.open(alice, link, role=0))
    assert await kept(admin, link) is None
    assert await refused(conversations.renew_card(db, alice, made.id, link.id, b"too late")) == "not_found"
    await store(db, made, alice, made.open(alice, link), token=link.token)
    assert await shown(db, link) is None


async def test_a_card_is_renewed_by_admins_of_that_group_alone(db: Database, admin: Admin) -> None:
    alice, bob, carol, dave, erin = [await person(admin) for _ in range(5)]
    made, other = await group(db, alice, bob, carol, dave), await group(db, alice)
    for who, role in ((bob, 3), (carol, 2)):
        await store(db, made, alice, made.give_role(alice, who, role))
    link, elsewhere = await opened(db, made, alice, b"first"), await opened(db, other, alice, b"elsewhere")
    await conversations.renew_card(db, bob, made.id, link.id, b"renewed")
    assert await shown(db, link) == b"renewed"
    for who, conversation, of, code in (
        (carol, made.id, link.id, "forbidden"),
        (dave, made.id, link.id, "forbidden"),
        (erin, made.id, link.id, "not_member"),
        (bob, other.id, elsewhere.id, "not_member"),
        (bob, made.id, elsewhere.id, "not_found"),
        (bob, made.id, Link().id, "not_found"),
        (bob._replace(role="guest"), made.id, link.id, "forbidden"),
    ):
        assert await refused(conversations.renew_card(db, who, conversation, of, b"forged")) == code
    await store(db, made, alice, made.remove(alice, bob))
    assert await refused(conversations.renew_card(db, bob, made.id, link.id, b"forged")) == "not_member"
    assert (await shown(db, link), await shown(db, elsewhere)) == (b"renewed", b"elsewhere")


async def test_a_card_goes_with_the_link_that_it_is_of(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    made = await group(db, alice)
    link = await opened(db, made, alice, b"sealed")
    for said in (made.set_policy(alice, 1), made.open(alice, link, role=0)):
        assert await refused(store(db, made, alice, said, card=b"of nothing")) == "invalid"
    assert await shown(db, link) == b"sealed"
    said = made.open(alice, link, uses=3)
    again = made.again()
    first = await store(db, made, alice, said)
    assert await store(db, again, alice, said, card=b"said again, otherwise") == first
    assert await shown(db, link) == b"sealed"


async def test_a_room_has_no_cards(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    with pytest.raises(Problem, match="mode_mismatch"):
        await alice.call("PUT", f"/conversations/{room}/invites/{uuid4()}/card", {"card": in_json(b"x")})


async def test_over_the_wire_a_card_has_its_limits(world: World) -> None:
    alice = await world.register("alice")
    made, link = await over_the_wire(alice), Link()
    place = f"/conversations/{made.id}/invites/{UUID(bytes=link.id)}/card"
    said, longest = made.open(caller_of(alice), link), in_json(bytes(limits.INVITE_CARD_BYTES))
    past_it = [in_json(wrong) for wrong in (b"", bytes(limits.INVITE_CARD_BYTES + 1))]
    for wrong in past_it:
        with pytest.raises(Problem, match="422 invalid"):
            await say_over_the_wire(made, alice, said, token=str(link.token), card=wrong)
    await say_over_the_wire(made, alice, said, token=str(link.token), card=longest)
    assert (await alice.get(f"/invites/{link.token}"))["card"] == longest
    for wrong in past_it:
        with pytest.raises(Problem, match="422 invalid"):
            await alice.call("PUT", place, {"card": wrong})
    for card in (in_json(b"x"), longest):
        await alice.call("PUT", place, {"card": card})
        assert (await alice.get(f"/invites/{link.token}"))["card"] == card
