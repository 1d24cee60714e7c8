"""Sessions: rotation, reuse, expiry, revocation, one per device."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from tests.support.sign_in import HOME, Bell, caller, gate, link, log_in, register

from aparte.server.authentication.actions import authenticate
from aparte.server.authentication.model import Gate
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Ended
from aparte.server.sessions import actions as sessions
from aparte.server.sessions import rules
from aparte.wire.accounts import Tokens
from aparte.wire.errors import Refusal

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


@pytest.fixture
async def phone(here: Gate, alice: Caller) -> Tokens:
    """Alice's second device."""
    assert alice
    return await link(here, "alice")


async def who(here: Gate, tokens: Tokens) -> Caller:
    return await authenticate(here.db, here.keys, tokens.access_token)


async def assert_refused(here: Gate, tokens: Tokens) -> None:
    with pytest.raises(Refusal) as refused:
        await who(here, tokens)
    assert refused.value.code == "unauthenticated"


async def refresh(here: Gate, token: str) -> Tokens:
    return await sessions.refresh(here.db, here.keys, token, HOME)


async def test_an_access_token_tells_account_device_session_and_role(here: Gate, phone: Tokens, alice: Caller) -> None:
    assert await who(here, phone) == Caller(alice.account, phone.device_id, phone.session_id, "user", is_listed=True)


async def test_a_refresh_gives_new_tokens_and_ends_the_old_access_token(here: Gate, phone: Tokens) -> None:
    new = await refresh(here, phone.refresh_token)
    assert new.session_id == phone.session_id
    assert new.refresh_token != phone.refresh_token
    assert await who(here, new)
    await assert_refused(here, phone)


async def test_a_lost_answer_is_given_again_within_30_seconds(here: Gate, phone: Tokens) -> None:
    first = await refresh(here, phone.refresh_token)
    assert await refresh(here, phone.refresh_token) == first
    assert await who(here, first)


async def test_many_refreshes_at_once_rotate_once_and_all_get_the_same(here: Gate, phone: Tokens) -> None:
    answers = await asyncio.gather(*(refresh(here, phone.refresh_token) for _ in range(8)))
    assert len({answer.refresh_token for answer in answers}) == 1
    assert len({answer.access_token for answer in answers}) == 1
    assert await who(here, answers[0])


async def test_g_02_an_old_refresh_token_used_after_the_grace_closes_the_session(
    here: Gate, phone: Tokens, admin: Admin
) -> None:
    here.db.doorbell = bell = Bell()
    new = await refresh(here, phone.refresh_token)
    await admin.execute("UPDATE sessions SET rotated_at = rotated_at - interval '31 seconds'")
    with pytest.raises(Refusal, match="refresh_reused"):
        await refresh(here, phone.refresh_token)
    await assert_refused(here, new)
    with pytest.raises(Refusal, match="unauthenticated"):
        await refresh(here, new.refresh_token)
    assert Ended(phone.session_id) in bell.rung
    event = await admin.fetchrow("SELECT * FROM audit_entries WHERE event = 'refresh_reused'")
    assert (event["severity"], event["session_id"], event["ip"]) == ("warning", phone.session_id, HOME.ip)


async def test_a_token_older_than_the_previous_one_is_reuse_even_at_once(here: Gate, phone: Tokens) -> None:
    second = await refresh(here, phone.refresh_token)
    await refresh(here, second.refresh_token)
    with pytest.raises(Refusal, match="refresh_reused"):
        await refresh(here, phone.refresh_token)


async def test_g_02_access_lasts_15_minutes_and_a_session_30_days_sliding(
    here: Gate, phone: Tokens, admin: Admin
) -> None:
    times = """
        SELECT access_expires_at - created_at AS access, expires_at - created_at AS whole
          FROM sessions WHERE session_id = $1
    """
    row = await admin.fetchrow(times, phone.session_id)
    assert round(row["access"].total_seconds()) == rules.ACCESS_MINUTES * 60 == 900
    assert round(row["whole"].total_seconds()) == rules.SESSION_DAYS * 86_400 == 2_592_000
    await admin.execute("UPDATE sessions SET expires_at = clock_timestamp() + interval '1 hour'")
    await refresh(here, phone.refresh_token)
    row = await admin.fetchrow(times, phone.session_id)
    assert round(row["whole"].total_seconds()) == 2_592_000


async def test_an_expired_access_token_opens_nothing_and_the_session_goes_on(
    here: Gate, phone: Tokens, admin: Admin
) -> None:
    await admin.execute("UPDATE sessions SET access_expires_at = clock_timestamp()")
    await assert_refused(here, phone)
    assert await who(here, await refresh(here, phone.refresh_token))


async def test_b_039_an_expired_session_authenticates_nobody_before_any_job_runs(
    here: Gate, phone: Tokens, admin: Admin
) -> None:
    await admin.execute(
        "UPDATE sessions SET created_at = created_at - interval '31 days', expires_at = expires_at - interval '30 days'"
    )
    await assert_refused(here, phone)
    with pytest.raises(Refusal, match="unauthenticated"):
        await refresh(here, phone.refresh_token)
    assert await sessions.valid(here.db, [phone.session_id]) == set()
    assert (await sessions.mine(here.db, caller(phone))).sessions == []
    async with here.db.transaction() as tx:
        assert await sessions.delete_expired(tx) == 2
    assert await admin.fetchval("SELECT count(*) FROM sessions") == 0


