"""Who is found by an e-mail address or a phone number: whoever wants to be, and nobody learns of the others."""

from typing import Any

import pytest
from tests.support.people import Problem, World
from tests.support.sign_in import register

from aparte.server.accounts import actions as accounts
from aparte.server.authentication.model import Gate
from aparte.server.contacts import actions as contacts
from aparte.server.kit.caller import Caller
from aparte.wire.accounts import AccountChange, Audience, FindPerson, PrivacyChange
from aparte.wire.errors import Refusal

Admin = Any
MAIL = FindPerson(email="zoe@example.org")
PHONE = FindPerson(phone="+33612345678")


@pytest.fixture
async def zoe(here: Gate) -> Caller:
    """Somebody with both, who lets everybody find her by both."""
    who = await register(here, "zoe", email="Zoe@Example.org", phone="+33 6 12 34 56 78")
    await set_privacy(here, who, find_by_email="everyone", find_by_phone="everyone")
    return who


async def set_privacy(here: Gate, who: Caller, **privacy: Audience) -> None:
    await accounts.change(here.db, who, AccountChange(privacy=PrivacyChange(**privacy)))


async def found(here: Gate, asker: Caller, wanted: FindPerson) -> str:
    """Who is found, or the code and the words of the refusal."""
    try:
        return (await contacts.find(here.db, asker, wanted)).username
    except Refusal as refusal:
        return str(refusal)


@pytest.mark.parametrize(
    "wanted",
    [
        MAIL,
        FindPerson(email="ZOE@EXAMPLE.ORG"),
        PHONE,
        FindPerson(phone="0033 6 12.34.56.78"),
        FindPerson(phone="+33 (6) 12-34-56-78"),
    ],
)
@pytest.mark.usefixtures("zoe")
async def test_an_address_is_the_same_however_it_is_written(here: Gate, alice: Caller, wanted: FindPerson) -> None:
    assert await found(here, alice, wanted) == "zoe"


async def test_r_045_nobody_is_found_before_they_say_so(here: Gate, alice: Caller, bob: Caller) -> None:
    for email in ("Bob@example.org", "nobody@example.org"):
        assert await found(here, alice, FindPerson(email=email)) == "not_found"
    assert await found(here, bob, FindPerson(email="bob@example.org")) == "Bob", "oneself"


@pytest.mark.parametrize(
    ("audience", "in_book", "seen"),
    [("everyone", False, True), ("contacts", False, False), ("contacts", True, True), ("nobody", True, False)],
)
@pytest.mark.parametrize("by", ["find_by_email", "find_by_phone"])
async def test_who_finds_somebody_follows_their_own_book_and_looks_like_nobody_else(
    here: Gate, alice: Caller, zoe: Caller, by: str, audience: Audience, *, in_book: bool, seen: bool
) -> None:
    if in_book:
        await contacts.add(here.db, zoe, alice.account, None)
    await set_privacy(here, zoe, **{by: audience})
    wanted, other = (MAIL, PHONE) if by == "find_by_email" else (PHONE, MAIL)
    assert await found(here, alice, wanted) == ("zoe" if seen else "not_found")
    assert await found(here, alice, other) == "zoe", "the other way is a choice of its own"


@pytest.mark.parametrize("blocker", ["asker", "target"])
async def test_a_block_either_way_hides(here: Gate, alice: Caller, zoe: Caller, blocker: str) -> None:
    one, other = (alice, zoe) if blocker == "asker" else (zoe, alice)
    await contacts.block(here.db, one, other.account, None)
    assert [await found(here, alice, wanted) for wanted in (MAIL, PHONE)] == ["not_found"] * 2


@pytest.mark.parametrize("change", ["deleted_at = now()", "is_active = false", "is_suspended = true", "kind = 'bot'"])
@pytest.mark.usefixtures("zoe")
async def test_who_is_not_in_use_is_not_found(here: Gate, alice: Caller, admin: Admin, change: str) -> None:
    await admin.execute(f"UPDATE accounts SET {change} WHERE username = 'zoe'")  # noqa: S608 - written above
    assert [await found(here, alice, wanted) for wanted in (MAIL, PHONE)] == ["not_found"] * 2


@pytest.mark.parametrize(
    "wanted", [FindPerson(), FindPerson("a@example.org", "+33612345678"), FindPerson(phone="06 12 34 56 78")]
)
async def test_one_whole_address_is_asked_for(here: Gate, alice: Caller, wanted: FindPerson) -> None:
    assert (await found(here, alice, wanted)).startswith("invalid")


async def test_b_036_over_rest_an_address_that_hides_somebody_looks_like_one_that_nobody_has(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    answers = []
    for email in (f"{bob.username}@example.org", "nobody.at.all@example.org"):
        with pytest.raises(Problem) as refused:
            await alice.post("/accounts/find", {"email": email})
        answers.append((refused.value.status, refused.value.body))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    await bob.call("PATCH", "/accounts/me", {"privacy": {"find_by_email": "everyone"}})
    shown = await alice.post("/accounts/find", {"email": f"{bob.username}@EXAMPLE.org"})
    assert shown["id"] == bob.account
    assert "email" not in shown
