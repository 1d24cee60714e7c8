"""Registration and setup: what is refused, what can be repeated, what happens at once."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.support.sign_in import HOME, PASSWORD, caller, gate, log_in, register, registration

from aparte.server.accounts import actions as accounts
from aparte.server.authentication import actions
from aparte.server.authentication.model import Gate
from aparte.server.devices import actions as devices
from aparte.server.kit.db import Database
from aparte.server.sessions import actions as sessions
from aparte.wire.accounts import NewDevice, Register, Setup, Tokens
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId

Admin = Any
TOKEN = "a one-time token"


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "setup-token"
    file.write_text(TOKEN + "\n")
    return file


def is_used_up(file: Path) -> bool:
    return not file.exists()


def offer_again(file: Path) -> None:
    file.write_text(TOKEN)


async def sign_up(here: Gate, given: Register) -> Tokens:
    return await actions.register(here, given, HOME)


async def code_of(attempt: Any) -> str:
    try:
        await attempt
    except Refusal as refusal:
        return refusal.code
    return "done"


async def test_whoever_registers_is_signed_in_and_owns_what_was_given(here: Gate) -> None:
    given = registration("Alice", phone="0033 6 12 34 56 78", language="en")
    tokens = await sign_up(here, given)
    assert (tokens.account_id, tokens.device_id) == (given.account_id, given.device.device_id)
    who = await actions.authenticate(here.db, here.keys, tokens.access_token)
    me = await accounts.me(here.db, who)
    assert (me.username, me.display_name, me.phone, me.language, me.role, me.kind) == (
        "Alice",
        "Alice",
        "+33612345678",
        "en",
        "user",
        "person",
    )
    assert [one.is_current for one in (await devices.mine(here.db, who)).devices] == [True]


@pytest.mark.parametrize(
    "fields",
    [
        {"email": None},
        {"display_name": "a:b"},
        {"display_name": "a\u202eb"},
        {"display_name": "a\u200db"},
        {"display_name": "\u0007"},
        {"display_name": "   "},
        {"display_name": "\ufb2c" * 100},
        {"phone": "0612345678"},
        {"phone": "+0123456"},
        {"phone": "+1234567890123456"},
        {"phone": "+12345"},
        {"account_id": UUID(int=0)},
        {"account_id": UUID("018f0000-0000-7000-8000-000000000000")},
        {"device": NewDevice(DeviceId(UUID(int=1)), "laptop")},
        {"device": NewDevice(DeviceId(uuid4()), "a\u202eb")},
        {"time_zone": "UTC\n\u0000"},
    ],
)
async def test_what_cannot_be_registered(here: Gate, admin: Admin, fields: dict[str, Any]) -> None:
    assert await code_of(sign_up(here, registration("alice", **fields))) == "invalid"
    assert await admin.fetchval("SELECT count(*) FROM accounts") == 0


async def test_g_26_phone_numbers_are_stored_as_e_164_and_unique_however_written(here: Gate) -> None:
    await register(here, "one", phone="+33 6 12 34 56 78")
    assert await code_of(sign_up(here, registration("two", phone="0033-612-345-678"))) == "phone_taken"


async def test_display_names_are_stored_in_nfc(here: Gate) -> None:
    who = await register(here, "zoe", display_name=" Zoe\u0308 ")
    assert (await accounts.me(here.db, who)).display_name == "Zo\u00eb"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"username": "BOB"}, "username_taken"),
        ({"email": "BOB@example.ORG"}, "email_taken"),
        ({"phone": "+49 151 12345678"}, "phone_taken"),
    ],
)
async def test_b_018_b_109_names_and_addresses_are_unique_whatever_their_case(
    here: Gate, fields: dict[str, Any], code: str
) -> None:
    await register(here, "bob", phone="+4915112345678")
    other = registration(fields.pop("username", "carol"), **{"email": "carol@example.org", **fields})
    assert await code_of(sign_up(here, other)) == code


@pytest.mark.parametrize("column", ["username", "email"])
async def test_b_018_the_database_itself_keeps_them_unique(here: Gate, admin: Admin, column: str) -> None:
    await register(here, "bob")
    await register(here, "carol")
    update = {
        "username": "UPDATE accounts SET username = 'BOB' WHERE username = 'carol'",
        "email": "UPDATE accounts SET email = 'BOB@EXAMPLE.ORG' WHERE username = 'carol'",
    }[column]
    with pytest.raises(asyncpg.UniqueViolationError):
        await admin.execute(update)


async def test_b_022_columns_with_a_default_are_never_null(admin: Admin) -> None:
    rows = await admin.fetch(
        """
        SELECT table_name || '.' || column_name AS name FROM information_schema.columns
         WHERE table_schema = 'public' AND column_default IS NOT NULL AND is_nullable = 'YES'
           AND table_name IN ('accounts', 'account_revs', 'account_state', 'devices', 'sessions', 'contacts', 'blocks',
                              'login_failures', 'audit_entries')
        """
    )
    assert {row["name"] for row in rows} == {"accounts.time_zone"}, "the time zone may be null (R-034)"


async def test_a_lost_answer_is_given_again_with_a_fresh_session(here: Gate) -> None:
    given = registration("alice")
    first = await sign_up(here, given)
    second = await sign_up(here, given)
    assert (second.account_id, second.device_id) == (first.account_id, first.device_id)
    assert second.session_id != first.session_id
    assert await sessions.valid(here.db, [first.session_id, second.session_id]) == {second.session_id}


async def test_registering_at_once_makes_one_account_and_everybody_gets_in(here: Gate, admin: Admin) -> None:
    given = registration("alice")
    answers = await asyncio.gather(*(sign_up(here, given) for _ in range(5)))
    assert {answer.account_id for answer in answers} == {given.account_id}
    assert await admin.fetchval("SELECT count(*) FROM accounts") == 1
    assert await admin.fetchval("SELECT count(*) FROM sessions WHERE is_active") == 1


async def test_one_name_at_once_goes_to_one_of_them(here: Gate) -> None:
    tries = [
        code_of(sign_up(here, registration(name, email=f"a{n}@b.org"))) for n, name in enumerate(["eve", "EVE"] * 3)
    ]
    assert sorted(await asyncio.gather(*tries)) == ["done"] + ["username_taken"] * 5


async def test_what_is_not_the_very_same_registration_is_no_way_in(here: Gate) -> None:
    given = registration("alice")
    await sign_up(here, given)
    same = {"account_id": given.account_id, "device": given.device}
    for other in (
        registration("alice", **same, password="a guessed password"),
        registration("alicia", **same),
        registration("alice", account_id=given.account_id),
    ):
        assert await code_of(sign_up(here, other)) == "account_exists"
    assert await code_of(sign_up(here, registration("alice"))) == "username_taken"


async def test_guessing_the_password_through_registration_locks_like_a_login(here: Gate) -> None:
    given = registration("alice")
    await sign_up(here, given)
    wrong = registration("alice", account_id=given.account_id, device=given.device, password="a guessed password")
    codes = [await code_of(sign_up(here, wrong)) for _ in range(6)]
    assert codes == ["account_exists"] * 5 + ["account_locked"]
    assert await code_of(log_in(here, "alice")) == "account_locked"


async def test_a_device_of_somebody_else_registers_nobody(here: Gate, admin: Admin) -> None:
    alice = await register(here, "alice")
    bob = registration("bob", device=NewDevice(alice.device, "stolen"))
    assert await code_of(sign_up(here, bob)) == "device_exists"
    assert await admin.fetchval("SELECT count(*) FROM accounts WHERE username = 'bob'") == 0


# Setup ------------------------------------------------------------------------------------------------------------


async def set_up(here: Gate, file: Path | None, given: Register, token: str = TOKEN) -> Tokens:
    return await actions.set_up(here, file, Setup(token, given), HOME)


async def test_the_setup_link_makes_the_first_administrator_once(here: Gate, token_file: Path, admin: Admin) -> None:
    root = registration("root")
    tokens = await set_up(here, token_file, root)
    who = await actions.authenticate(here.db, here.keys, tokens.access_token)
    assert who.role == "admin"
    assert is_used_up(token_file)
    assert await code_of(set_up(here, token_file, registration("mallory"))) == "setup_done"
    offer_again(token_file)
    assert await code_of(set_up(here, token_file, registration("mallory"))) == "setup_done"
    assert await admin.fetchval("SELECT count(*) FROM audit_entries WHERE event = 'setup_completed'") == 1


@pytest.mark.parametrize("token", ["", "another token", TOKEN + " ", TOKEN.upper(), "x" * 500])
async def test_a_wrong_token_sets_nothing_up(here: Gate, token_file: Path, token: str) -> None:
    assert await code_of(set_up(here, token_file, registration("mallory"), token)) == "bad_credentials"
    assert not is_used_up(token_file)


@pytest.mark.parametrize("content", [None, "", "\n", "\udcff"])
async def test_without_a_token_nobody_can_set_up(here: Gate, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "none"
    if content is not None:
        file.write_bytes(content.encode("utf-8", "surrogateescape"))
    for token in ("", "\n"):
        assert await code_of(set_up(here, file, registration("mallory"), token)) == "bad_credentials"
        assert await code_of(set_up(here, None, registration("mallory"), token)) == "bad_credentials"


async def test_two_setups_at_once_make_one_administrator(here: Gate, token_file: Path, admin: Admin) -> None:
    codes = await asyncio.gather(*(code_of(set_up(here, token_file, registration(f"root{n}"))) for n in range(4)))
    assert sorted(codes) == ["done"] + ["setup_done"] * 3
    assert await admin.fetchval("SELECT count(*) FROM accounts WHERE role = 'admin'") == 1


async def test_a_lost_answer_to_setup_is_given_again(here: Gate, token_file: Path) -> None:
    root = registration("root")
    first = await set_up(here, token_file, root)
    again = await set_up(here, token_file, root)
    assert caller(again).account == caller(first).account
    wrong = registration("root", account_id=root.account_id, device=root.device, password="a guessed password")
    assert await code_of(set_up(here, token_file, wrong)) == "setup_done"


async def test_registering_makes_no_administrator(here: Gate, admin: Admin) -> None:
    await register(here, "alice", password=PASSWORD)
    assert await admin.fetchval("SELECT role::text FROM accounts") == "user"
