"""Invite links: who has one comes in visibly; who guesses, comes late or was put out learns nothing and stays out."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.support.groups import Group, Link, group, person, store

from aparte.e2ee.membership import Membership
from aparte.server.conversations import actions as conversations
from aparte.server.conversations import chain
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.errors import Refusal
from aparte.wire.groups import Admitted
from aparte.wire.ids import InviteToken

Admin = Any


async def join(db: Database, made: Group, who: Caller, link: Link) -> Admitted:
    """Come in, and go on with it."""
    gathering = Gathering(db)
    said = made.join(who, link)
    try:
        admitted = await conversations.join_by_link(db, gathering, who, link.token, said)
    finally:
        await gathering.close()
    made.take(said)
    return admitted


async def stored(db: Database, made: Group) -> Membership | None:
    async with db.read() as reader:
        return await chain.select_membership(reader, made.id)


async def opened(db: Database, made: Group, who: Caller, **terms: int) -> Link:
    """A link that is stored."""
    link = Link()
    await store(db, made, who, made.open(who, link, **terms), token=link.token)
    return link


async def test_whoever_has_a_link_reads_the_chain_and_comes_in(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice)
    ends = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    link = await opened(db, made, alice, expires=ends, uses=3)
    shown = await conversations.invite(db, link.token)
    assert (shown.conversation, shown.kind, shown.member_count, shown.number) == (made.id, "group", 1, 2)
    assert (shown.expires_at, shown.uses_left) == (datetime.fromtimestamp(ends, UTC), 3)
    page = await conversations.invite_statements(db, link.token, 0)
    assert (page.statements, page.more) == (made.chain, False)
    assert (await join(db, made, bob, link)).number == 3
    assert await stored(db, made) == made.state
    assert (await conversations.invite(db, link.token)).uses_left == 2


async def test_a_joining_takes_the_role_of_the_link_and_counts(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice)
    link = await opened(db, made, alice, role=2, uses=1)
    gathering = Gathering(db)
    said = made.join(bob, link, role=2)
    first = await conversations.join_by_link(db, gathering, bob, link.token, said)
    made.take(said)
    assert await stored(db, made) == made.state
    row = await admin.fetchrow("SELECT role::text, invited_by FROM members WHERE account_id = $1", bob.account)
    assert tuple(row) == ("moderator", alice.account)
    with pytest.raises(Refusal, match="invite_over"):
        await conversations.invite(db, link.token)
    with pytest.raises(Refusal, match="invite_over"):
        await conversations.join_by_link(db, gathering, carol, link.token, made.join(carol, link, role=2))
    assert await conversations.join_by_link(db, gathering, bob, link.token, said) == first
    await gathering.close()


async def test_a_link_that_is_over_is_like_one_that_never_was(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice)
    expired = await opened(db, made, alice, expires=1)
    closed = await opened(db, made, alice)
    await store(db, made, alice, made.open(alice, closed, role=0))
    never = Link(InviteToken(uuid4()))
    said = []
    for link in (expired, closed, never):
        for asked in (
            conversations.invite(db, link.token),
            conversations.invite_statements(db, link.token, 0),
            join(db, made.again(), bob, link),
        ):
            with pytest.raises(Refusal) as refused:
                await asked
            said.append((refused.value.code, refused.value.detail, refused.value.data))
    assert said == [("invite_over", "", {})] * 9


async def test_the_token_is_kept_as_its_hash_and_is_of_one_link(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    made, other = await group(db, alice), await group(db, alice)
    link = await opened(db, made, alice)
    kept = await admin.fetchval("SELECT token_hash FROM invite_links")
    assert kept == hashlib.sha256(link.token.bytes).digest()
    again = Link(link.token)
    with pytest.raises(Refusal, match="invalid"):
        await store(db, other, alice, other.open(alice, again), token=link.token)
    with pytest.raises(Refusal, match="invalid"):
        await store(db, other, alice, other.open(alice, Link()))
    with pytest.raises(Refusal, match="invalid"):
        await store(db, other, alice, other.set_policy(alice, 1), token=InviteToken(uuid4()))
    await store(db, made, alice, made.open(alice, link, uses=9))
    assert (await conversations.invite(db, link.token)).uses_left == 9


async def test_who_was_removed_or_banned_does_not_come_back_by_a_link(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob, carol)
    link = await opened(db, made, alice)
    await store(db, made, alice, made.remove(alice, bob))
    await store(db, made, alice, made.remove(alice, carol), ban=True)
    for who, code in ((bob, "forbidden"), (carol, "banned")):
        with pytest.raises(Refusal) as refused:
            await join(db, made.again(), who, link)
        assert refused.value.code == code
    assert (await conversations.invite(db, link.token)).member_count == 1


async def test_who_left_comes_back_and_keeps_the_row(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    link = await opened(db, made, alice)
    await store(db, made, bob, made.leave(bob))
    await join(db, made, bob, link)
    assert await stored(db, made) == made.state
    row = await admin.fetchrow("SELECT left_at, joined_seq FROM members WHERE account_id = $1", bob.account)
    assert tuple(row) == (None, 5)


async def test_a_forged_joining_is_refused(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made, other = await group(db, alice), await group(db, alice)
    link, elsewhere = await opened(db, made, alice), await opened(db, other, alice)
    for wrong, code in (
        (made.join(bob, Link(link.token)), "bad_statement"),
        (made.join(bob, link, role=3), "bad_statement"),
        (msgspec.structs.replace(made.join(bob, link), link_signature=bytes(64)), "bad_statement"),
        (msgspec.structs.replace(made.join(bob, link), link_signature=None), "bad_statement"),
        (msgspec.structs.replace(made.join(bob, link), signature=bytes(64)), "bad_statement"),
        (other.join(bob, elsewhere), "bad_statement"),
        (made.join(alice, link), "bad_statement"),
        (made.leave(bob), "bad_statement"),
    ):
        gathering = Gathering(db)
        with pytest.raises(Refusal) as refused:
            await conversations.join_by_link(db, gathering, bob, link.token, wrong)
        assert refused.value.code == code
        await gathering.close()
    with pytest.raises(Refusal, match="forbidden"):
        await join(db, made.again(), bob._replace(role="guest"), link)
    assert await stored(db, made) == made.state


async def test_too_many_open_links_are_refused(db: Database, admin: Admin) -> None:
    alice = await person(admin)
    made = await group(db, alice)
    for _ in range(100):
        await opened(db, made, alice)
    with pytest.raises(Refusal, match="too_many"):
        await opened(db, made.again(), alice)
    assert len(made.state.links) == 100
