"""Privacy: each choice stays what it is until it is changed itself."""

import json
from typing import Any, get_args

import pytest
from tests.support.sign_in import gate, register

from aparte.server.accounts import actions as accounts
from aparte.server.authentication.model import Gate
from aparte.server.contacts import actions as contacts
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.accounts import AccountChange, Audience, Privacy, PrivacyChange

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


async def change(here: Gate, who: Caller, **privacy: Audience) -> Privacy:
    return (await accounts.change(here.db, who, AccountChange(privacy=PrivacyChange(**privacy)))).privacy


async def test_one_choice_is_changed_and_the_others_stay(here: Gate, alice: Caller) -> None:
    await change(here, alice, may_write="contacts", find_by_email="everyone")
    assert await change(here, alice, see_receipts="nobody") == Privacy(
        may_write="contacts", find_by_email="everyone", see_receipts="nobody"
    )
    assert await change(here, alice) == (await accounts.me(here.db, alice)).privacy


async def test_who_chose_before_who_may_write_has_chosen_so_who_may_add(
    here: Gate, alice: Caller, admin: Admin
) -> None:
    """A server of before knew one choice for both, and may still write it while it is being replaced."""
    old = {"may_write": "contacts", "see_last_seen": "nobody", "see_presence": "everyone"}
    await admin.execute("UPDATE accounts SET privacy = $1::text::jsonb WHERE username = 'alice'", json.dumps(old))
    assert (await accounts.me(here.db, alice)).privacy == Privacy("contacts", "nobody", may_add="contacts")
    bob = await register(here, "bob")
    async with here.db.read() as reader:
        assert await contacts.allowed(reader, bob.account, [alice.account], "may_add") == set()
    changed = await change(here, alice, may_write="everyone")
    assert (changed.may_write, changed.may_add) == ("everyone", "contacts"), "each by itself from here on"
    assert (await accounts.me(here.db, alice)).privacy == changed


def test_every_choice_can_be_changed_and_asked_for() -> None:
    assert PrivacyChange.__struct_fields__ == Privacy.__struct_fields__ == get_args(contacts.Aspect)
