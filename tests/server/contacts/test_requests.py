"""Contact requests: asked, accepted, declined, withdrawn, closed by a block, and at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from tests.server.messages.conftest import waits_for_a_lock
from tests.support.sign_in import Bell, register

from aparte.server.accounts import actions as accounts
from aparte.server.authentication.model import Gate
from aparte.server.contacts import actions as contacts
from aparte.server.contacts import rules
from aparte.server.contacts.model import RequestRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.doorbell import ToAccount
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import AccountChange, PrivacyChange
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

Admin = Any


async def outcome(asked: Awaitable[Any]) -> str:
    """The status that a request has afterwards, `done`, or the code of a refusal."""
    try:
        answer = await asked
    except Refusal as refusal:
        return refusal.code
    return str(getattr(answer, "status", "done"))


async def seen_by(here: Gate, who: Caller) -> list[tuple[AccountId, bool, str]]:
    """Somebody's requests: with whom, whose, and how they stand."""
    listed = (await contacts.requests(here.db, who)).requests
    return [(one.person.id, one.is_mine, one.status) for one in listed]


async def followed(here: Gate, who: Caller) -> list[tuple[AccountId, bool, str]]:
    """The same by the account state, as another device of theirs knows it."""
    items = (await state.page(here.db, who, 0)).items
    values = {item.key.removeprefix("request:"): item.value for item in items if item.key.startswith("request:")}
    there = {key: value for key, value in values.items() if value is not None}
    ordered = sorted(there.items(), key=lambda row: str(row[1]["created_at"]), reverse=True)
    return [(AccountId(type(who.account)(key)), value["is_mine"], value["status"]) for key, value in ordered]


async def check_state(here: Gate, *people: Caller) -> None:
    """Whoever follows the state knows what a fresh fetch gives."""
    for who in people:
        assert await followed(here, who) == await seen_by(here, who)


async def books(here: Gate, *people: Caller) -> list[set[AccountId]]:
    """Whom each has in their book."""
    return [{one.person.id for one in (await contacts.contacts(here.db, who)).contacts} for who in people]


async def turn_back(admin: Admin, **ago: float) -> None:
    """Lay every decision further back."""
    await admin.execute(
        "UPDATE contact_requests SET created_at = created_at - $1::interval, decided_at = decided_at - $1::interval",
        timedelta(**ago),
    )


