"""What is uploaded of chains before an entry names them, and the shapes that a sealed entry of a group may have."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.server.messages.conftest import Sealing, parts
from tests.server.messages.three import Three, code_of, pending, person, say
from tests.support import rooms
from tests.support.sealing import Pair, Sealer, pair

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages.model import PENDING_CHAINS
from aparte.wire import limits
from aparte.wire.codec import Decoder
from aparte.wire.errors import Refusal
from aparte.wire.groups import Distributions
from aparte.wire.ids import DeviceId, EntryId
from aparte.wire.sealed import Envelope, SealedTarget, SealEntry

Admin = Any


# Uploads --------------------------------------------------------------------------------------------------------------


async def upload_code(sealing: Sealing, sealer: Sealer, *devices: DeviceId, **other: Any) -> str:
    """Why an upload is refused."""
    with pytest.raises(Refusal) as refused:
        await sealing.give(sealer, *devices, **other)
    return refused.value.code


async def test_only_listed_devices_of_others_are_given_a_chain(admin: Admin, sealing: Sealing, three: Three) -> None:
    stranger = await person(admin)
    for device in (stranger.device, three.alice.device, DeviceId(uuid4())):
        assert await upload_code(sealing, three.a, three.bob.device, device) == "missing_devices"
    assert await upload_code(sealing, three.a, three.bob.device, three.bob.device) == "invalid"
    for wrong in (Envelope(three.bob.device, 0, b"x"), Envelope(three.bob.device, 2)):
        assert await upload_code(sealing, three.a, envelopes=[wrong]) == "invalid"
    assert await upload_code(sealing, three.a, epoch=three.a.epoch + 1) == "stale_epoch"
    await three.group.remove(three.alice, three.carol)
    assert await upload_code(sealing, three.a) == "stale_epoch"
    assert await pending(admin) == set()


async def test_a_guest_uploads_and_says_nothing(sealing: Sealing, three: Three) -> None:
    guest = replace(three.a, caller=three.alice._replace(role="guest"))
    assert await upload_code(sealing, guest) == "forbidden"
    assert await code_of(sealing, guest) == "forbidden"


async def test_who_is_no_member_uploads_nothing_and_learns_nothing(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    stranger = await person(admin)
    for who in (stranger, three.carol):
        sealer = await three.group.sealer(who)
        if who is three.carol:
            await three.group.remove(three.alice, three.carol)
            await three.group.renew(sealer)
        assert await upload_code(sealing, sealer, three.bob.device) == "not_member"
        nowhere = replace(sealer, conversation=uuid4())
        assert await upload_code(sealing, nowhere, three.bob.device) == "not_member"


async def test_a_stranger_who_knows_epoch_and_roster_learns_nothing(
    db: Database, admin: Admin, sealing: Sealing, three: Three
) -> None:
    """The roster of a direct conversation follows from lists that everybody can read."""
    two = await pair(db, admin, await rooms.person(admin), await rooms.person(admin))
    mallory = await person(admin)
    for sealer in (three.a, two.a):
        known = replace(sealer, caller=mallory)
        for shape in ({}, {"chain": 1, "key": b"k", "envelopes": []}, {"kind": 6}, {"chain": None, "key": None}):
            assert await code_of(sealing, known, **shape) == "not_member"


async def test_chains_belong_into_groups(admin: Admin, db: Database, sealing: Sealing) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    two = await pair(db, admin, alice, bob)
    room = await rooms.room(admin, alice)
    two.a.chain = 1
    assert await upload_code(sealing, two.a) == "mode_mismatch"
    assert await upload_code(sealing, replace(two.a, conversation=room)) == "mode_mismatch"


async def test_so_many_chains_are_on_their_way_at_once_and_of_more_the_oldest_goes(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    """Somebody whose chain is overtaken by one removal after the other can speak all the same."""

    async def kept(who: Caller) -> list[int]:
        """The chains of a device that are pending."""
        rows = await admin.fetch(
            "SELECT DISTINCT chain_id FROM distributions WHERE sender_device_id = $1 AND seq IS NULL ORDER BY 1",
            who.device,
        )
        return [row[0] for row in rows]

    b = await three.group.sealer(three.bob, chain=7)
    await sealing.give(b)
    for chain in range(PENDING_CHAINS):
        await sealing.give(replace(three.a, chain=chain))
    assert await kept(three.alice) == list(range(PENDING_CHAINS))
    await sealing.give(replace(three.a, chain=0))
    await sealing.give(replace(three.a, chain=PENDING_CHAINS))
    assert await kept(three.alice) == [0, *range(2, PENDING_CHAINS + 1)]
    assert await kept(three.bob) == [7]
    assert await code_of(sealing, replace(three.a, chain=1)) == "missing_devices"
    three.a.chain = PENDING_CHAINS
    await say(sealing, three.a)


def test_sizes_of_uploads_at_the_limit_and_past_it() -> None:
    decode = Decoder(Distributions, "msgpack")
    envelope = {"device": uuid4().bytes, "type": 2, "body": bytes(limits.ENVELOPE_BYTES)}
    right = {"chain": 2**31 - 1, "epoch": 1, "envelopes": [envelope] * limits.DISTRIBUTIONS}
    assert decode(msgspec.msgpack.encode(right))
    assert len(msgspec.msgpack.encode(right)) < limits.BODY_BYTES
    long = {**envelope, "body": bytes(limits.ENVELOPE_BYTES + 1)}
    for wrong in (
        {"chain": 2**31},
        {"chain": -1},
        {"epoch": 0},
        {"envelopes": []},
        {"envelopes": [envelope] * (limits.DISTRIBUTIONS + 1)},
        {"envelopes": [long]},
    ):
        with pytest.raises(Refusal, match="invalid"):
            decode(msgspec.msgpack.encode({**right, **wrong}))


# Shapes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"chain": None},
        {"key": None},
        {"chain": None, "key": None},
        {"chain": None, "key": None, "envelopes": "bob"},
        {"envelopes": "bob"},
        {"kind": 5},
        {"kind": 6, "target": SealedTarget(EntryId(uuid4()), bytes(32))},
        {"kind": 7, "target": SealedTarget(EntryId(uuid4()), bytes(32))},
    ],
)
async def test_a_group_takes_a_key_for_all_and_no_envelopes(
    sealing: Sealing, three: Three, wrong: dict[str, Any]
) -> None:
    await sealing.give(three.a)
    bob = parts([three.bob.device])
    assert await code_of(sealing, three.a, **{k: bob if v == "bob" else v for k, v in wrong.items()}) == "invalid"


async def test_a_direct_conversation_takes_envelopes_and_no_key(db: Database, admin: Admin, sealing: Sealing) -> None:
    two: Pair = await pair(db, admin, await rooms.person(admin), await rooms.person(admin))
    for wrong in ({"chain": 1, "key": b"k", "envelopes": []}, {"kind": 6}):
        assert await code_of(sealing, two.a, **wrong) == "invalid"
    await say(sealing, two.a)


def test_sizes_of_keys_at_the_limit_and_past_it() -> None:
    decode = Decoder(SealEntry, "msgpack")
    right = {
        "client_message_id": uuid4().bytes,
        "epoch": 1,
        "roster": bytes(32),
        "counter": 1,
        "prev": bytes(32),
        "sealed": bytes(192),
        "envelopes": [],
        "chain": 2**31 - 1,
        "key": bytes(limits.GROUP_KEY_BYTES),
    }
    assert decode(msgspec.msgpack.encode(right)).key
    for wrong in ({"chain": 2**31}, {"key": b""}, {"key": bytes(limits.GROUP_KEY_BYTES + 1)}, {"kind": 8}):
        with pytest.raises(Refusal, match="invalid"):
            decode(msgspec.msgpack.encode({**right, **wrong}))
