"""Address book, blocks, and who sees what of whom."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support.sign_in import Bell, register

from aparte.server.accounts import actions as accounts
from aparte.server.authentication.model import Gate
from aparte.server.contacts import actions as contacts
from aparte.server.contacts.actions import Aspect
from aparte.server.contacts.http import names_of
from aparte.server.kit.caller import Caller
from aparte.server.kit.doorbell import ToAccount
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import AccountChange, Audience, Privacy
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

Admin = Any


async def state_of(here: Gate, who: Caller) -> dict[str, Any]:
    """Everything that is in somebody's account state."""
    return {item.key: item.value for item in (await state.page(here.db, who, 0)).items}


async def set_privacy(here: Gate, who: Caller, **privacy: Audience) -> None:
    await accounts.change(here.db, who, AccountChange(privacy=Privacy(**privacy)))


async def may_write(here: Gate, sender: Caller, target: Caller) -> str:
    try:
        async with here.db.read() as reader:
            await contacts.may_write(reader, sender.account, target.account)
    except Refusal as refusal:
        return refusal.code
    return "yes"


async def test_r_097_adding_somebody_twice_leaves_one_entry(here: Gate, alice: Caller, bob: Caller) -> None:
    first = await contacts.add(here.db, alice, bob.account, "Bobby")
    again = await contacts.add(here.db, alice, bob.account, "Bobby")
    assert (again.added_at, again.nickname) == (first.added_at, "Bobby")
    changed = await contacts.add(here.db, alice, bob.account, None)
    assert (changed.added_at, changed.nickname) == (first.added_at, None)
    listed = (await contacts.contacts(here.db, alice)).contacts
    assert [(one.person.username, one.nickname, one.is_blocked) for one in listed] == [("Bob", None, False)]
    assert (await contacts.contacts(here.db, bob)).contacts == []


async def test_adding_at_once_from_two_devices_leaves_one_entry(here: Gate, alice: Caller, bob: Caller) -> None:
    await asyncio.gather(*(contacts.add(here.db, alice, bob.account, str(n)) for n in range(6)))
    assert len((await contacts.contacts(here.db, alice)).contacts) == 1


async def test_r_098_nobody_is_their_own_contact_or_blocks_themselves(here: Gate, alice: Caller) -> None:
    for attempt in (contacts.add, contacts.block):
        with pytest.raises(Refusal, match="own account"):
            await attempt(here.db, alice, alice.account, None)


async def test_who_is_not_there_can_be_neither_added_nor_blocked_nor_seen(here: Gate, alice: Caller) -> None:
    nobody = AccountId(uuid4())
    for attempt in (contacts.add, contacts.block):
        with pytest.raises(Refusal, match="not_found"):
            await attempt(here.db, alice, nobody, None)
    with pytest.raises(Refusal, match="not_found"):
        await contacts.person(here.db, alice, nobody)