async def test_r_103_somebody_asks_and_accepted_each_has_the_other_in_their_book(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    here.db.doorbell = bell = Bell()
    asked = await contacts.ask(here.db, alice, bob.account, "  It is me, from school.\n")
    assert (asked.person.id, asked.is_mine, asked.status) == (bob.account, True, "pending")
    assert (asked.note, asked.decided_at) == ("It is me, from school.", None)
    assert await seen_by(here, bob) == [(alice.account, False, "pending")]
    assert (await contacts.requests(here.db, bob)).requests[0].note == "It is me, from school."
    assert await books(here, alice, bob) == [set(), set()]
    assert {hint.account for hint in bell.rung if isinstance(hint, ToAccount)} == {alice.account, bob.account}
    await check_state(here, alice, bob)

    accepted = await contacts.accept(here.db, bob, alice.account)
    assert (accepted.status, accepted.is_mine) == ("accepted", False)
    assert accepted.decided_at is not None
    assert await books(here, alice, bob) == [{bob.account}, {alice.account}]
    assert await seen_by(here, alice) == [(bob.account, True, "accepted")]
    await check_state(here, alice, bob)
    known = {item.key for item in (await state.page(here.db, alice, 0)).items}
    assert f"contact:{bob.account}" in known


async def test_accepting_keeps_the_nickname_of_an_entry_that_is_there(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.add(here.db, alice, bob.account, "Bobby")
    await contacts.ask(here.db, alice, bob.account, "")
    await contacts.accept(here.db, bob, alice.account)
    assert [one.nickname for one in (await contacts.contacts(here.db, alice)).contacts] == ["Bobby"]


async def test_b_140_whoever_asks_back_accepts(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.ask(here.db, alice, bob.account, "")
    assert (await contacts.ask(here.db, bob, alice.account, "me too")).status == "accepted"
    assert await books(here, alice, bob) == [{bob.account}, {alice.account}]
    assert await seen_by(here, bob) == [(alice.account, False, "accepted")]
    await check_state(here, alice, bob)


async def test_b_140_two_who_ask_each_other_at_once_have_each_other(here: Gate, alice: Caller, bob: Caller) -> None:
    for _ in range(5):
        answers = await asyncio.gather(
            contacts.ask(here.db, alice, bob.account, "a"), contacts.ask(here.db, bob, alice.account, "b")
        )
        assert sorted(answer.status for answer in answers) == ["accepted", "pending"]
        assert await books(here, alice, bob) == [{bob.account}, {alice.account}]
        assert len(await seen_by(here, alice)) == len(await seen_by(here, bob)) == 1
        await check_state(here, alice, bob)
        for one, other in ((alice, bob), (bob, alice)):
            await contacts.remove(here.db, one, other.account)


async def test_g_018_one_request_is_open_between_two_and_asking_again_changes_nothing(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    first = await contacts.ask(here.db, alice, bob.account, "first")
    here.db.doorbell = bell = Bell()
    again = await asyncio.gather(*(contacts.ask(here.db, alice, bob.account, str(n)) for n in range(4)))
    assert {(one.note, one.created_at) for one in again} == {("first", first.created_at)}
    assert bell.rung == []
    assert len(await seen_by(here, bob)) == 1


async def test_g_018_after_a_decline_only_who_asked_waits_a_week(
    here: Gate, alice: Caller, bob: Caller, admin: Admin
) -> None:
    await contacts.ask(here.db, alice, bob.account, "")
    declined = await contacts.decline(here.db, bob, alice.account)
    assert declined.status == "declined"
    assert declined.decided_at is not None
    assert await books(here, alice, bob) == [set(), set()]
    await check_state(here, alice, bob)
    with pytest.raises(Refusal, match="too_soon") as refused:
        await contacts.ask(here.db, alice, bob.account, "please")
    assert refused.value.data["until"] == declined.decided_at + timedelta(days=limits.REQUEST_AGAIN_DAYS)

    assert (await contacts.ask(here.db, bob, alice.account, "I changed my mind")).status == "pending"
    await contacts.withdraw(here.db, bob, alice.account)
    await contacts.ask(here.db, alice, bob.account, "")
    await contacts.decline(here.db, bob, alice.account)
    await turn_back(admin, days=limits.REQUEST_AGAIN_DAYS)
    again = await contacts.ask(here.db, alice, bob.account, "a week later")
    assert (again.status, again.note, again.decided_at) == ("pending", "a week later", None)
    await check_state(here, alice, bob)


@pytest.mark.parametrize(("seconds", "refused"), [(-1, True), (0, False), (1, False)])
def test_a_week_is_a_week_to_the_second(seconds: int, *, refused: bool) -> None:
    one, other = AccountId(uuid4()), AccountId(uuid4())
    at = datetime(2026, 1, 1, tzinfo=UTC)
    row = RequestRow(one, other, "declined", "", at, at)
    then = at + timedelta(days=limits.REQUEST_AGAIN_DAYS, seconds=seconds)
    if refused:
        with pytest.raises(Refusal, match="too_soon"):
            rules.check_may_ask_again(row, one, then)
    else:
        rules.check_may_ask_again(row, one, then)
    rules.check_may_ask_again(row, other, at)
    rules.check_may_ask_again(None, one, at)


async def test_what_is_decided_cannot_be_decided_otherwise_or_taken_back(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    assert await outcome(contacts.accept(here.db, bob, alice.account)) == "not_found"
    assert await outcome(contacts.decline(here.db, bob, alice.account)) == "not_found"
    assert await outcome(contacts.withdraw(here.db, alice, bob.account)) == "done"
    await contacts.ask(here.db, alice, bob.account, "")
    assert await outcome(contacts.accept(here.db, alice, bob.account)) == "not_found", "one's own"
    assert await outcome(contacts.decline(here.db, alice, bob.account)) == "not_found", "one's own"
    assert await outcome(contacts.withdraw(here.db, bob, alice.account)) == "done"
    assert await seen_by(here, bob) == [(alice.account, False, "pending")], "it was not theirs to take back"
    for _ in range(2):
        assert await outcome(contacts.decline(here.db, bob, alice.account)) == "declined"
    assert await outcome(contacts.accept(here.db, bob, alice.account)) == "over"
    assert await outcome(contacts.withdraw(here.db, alice, bob.account)) == "over", "or the week would be over too"

    carol = await register(here, "carol")
    await contacts.ask(here.db, carol, bob.account, "")
    for _ in range(2):
        assert await outcome(contacts.accept(here.db, bob, carol.account)) == "accepted"
    assert await outcome(contacts.decline(here.db, bob, carol.account)) == "over"
    assert await outcome(contacts.withdraw(here.db, carol, bob.account)) == "over"


async def test_who_withdraws_leaves_nothing_on_either_side(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.ask(here.db, alice, bob.account, "")
    for _ in range(2):
        await contacts.withdraw(here.db, alice, bob.account)
    assert await seen_by(here, alice) == await seen_by(here, bob) == []
    await check_state(here, alice, bob)
    assert (await contacts.ask(here.db, alice, bob.account, "after all")).status == "pending"


async def test_of_accepting_and_withdrawing_at_once_one_comes_first(here: Gate, alice: Caller, bob: Caller) -> None:
    seen = set()
    for turn in range(8):
        await contacts.ask(here.db, alice, bob.account, "")
        steps = [contacts.accept(here.db, bob, alice.account), contacts.withdraw(here.db, alice, bob.account)]
        if turn % 2:
            steps.reverse()
        answers = await asyncio.gather(*(outcome(step) for step in steps))
        accepted, withdrawn = reversed(answers) if turn % 2 else answers
        assert (accepted, withdrawn) in {("accepted", "over"), ("not_found", "done")}
        seen.add(accepted)
        both = [{bob.account}, {alice.account}] if accepted == "accepted" else [set(), set()]
        assert await books(here, alice, bob) == both
        await check_state(here, alice, bob)
        for one, other in ((alice, bob), (bob, alice)):
            await contacts.remove(here.db, one, other.account)
    assert seen


async def test_accepted_once_asking_again_is_for_who_was_taken_out_of_the_book(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    await contacts.ask(here.db, alice, bob.account, "")
    await contacts.accept(here.db, bob, alice.account)
    await contacts.remove(here.db, alice, bob.account)
    assert (await contacts.ask(here.db, alice, bob.account, "")).status == "accepted"
    assert await books(here, alice, bob) == [{bob.account}, {alice.account}]
    await contacts.remove(here.db, bob, alice.account)
    assert (await contacts.ask(here.db, alice, bob.account, "")).status == "pending"
    await check_state(here, alice, bob)


# Who may ask whom -------------------------------------------------------------------------------------------------


async def test_nobody_asks_oneself_nobody_and_as_a_guest(here: Gate, alice: Caller, bob: Caller) -> None:
    with pytest.raises(Refusal, match="own account"):
        await contacts.ask(here.db, alice, alice.account, "")
    for attempt in (
        contacts.ask(here.db, alice, AccountId(uuid4()), ""),
        contacts.accept(here.db, alice, AccountId(uuid4())),
        contacts.decline(here.db, alice, AccountId(uuid4())),
    ):
        assert await outcome(attempt) == "not_found"
    assert await outcome(contacts.ask(here.db, alice._replace(role="guest"), bob.account, "")) == "forbidden"


@pytest.mark.parametrize("note", ["x" * (limits.REQUEST_NOTE + 1), "a\x00b", "a\x1bb"])
async def test_a_note_is_short_and_plain(here: Gate, alice: Caller, bob: Caller, note: str) -> None:
    assert await outcome(contacts.ask(here.db, alice, bob.account, note)) == "invalid"
    assert (await contacts.ask(here.db, alice, bob.account, "x" * limits.REQUEST_NOTE)).status == "pending"


async def test_who_takes_no_messages_takes_no_requests_and_who_hears_contacts_alone_does(
    here: Gate, alice: Caller, bob: Caller, admin: Admin
) -> None:
    await accounts.change(here.db, bob, AccountChange(privacy=PrivacyChange(may_write="nobody")))
    assert await outcome(contacts.ask(here.db, alice, bob.account, "")) == "blocked"
    await accounts.change(here.db, bob, AccountChange(privacy=PrivacyChange(may_write="contacts")))
    assert await outcome(contacts.ask(here.db, alice, bob.account, "")) == "pending"
    bot = await register(here, "bot")
    await admin.execute("UPDATE accounts SET kind = 'bot' WHERE account_id = $1", bot.account)
    assert await outcome(contacts.ask(here.db, alice, bot.account, "")) == "blocked"


async def test_who_was_asked_answers_by_asking_whatever_else_the_other_takes(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    await contacts.ask(here.db, alice, bob.account, "")
    await accounts.change(here.db, alice, AccountChange(privacy=PrivacyChange(may_write="nobody")))
    assert await outcome(contacts.ask(here.db, bob, alice.account, "")) == "accepted"


@pytest.mark.parametrize("limited", ["asked", "received"])
async def test_so_many_wait_and_one_more_is_refused(
    here: Gate, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch, limited: str
) -> None:
    carol, dave = await register(here, "carol"), await register(here, "dave")
    monkeypatch.setattr("aparte.wire.limits.REQUESTS", 2)
    if limited == "asked":
        pairs = [(alice, bob), (alice, carol), (alice, dave)]
    else:
        pairs = [(bob, alice), (carol, alice), (dave, alice)]
    assert [await outcome(contacts.ask(here.db, one, other.account, "")) for one, other in pairs] == [
        "pending",
        "pending",
        "too_many",
    ]
    one, other = pairs[0]
    await contacts.decline(here.db, other, one.account)
    assert await outcome(contacts.ask(here.db, *_of(pairs[2]), "")) == "pending", "decided ones count no more"


def _of(pair: tuple[Caller, Caller]) -> tuple[Caller, AccountId]:
    return pair[0], pair[1].account


async def test_a_full_book_accepts_nobody_and_the_request_waits(
    here: Gate, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    carol = await register(here, "carol")
    await contacts.add(here.db, bob, carol.account, None)
    await contacts.ask(here.db, alice, bob.account, "")
    monkeypatch.setattr("aparte.wire.limits.CONTACTS", 1)
    assert await outcome(contacts.accept(here.db, bob, alice.account)) == "too_many"
    assert await books(here, alice, bob) == [set(), {carol.account}]
    assert await seen_by(here, bob) == [(alice.account, False, "pending")]
    await contacts.remove(here.db, bob, carol.account)
    assert await outcome(contacts.accept(here.db, bob, alice.account)) == "accepted"


# Blocks -----------------------------------------------------------------------------------------------------------


async def test_r_105_who_is_asked_and_blocks_closes_the_request_and_only_they_see_why(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    await contacts.ask(here.db, alice, bob.account, "hello")
    await contacts.block(here.db, bob, alice.account, None)
    assert await seen_by(here, bob) == [(alice.account, False, "blocked")]
    assert await seen_by(here, alice) == [(bob.account, True, "declined")]
    await check_state(here, alice, bob)
    assert await outcome(contacts.accept(here.db, bob, alice.account)) == "over"
    for one, other in ((alice, bob), (bob, alice)):
        assert await outcome(contacts.ask(here.db, one, other.account, "")) == "blocked"
    await contacts.unblock(here.db, bob, alice.account)
    assert await seen_by(here, bob) == [(alice.account, False, "declined")]
    await check_state(here, alice, bob)
    assert await outcome(contacts.ask(here.db, alice, bob.account, "")) == "too_soon"
    assert await outcome(contacts.ask(here.db, bob, alice.account, "")) == "pending"


async def test_r_105_who_asks_and_blocks_takes_the_request_back(here: Gate, alice: Caller, bob: Caller) -> None:
    await contacts.ask(here.db, alice, bob.account, "hello")
    await contacts.block(here.db, alice, bob.account, None)
    assert await seen_by(here, alice) == await seen_by(here, bob) == []
    await check_state(here, alice, bob)


async def test_a_block_after_the_decision_changes_what_the_blocker_sees_and_nothing_else(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    await contacts.ask(here.db, alice, bob.account, "")
    await contacts.accept(here.db, bob, alice.account)
    here.db.doorbell = bell = Bell()
    await contacts.block(here.db, alice, bob.account, None)
    assert await seen_by(here, alice) == [(bob.account, True, "blocked")]
    assert await seen_by(here, bob) == [(alice.account, False, "accepted")]
    await check_state(here, alice, bob)
    await contacts.unblock(here.db, alice, bob.account)
    assert await seen_by(here, alice) == [(bob.account, True, "accepted")]
    await check_state(here, alice, bob)
    assert {hint.account for hint in bell.rung if isinstance(hint, ToAccount)} == {alice.account}


async def test_of_asking_and_blocking_at_once_nothing_stays_open(here: Gate, alice: Caller, bob: Caller) -> None:
    for turn in range(6):
        one, other = (alice, bob) if turn % 2 else (bob, alice)
        await asyncio.gather(
            outcome(contacts.ask(here.db, one, other.account, "")),
            contacts.block(here.db, bob, alice.account, None),
        )
        assert "pending" not in {status for _, _, status in await seen_by(here, alice) + await seen_by(here, bob)}
        await check_state(here, alice, bob)
        await contacts.unblock(here.db, bob, alice.account)


async def test_all_at_once_between_three_people_ends_and_both_sides_agree(
    here: Gate, alice: Caller, bob: Caller
) -> None:
    people = [alice, bob, await register(here, "carol")]
    pairs = [(one, other) for one in people for other in people if one is not other]
    places = asyncio.Semaphore(8)

    async def do(verb: Callable[..., Awaitable[Any]], one: Caller, other: Caller, *more: Any) -> str:
        async with places:
            return await outcome(verb(here.db, one, other.account, *more))

    for _ in range(3):
        steps = [do(contacts.block, alice, bob, None)]
        for one, other in pairs:
            steps.append(do(contacts.ask, one, other, ""))
            steps += [do(verb, one, other) for verb in (contacts.accept, contacts.unblock, contacts.withdraw)]
            steps.append(do(contacts.remove, one, other))
        assert "unavailable" not in await asyncio.gather(*steps), "somebody waited for somebody who waited for them"
        await check_state(here, *people)
        for one in people:
            assert len({row[0] for row in await seen_by(here, one)}) == len(await seen_by(here, one))


# What is kept -----------------------------------------------------------------------------------------------------


async def test_requests_are_listed_newest_first_and_without_who_is_gone(
    here: Gate, alice: Caller, bob: Caller, admin: Admin
) -> None:
    carol, dave = await register(here, "carol"), await register(here, "dave")
    await contacts.ask(here.db, alice, bob.account, "")
    await contacts.ask(here.db, carol, alice.account, "")
    await contacts.ask(here.db, alice, dave.account, "")
    assert [row[0] for row in await seen_by(here, alice)] == [dave.account, carol.account, bob.account]
    await admin.execute("UPDATE accounts SET deleted_at = clock_timestamp() WHERE account_id = $1", carol.account)
    assert [row[0] for row in await seen_by(here, alice)] == [dave.account, bob.account]


async def test_what_was_decided_long_ago_is_forgotten_on_both_sides(
    here: Gate, alice: Caller, bob: Caller, admin: Admin
) -> None:
    carol, dave = await register(here, "carol"), await register(here, "dave")
    await contacts.ask(here.db, alice, bob.account, "")
    await contacts.decline(here.db, bob, alice.account)
    await contacts.ask(here.db, alice, dave.account, "")
    await turn_back(admin, days=30, seconds=1)
    await contacts.ask(here.db, carol, alice.account, "")
    await contacts.accept(here.db, alice, carol.account)
    for forgotten in (1, 0):
        async with here.db.transaction() as tx:
            assert await contacts.forget_old(tx) == forgotten
    assert {row[0] for row in await seen_by(here, alice)} == {carol.account, dave.account}, "what waits stays"
    assert await seen_by(here, bob) == []
    await check_state(here, alice, bob, carol, dave)


def test_a_request_shows_nobody_but_the_blocker_that_there_is_a_block() -> None:
    one, other = AccountId(uuid4()), AccountId(uuid4())
    at = datetime(2026, 1, 1, tzinfo=UTC)
    row = RequestRow(one, other, "declined", "note", at, at)
    assert rules.request_value(row, one, blocks_other=False)["status"] == "declined"
    assert rules.request_value(row, other, blocks_other=True)["status"] == "blocked"


@pytest.mark.parametrize("verb", ["block", "unblock"])
async def test_a_block_waits_for_who_forgets_requests_and_not_the_other_way_round(
    here: Gate, admin: Admin, alice: Caller, bob: Caller, verb: str
) -> None:
    """Requests are locked before the account states that tell of them, or two would wait for each other."""
    await contacts.ask(here.db, bob, alice.account, "")
    await contacts.decline(here.db, alice, bob.account)
    if verb == "unblock":
        await contacts.block(here.db, alice, bob.account, None)
    doing = contacts.unblock if verb == "unblock" else partial(contacts.block, reason=None)
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM contact_requests FOR UPDATE")
        blocking = asyncio.create_task(doing(here.db, alice, bob.account))
        await waits_for_a_lock(admin)
        await admin.execute("UPDATE account_revs SET rev = rev WHERE account_id = $1", alice.account)
    await blocking
