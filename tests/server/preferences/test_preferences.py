"""What one sets for oneself in a conversation: one truth, for all of one's devices, and nobody else's business."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import UNSET, convert, json, structs
from tests.support import rooms
from tests.support.sign_in import Bell

from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import ToAccount
from aparte.server.preferences import actions as preferences
from aparte.server.preferences import rules
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.codec import Decoder
from aparte.wire.conversations import Preferences, PreferencesChange
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId

Admin = Any
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.fixture
async def alice(admin: Admin) -> Caller:
    return await rooms.person(admin)


@pytest.fixture
async def room(admin: Admin, alice: Caller) -> ConversationId:
    return await rooms.room(admin, alice)


async def change(db: Database, who: Caller, room: ConversationId, **fields: Any) -> Preferences:
    return await preferences.change(db, who, room, PreferencesChange(**fields))


async def enter(admin: Admin, room: ConversationId, who: Caller) -> None:
    await admin.execute(
        """
        INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)
        VALUES ($1, $2, 0, $3, 0, $3, 0)
        """,
        room,
        who.account,
        UUID(int=0),
    )


async def known(db: Database, who: Caller, room: ConversationId) -> Preferences:
    """What another device of theirs knows by the account state."""
    values = {item.key: item.value for item in (await state.page(db, who, 0)).items}
    return convert(values.get(f"preferences:{room}") or {}, Preferences)


async def test_nothing_set_is_as_the_defaults_say(db: Database, alice: Caller, room: ConversationId) -> None:
    """B-022: no value is NULL where a default is meant."""
    assert await preferences.get(db, alice, room) == Preferences("all", None, False, False, False, [], {})
    db.doorbell = bell = Bell()
    assert await change(db, alice, room) == await change(db, alice, room, level="all", labels=[]) == Preferences()
    assert bell.rung == []


async def test_each_field_is_set_and_taken_back_by_itself_and_ones_own_devices_know(
    db: Database, alice: Caller, room: ConversationId, admin: Admin
) -> None:
    bob = await rooms.person(admin)
    await enter(admin, room, bob)
    db.doorbell = bell = Bell()
    wanted: dict[str, Any] = {
        "level": "mentions",
        "muted_until": FOR_EVER,
        "is_pinned": True,
        "is_archived": True,
        "is_marked_unread": True,
        "labels": ["work", "été"],
        "settings": {"sound": "bell", "deep": [{"a": None}]},
    }
    expected = Preferences()
    for name, value in wanted.items():
        expected = structs.replace(expected, **{name: value})
        assert await change(db, alice, room, **{name: value}) == expected
        assert await preferences.get(db, alice, room) == expected == await known(db, alice, room)
    assert await preferences.get(db, bob, room) == Preferences() == await known(db, bob, room)
    for name in wanted:
        expected = structs.replace(expected, **{name: getattr(Preferences(), name)})
        assert await change(db, alice, room, **{name: getattr(expected, name)}) == expected
        assert await known(db, alice, room) == expected
    values = {item.key: item.value for item in (await state.page(db, alice, 0)).items}
    assert values[f"preferences:{room}"] is None, "as the defaults say: gone"
    assert {hint.account for hint in bell.rung if isinstance(hint, ToAccount)} == {alice.account}


async def test_what_changes_nothing_tells_nobody(db: Database, alice: Caller, room: ConversationId) -> None:
    await change(db, alice, room, is_pinned=True, muted_until=FOR_EVER)
    db.doorbell = bell = Bell()
    await change(db, alice, room, is_pinned=True)
    await change(db, alice, room, muted_until=FOR_EVER, labels=[])
    assert bell.rung == []


async def test_r_168_a_mute_ends_by_itself(
    db: Database, alice: Caller, room: ConversationId, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-117: a mute whose end has passed stays one."""
    until = now() + timedelta(hours=1)
    assert (await change(db, alice, room, muted_until=until, is_pinned=True)).muted_until == until
    monkeypatch.setattr("aparte.server.preferences.actions.now", lambda: until)
    assert (await preferences.get(db, alice, room)).muted_until is None
    assert (await change(db, alice, room, labels=["x"])).muted_until is None
    assert await admin.fetchval("SELECT muted_until IS NULL AND is_pinned FROM preferences")