async def test_removing_and_unblocking_can_be_repeated(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.add(here.db, alice, bob.account, None)
    await contacts.block(here.db, alice, bob.account, None)
    for _ in range(2):
        await contacts.remove(here.db, alice, bob.account)
        await contacts.unblock(here.db, alice, bob.account)
    assert (await contacts.contacts(here.db, alice)).contacts == []
    assert (await contacts.blocks(here.db, alice)).blocks == []


async def test_ones_own_devices_learn_of_contacts_and_blocks_and_nobody_else_does(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    here.db.doorbell = bell = Bell()
    before = await state_of(here, bob)
    await contacts.add(here.db, alice, bob.account, "B")
    await contacts.block(here.db, alice, bob.account, "spam")
    known = await state_of(here, alice)
    assert known[f"contact:{bob.account}"]["nickname"] == "B"
    assert known[f"block:{bob.account}"]["reason"] == "spam"
    await contacts.remove(here.db, alice, bob.account)
    await contacts.unblock(here.db, alice, bob.account)
    known = await state_of(here, alice)
    assert known[f"contact:{bob.account}"] is known[f"block:{bob.account}"] is None
    assert await state_of(here, bob) == before
    assert {hint.account for hint in bell.rung if isinstance(hint, ToAccount)} == {alice.account}


async def test_what_changes_nothing_tells_nobody(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.add(here.db, alice, bob.account, "B")
    await contacts.block(here.db, alice, bob.account, "spam")
    here.db.doorbell = bell = Bell()
    await contacts.add(here.db, alice, bob.account, "B")
    await contacts.block(here.db, alice, bob.account, "spam")
    assert bell.rung == []


async def test_blocking_needs_no_contact_and_shows_on_one(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.block(here.db, alice, bob.account, "spam")
    assert [(one.person.username, one.reason) for one in (await contacts.blocks(here.db, alice)).blocks] == [
        ("Bob", "spam")
    ]
    assert (await contacts.add(here.db, alice, bob.account, None)).is_blocked
    assert (await contacts.contacts(here.db, alice)).contacts[0].is_blocked
    assert (await contacts.blocks(here.db, bob)).blocks == []


@pytest.mark.parametrize("nickname", ["", "   ", "a:b", "a\u202eb", "a\u200bb", "a\nb", "x" * 101])
async def test_nicknames_hold_nothing_invisible(here: Gate, alice: Caller, bob: Caller, nickname: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await contacts.add(here.db, alice, bob.account, nickname)


async def test_lists_are_bounded(here: Gate, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    carol = await register(here, "carol")
    monkeypatch.setattr("aparte.wire.limits.CONTACTS", 1)
    monkeypatch.setattr("aparte.wire.limits.BLOCKS", 1)
    for attempt in (contacts.add, contacts.block):
        await attempt(here.db, alice, bob.account, "first")
        await attempt(here.db, alice, bob.account, "again")
        with pytest.raises(Refusal, match="too_many"):
            await attempt(here.db, alice, carol.account, None)


@pytest.mark.parametrize(
    ("audience", "in_book", "outcome"),
    [
        ("everyone", False, "yes"),
        ("contacts", False, "blocked"),
        ("contacts", True, "yes"),
        ("nobody", True, "blocked"),
    ],
)
async def test_who_may_write_follows_the_targets_own_book(
    here: Gate, alice: Caller, bob: Caller, audience: Audience, in_book: bool, outcome: str
) -> None:
    await set_privacy(here, alice, may_write=audience)
    await contacts.add(here.db, bob, alice.account, None)
    if in_book:
        await contacts.add(here.db, alice, bob.account, None)
    assert await may_write(here, bob, alice) == outcome


async def test_a_block_holds_in_both_directions_and_from_the_next_operation_on(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    await contacts.block(here.db, alice, bob.account, None)
    assert [await may_write(here, bob, alice), await may_write(here, alice, bob)] == ["blocked", "blocked"]
    async with here.db.read() as reader:
        assert await contacts.blocked_between(reader, bob.account, alice.account) == [alice.account]
    await contacts.block(here.db, bob, alice.account, None)
    async with here.db.read() as reader:
        assert set(await contacts.blocked_between(reader, bob.account, alice.account)) == {alice.account, bob.account}
    await contacts.unblock(here.db, alice, bob.account)
    await contacts.unblock(here.db, bob, alice.account)
    assert [await may_write(here, bob, alice), await may_write(here, alice, bob)] == ["yes", "yes"]


async def test_writing_to_nobody(here: Gate, alice: Caller, admin: Admin) -> None:
    gone = await register(here, "gone")
    await admin.execute("UPDATE accounts SET deleted_at = clock_timestamp() WHERE username = 'gone'")
    assert await may_write(here, alice, gone) == "not_found"
    with pytest.raises(Refusal, match="not_found"):
        await contacts.person(here.db, alice, gone.account)
    assert (await contacts.people_named(here.db, alice, ["gone"])).people == []
    assert (await contacts.people(here.db, alice, [gone.account])).people == []


@pytest.mark.parametrize("aspect", ["see_last_seen", "see_presence"])
@pytest.mark.parametrize(
    "case",
    [("everyone", False, True), ("contacts", False, False), ("contacts", True, True), ("nobody", True, False)],
)
async def test_r_045_times_and_presence_are_shown_to_whom_the_person_wants(
    here: Gate, alice: Caller, bob: Caller, aspect: Aspect, case: tuple[Audience, bool, bool]
) -> None:
    audience, in_book, sees = case
    await set_privacy(here, alice, **{aspect: audience})  # type: ignore[arg-type] # a key of Privacy
    if in_book:
        await contacts.add(here.db, alice, bob.account, None)
    async with here.db.read() as reader:
        allowed = await contacts.allowed(reader, bob.account, [alice.account, bob.account], aspect)
    assert allowed == ({alice.account, bob.account} if sees else {bob.account})
    if aspect == "see_last_seen":
        assert ((await contacts.person(here.db, bob, alice.account)).last_seen_at is not None) is sees
        assert (await contacts.person(here.db, alice, alice.account)).last_seen_at is not None


@pytest.mark.parametrize("blocker", ["asker", "target"])
async def test_across_a_block_only_names_are_shown(here: Gate, alice: Caller, bob: Caller, blocker: str) -> None:
    await accounts.change(here.db, alice, AccountChange(bio="about me", status_text="busy"))
    pair = (bob, alice) if blocker == "asker" else (alice, bob)
    await contacts.block(here.db, pair[0], pair[1].account, None)
    shown = await contacts.person(here.db, bob, alice.account)
    assert (shown.username, shown.display_name) == ("alice", "alice")
    assert (shown.bio, shown.status_text, shown.last_seen_at, shown.avatar_url) == (None, None, None, None)
    async with here.db.read() as reader:
        assert not await contacts.allowed(reader, bob.account, [alice.account], "see_presence")


async def test_others_never_see_addresses_or_how_one_logs_in(here: Gate, alice: Caller, bob: Caller) -> None:
    shown = repr(await contacts.person(here.db, alice, bob.account))
    assert "example.org" not in shown
    assert "argon2" not in shown


async def test_people_are_found_by_ids_in_the_order_asked_and_by_name_in_any_case(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    wanted = [bob.account, AccountId(uuid4()), alice.account, bob.account]
    found = (await contacts.people(here.db, alice, wanted)).people
    assert [one.id for one in found] == [bob.account, alice.account]
    for name in ("bob", "BOB", "Bob"):
        assert [one.id for one in (await contacts.people_named(here.db, alice, [name])).people] == [bob.account]
    assert (await contacts.people_named(here.db, alice, ["bo"])).people == []
    several = (await contacts.people_named(here.db, alice, ["BOB", "nobody", "alice", "bob"])).people
    assert {one.id for one in several} == {alice.account, bob.account}
    assert len(several) == 2


def test_a_page_of_names_is_asked_for_at_once_and_no_more() -> None:
    assert len(names_of(",".join(["bob"] * limits.PAGE_LIST))) == limits.PAGE_LIST
    with pytest.raises(Refusal, match="invalid"):
        names_of(",".join(["bob"] * (limits.PAGE_LIST + 1)))