async def test_b_112_two_sessions_never_have_the_same_hash(phone: Tokens, admin: Admin) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await admin.execute(
            "UPDATE sessions SET refresh_hash = (SELECT refresh_hash FROM sessions WHERE session_id = $1)",
            phone.session_id,
        )


async def test_no_token_is_stored(phone: Tokens, admin: Admin) -> None:
    rows = repr(await admin.fetch("SELECT * FROM sessions")) + repr(await admin.fetch("SELECT * FROM audit_entries"))
    assert phone.refresh_token not in rows
    assert phone.access_token not in rows


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET is_active = false",
        "UPDATE accounts SET is_suspended = true",
        "UPDATE accounts SET deleted_at = clock_timestamp()",
    ],
)
async def test_whoever_is_inactive_suspended_or_deleted_is_out_at_the_next_request(
    here: Gate, phone: Tokens, admin: Admin, change: str
) -> None:
    await admin.execute(change)
    await assert_refused(here, phone)
    with pytest.raises(Refusal) as refused:
        await refresh(here, phone.refresh_token)
    assert refused.value.code == ("unauthenticated" if "deleted" in change else "account_closed")
    assert await sessions.valid(here.db, [phone.session_id]) == set()


async def test_a_new_role_counts_at_the_next_request(here: Gate, phone: Tokens, admin: Admin) -> None:
    await admin.execute("UPDATE accounts SET role = 'moderator'")
    assert (await who(here, phone)).role == "moderator"


async def test_a_revoked_session_is_out_at_once_and_its_socket_is_told(
    here: Gate, phone: Tokens, alice: Caller
) -> None:
    here.db.doorbell = bell = Bell()
    await sessions.revoke(here.db, alice, phone.session_id)
    await assert_refused(here, phone)
    assert bell.rung == [Ended(phone.session_id)]
    assert await sessions.valid(here.db, [phone.session_id, alice.session]) == {alice.session}
    with pytest.raises(Refusal, match="not_found"):
        await sessions.revoke(here.db, alice, phone.session_id)


async def test_nobody_elses_session_can_be_seen_or_ended(here: Gate, phone: Tokens) -> None:
    mallory = await register(here, "mallory")
    for session in (phone.session_id, uuid4()):
        with pytest.raises(Refusal, match="not_found"):
            await sessions.revoke(here.db, mallory, session)  # type: ignore[arg-type] # any id will do
    assert await who(here, phone)
    assert {one.session_id for one in (await sessions.mine(here.db, mallory)).sessions} == {mallory.session}


async def test_one_lists_the_sessions_of_all_ones_devices(here: Gate, phone: Tokens, alice: Caller) -> None:
    listed = (await sessions.mine(here.db, alice)).sessions
    assert {(one.session_id, one.is_current) for one in listed} == {(alice.session, True), (phone.session_id, False)}
    assert {(one.ip, one.user_agent) for one in listed} == {(HOME.ip, HOME.user_agent)}


async def test_a_new_login_on_the_same_device_replaces_its_session(here: Gate, phone: Tokens, alice: Caller) -> None:
    here.db.doorbell = bell = Bell()
    again = await log_in(here, "alice", device=phone.device_id)
    await assert_refused(here, phone)
    assert await who(here, again)
    assert Ended(phone.session_id) in bell.rung
    assert len((await sessions.mine(here.db, alice)).sessions) == 2


async def test_ending_all_spares_the_one_that_asks(here: Gate, phone: Tokens, alice: Caller) -> None:
    async with here.db.transaction() as tx:
        assert await sessions.end_all(tx, alice.account, alice.session) == 1
    await assert_refused(here, phone)
    async with here.db.transaction() as tx:
        assert await sessions.end_all(tx, alice.account) == 1


async def test_being_here_is_noted_at_most_once_a_minute(here: Gate, phone: Tokens, admin: Admin) -> None:
    seen = """
        SELECT s.last_active_at AS session, d.last_active_at AS device, a.last_seen_at AS account
          FROM sessions s JOIN devices d USING (device_id) JOIN accounts a ON a.account_id = s.account_id
         WHERE s.session_id = $1
    """
    before = await admin.fetchrow(seen, phone.session_id)
    await who(here, phone)
    assert await admin.fetchrow(seen, phone.session_id) == before
    await admin.execute("UPDATE sessions SET last_active_at = last_active_at - interval '2 minutes'")
    await admin.execute("UPDATE devices SET last_active_at = last_active_at - interval '2 minutes'")
    await admin.execute("UPDATE accounts SET last_seen_at = last_seen_at - interval '2 minutes'")
    await who(here, phone)
    after = await admin.fetchrow(seen, phone.session_id)
    assert all(after[name] >= before[name] for name in ("session", "device", "account"))