@pytest.mark.parametrize(("seconds", "is_muted"), [(-1, False), (0, False), (1, True)])
def test_a_mute_that_is_over_is_none(seconds: int, *, is_muted: bool) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    given = Preferences(muted_until=moment + timedelta(seconds=seconds))
    assert (rules.current(given, moment).muted_until is not None) is is_muted
    merged = rules.merged(Preferences(), PreferencesChange(muted_until=given.muted_until), moment)
    assert (merged.muted_until is not None) is is_muted


async def test_b_042_a_mute_and_a_level_are_two_things_and_neither_says_the_other(
    db: Database, alice: Caller, room: ConversationId, admin: Admin
) -> None:
    """Notifications are off exactly if the level is `none`, silent until `muted_until`: nothing else says so."""
    await change(db, alice, room, level="none", muted_until=FOR_EVER)
    assert (await change(db, alice, room, muted_until=None)).level == "none"
    columns = await admin.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = 'preferences'")
    assert not {row[0] for row in columns} & {"is_muted", "notifications_enabled"}


async def test_two_devices_at_once_keep_what_both_set(db: Database, alice: Caller, room: ConversationId) -> None:
    await asyncio.gather(
        change(db, alice, room, is_pinned=True),
        change(db, alice, room, level="mentions"),
        change(db, alice, room, labels=["work"]),
        change(db, alice, room, settings={"a": 1}),
        change(db, alice, room, muted_until=FOR_EVER),
    )
    both = Preferences("mentions", FOR_EVER, is_pinned=True, labels=["work"], settings={"a": 1})
    assert await preferences.get(db, alice, room) == both == await known(db, alice, room)


# Labels and settings ----------------------------------------------------------------------------------------------


async def test_labels_are_names_each_once_in_the_order_given(db: Database, alice: Caller, room: ConversationId) -> None:
    given = ["  work ", "e\u0301te\u0301", "work", "\u00e9t\u00e9", "Work"]
    assert (await change(db, alice, room, labels=given)).labels == ["work", "\u00e9t\u00e9", "Work"]


