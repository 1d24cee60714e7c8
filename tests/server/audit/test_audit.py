"""The trail: there exactly if what it tells of is there, and never changed."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.kit.caller import Origin
from aparte.server.kit.db import Database
from aparte.wire.ids import AccountId, SessionId

Admin = Any


async def test_an_event_is_kept_with_everything_known_of_it(db: Database, admin: Admin) -> None:
    account, session, request, thing = AccountId(uuid4()), SessionId(uuid4()), uuid4(), uuid4()
    event = Event(
        "thing_done",
        account,
        session,
        resource=("thing", thing),
        severity="warning",
        origin=Origin("192.0.2.1", "test"),
        request_id=request,
        details={"count": 2},
    )
    async with db.transaction() as tx:
        await audit.record(tx, event)
    row = await admin.fetchrow("SELECT * FROM audit_entries")
    assert (row["event"], row["severity"], row["account_id"], row["session_id"], row["request_id"]) == (
        "thing_done",
        "warning",
        account,
        session,
        request,
    )
    assert (row["resource_type"], row["resource_id"], row["ip"], row["user_agent"]) == (
        "thing",
        str(thing),
        "192.0.2.1",
        "test",
    )
    assert row["details"] == '{"count": 2}'


async def test_what_is_rolled_back_leaves_no_trace(db: Database, admin: Admin) -> None:
    async def fail_afterwards() -> None:
        async with db.transaction() as tx:
            await audit.record(tx, Event("thing_done"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_afterwards()
    assert await admin.fetchval("SELECT count(*) FROM audit_entries") == 0


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entries SET event = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"]
)
async def test_r_337_nobody_changes_the_trail_not_even_the_maintenance_role(
    db: Database, admin: Admin, statement: str
) -> None:
    async with db.transaction() as tx:
        await audit.record(tx, Event("thing_done"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await admin.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction() as tx:
            await tx.execute(statement)