@pytest.mark.parametrize("label", ["   ", "a:b", "a\u202eb", "a\nb", "x" * (limits.LABEL + 1)])
async def test_a_label_is_a_name(db: Database, alice: Caller, room: ConversationId, label: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await change(db, alice, room, labels=[label])


async def test_labels_and_settings_have_their_limits(db: Database, alice: Caller, room: ConversationId) -> None:
    most = [f"{n}".rjust(limits.LABEL, "x") for n in range(limits.LABELS)]
    assert len((await change(db, alice, room, labels=most)).labels) == limits.LABELS
    with pytest.raises(Refusal, match="invalid"):
        await change(db, alice, room, labels=[*most, "one more"])
    full = {"a": "x" * (limits.METADATA_BYTES - len(json.encode({"a": ""})))}
    assert (await change(db, alice, room, settings=full)).settings == full
    with pytest.raises(Refusal, match="invalid"):
        await change(db, alice, room, settings={"a": full["a"] + "x"})
    assert (await preferences.get(db, alice, room)).settings == full


@pytest.mark.parametrize(
    "body",
    [
        {"level": "loud"},
        {"level": None},
        {"is_pinned": None},
        {"labels": None},
        {"labels": [""]},
        {"labels": ["x"] * (limits.LABELS + 1)},
        {"settings": None},
        {"settings": []},
        {"settings": {str(n): n for n in range(limits.METADATA_KEYS + 1)}},
        {"settings": {"a": [[[[[[[[1]]]]]]]]}},
        {"settings": {"a": "\0"}},
        {"muted_until": "tomorrow"},
        {"muted_until": "2030-01-01T00:00:00"},
        {"muted_until": "9999-12-31T23:59:59-12:00"},
        {"muted_until": "0001-01-01T00:00:00+12:00"},
    ],
)
def test_what_no_client_can_mean_is_refused_before_anybody_looks_at_it(body: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="invalid"):
        Decoder(PreferencesChange)(json.encode(body))


def test_times_are_the_same_moment_in_every_zone() -> None:
    given = Decoder(PreferencesChange)(b'{"muted_until": "2030-01-01T02:00:00+02:00", "level": "none"}')
    assert given.muted_until == datetime(2030, 1, 1, tzinfo=UTC)
    assert given.muted_until.astimezone(timezone(timedelta(hours=5))) == given.muted_until
    assert given.is_pinned is UNSET


# Whose they are ---------------------------------------------------------------------------------------------------


async def test_they_are_for_members_and_wait_for_whoever_comes_back(
    db: Database, room: ConversationId, admin: Admin
) -> None:
    bob = await rooms.person(admin)
    for foreign in (room, ConversationId(uuid4())):
        for attempt in (preferences.get(db, bob, foreign), change(db, bob, foreign, is_pinned=True)):
            with pytest.raises(Refusal, match="not_member"):
                await attempt
    await enter(admin, room, bob)
    await change(db, bob, room, labels=["mine"])
    await admin.execute("UPDATE members SET left_at = now(), left_seq = 1 WHERE account_id = $1", bob.account)
    with pytest.raises(Refusal, match="not_member"):
        await preferences.get(db, bob, room)
    await admin.execute("UPDATE members SET left_at = NULL, left_seq = NULL WHERE account_id = $1", bob.account)
    assert (await preferences.get(db, bob, room)).labels == ["mine"]


async def test_they_go_with_the_account(db: Database, alice: Caller, room: ConversationId, admin: Admin) -> None:
    await change(db, alice, room, is_pinned=True)
    await admin.execute("DELETE FROM members WHERE account_id = $1", alice.account)
    await admin.execute("DELETE FROM accounts WHERE account_id = $1", alice.account)
    assert await admin.fetchval("SELECT count(*) FROM preferences") == 0


async def test_who_looks_at_a_conversation_has_it_marked_as_unread_no_more(
    db: Database, alice: Caller, room: ConversationId
) -> None:
    await change(db, alice, room, is_marked_unread=True, labels=["x"])
    db.doorbell = bell = Bell()
    for rung in (1, 1):
        async with db.transaction() as tx:
            await preferences.read(tx, alice.account, room)
        assert len(bell.rung) == rung, "the second look changes nothing"
    assert await preferences.get(db, alice, room) == Preferences(labels=["x"]) == await known(db, alice, room)


async def test_looking_and_setting_at_once_wait_for_each_other(
    db: Database, alice: Caller, room: ConversationId
) -> None:
    async def look() -> None:
        async with db.transaction() as tx:
            await preferences.read(tx, alice.account, room)
            await state.put(tx, alice.account, f"read:{room}", {"seq": 1})

    for turn in range(5):
        await change(db, alice, room, is_marked_unread=True)
        await asyncio.gather(look(), change(db, alice, room, labels=[f"{turn}"]), look())
        assert await preferences.get(db, alice, room) == Preferences(labels=[f"{turn}"]) == await known(db, alice, room)


@pytest.mark.parametrize(
    ("condition", "index"), [("is_pinned", "preferences_pinned_idx"), ("is_archived", "preferences_archived_idx")]
)
async def test_r_171_r_172_pinned_and_archived_ones_are_found_through_an_index(
    admin: Admin, condition: str, index: str
) -> None:
    await admin.execute("SET enable_seqscan = off")
    plan = await admin.fetch(
        f"EXPLAIN SELECT conversation_id FROM preferences WHERE account_id = $1 AND {condition}",  # noqa: S608
        uuid4(),
    )
    assert index in "\n".join(row[0] for row in plan)
