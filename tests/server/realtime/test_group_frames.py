"""Groups over the wire: one frame for all who are here, each device its own chain by asking, REST and gateway alike."""

import base64
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from tests.server.realtime.test_sealed_frames import on, raw, seal
from tests.support import keys
from tests.support.people import Device, Problem, World
from tests.support.sealing import Sealer, caller_of

from aparte.bench.members import admission, founding, never, signed
from aparte.e2ee import membership
from aparte.e2ee.membership import Action, Membership
from aparte.wire.groups import NewStatements
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.sealed import Envelope


class Trio(NamedTuple):
    """A group of Alice, Bob and Carol."""

    id: ConversationId
    now: Membership
    people: list[Device]
    a: Sealer


@pytest.fixture
async def trio(world: World) -> Trio:
    """Begun by Alice over REST."""
    people = [await world.register(name) for name in ("alice", "bob", "carol")]
    alice, *others = [AccountId(UUID(person.account)) for person in people]
    new, now = founding(alice, others)
    await people[0].post("/conversations/group", keys.in_json(new))
    return Trio(new.id, now, people, await sealer_of(people[0], new.id, *people[1:]))


async def sealer_of(who: Device, conversation: ConversationId, *others: Device) -> Sealer:
    """What a device seals with in the present epoch, for these."""
    present = await who.get(f"/conversations/{conversation}/epoch")
    roster = base64.b64decode(present["roster"])
    devices = [caller_of(other).device for other in others]
    return Sealer(caller_of(who), conversation, present["epoch"], roster, devices, chain=1)


async def give(who: Device, sealer: Sealer, **other: Any) -> dict[str, bytes]:
    """Upload a chain for everybody; gives what each device is to get."""
    envelopes = [Envelope(device, 3, device.bytes) for device in sealer.others]
    body = {"chain": sealer.chain, "epoch": sealer.epoch, "envelopes": keys.in_json(envelopes), **other}
    await who.post(f"/conversations/{sealer.conversation}/distributions", body)
    return {str(envelope.device): envelope.body for envelope in envelopes}


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_the_first_entry_is_asked_for_and_later_ones_are_pushed(trio: Trio, encoding: str) -> None:
    alice, bob, carol = trio.people
    given = await give(alice, trio.a)
    async with alice.gateway(encoding=encoding) as a, bob.gateway() as b, carol.gateway(encoding="msgpack") as c:
        first, second = trio.a.seal(), trio.a.seal()
        sent = await seal(a, trio.a, first)
        assert sent["type"] == "sent"
        for gateway, device in ((b, bob), (c, carol)):
            hint = await gateway.wait(lambda frame: frame["type"] == "head")
            assert hint["seq"] == sent["seq"]
            page = await gateway.ask("entries", conversation=on(gateway, trio.id))
            read = page["entries"][-1]["sealed"]
            assert raw(gateway, read["envelope"]["body"]) == given[device.id]
            assert raw(gateway, read["key"]) == first.key
        later = await seal(a, trio.a, second)
        for gateway in (b, c):
            live = await gateway.wait(lambda frame: frame["type"] == "entry" and frame["entry"]["kind"] == 1)
            assert live["entry"]["seq"] == later["seq"]
            assert raw(gateway, live["entry"]["sealed"]["key"]) == second.key
            assert "envelope" not in live["entry"]["sealed"]


async def test_after_acknowledging_a_device_is_handed_no_keys(trio: Trio) -> None:
    alice, bob, carol = trio.people
    await give(alice, trio.a)
    path = f"/conversations/{trio.id}"
    sent = await alice.post(f"{path}/entries", keys.in_json(trio.a.seal()))
    await bob.post(f"{path}/delivered", {"up_to": {"seq": sent["seq"], "id": sent["id"]}})
    for device, is_handed in ((bob, False), (carol, True)):
        sealed = (await device.get(f"{path}/entries"))["entries"][-1]["sealed"]
        assert ("key" in sealed, "envelope" in sealed) == (is_handed, is_handed)


async def test_who_goes_ends_the_chain_and_who_comes_gets_it(world: World, trio: Trio) -> None:
    alice, bob, carol = trio.people
    await give(alice, trio.a)
    path = f"/conversations/{trio.id}"
    await alice.post(f"{path}/entries", keys.in_json(trio.a.seal()))
    dave = await world.register("dave")
    now = await say(alice, trio.now, Action.ADD, **admission(AccountId(UUID(dave.account))))
    await renew(trio.a, alice, bob, carol, dave)
    newcomer = caller_of(dave).device
    assert await refusal(alice, f"{path}/entries", keys.in_json(replayed(trio.a))) == "missing_devices"
    await give(alice, trio.a, envelopes=keys.in_json([Envelope(newcomer, 3, b"chain")]))
    await alice.post(f"{path}/entries", keys.in_json(trio.a.seal()))
    assert (await dave.get(f"{path}/entries"))["entries"][-1]["sealed"]["envelope"]["device"] == dave.id
    await say(alice, now, Action.REMOVE, subject=UUID(bob.account).bytes)
    await renew(trio.a, alice, carol, dave)
    assert await refusal(alice, f"{path}/entries", keys.in_json(replayed(trio.a))) == "chain_too_old"
    assert await refusal(bob, f"{path}/distributions", uploaded(trio.a)) == "not_member"


def replayed(sealer: Sealer) -> Any:
    """The next entry, without the chain going on."""
    before = sealer.counter, sealer.prev
    entry = sealer.seal()
    sealer.counter, sealer.prev = before
    return entry


def uploaded(sealer: Sealer, **other: Any) -> dict[str, Any]:
    """A part of a chain as it goes over the wire."""
    envelopes = keys.in_json([Envelope(sealer.others[0], 2, b"chain")])
    return {"chain": 1, "epoch": sealer.epoch, "envelopes": envelopes, **other}


async def renew(sealer: Sealer, who: Device, *others: Device) -> None:
    """Let a sealer know of the present epoch."""
    present = await sealer_of(who, sealer.conversation, *others)
    sealer.epoch, sealer.roster, sealer.others = present.epoch, present.roster, present.others


async def say(who: Device, now: Membership, action: Action, **fields: Any) -> Membership:
    """Continue the chain of statements over REST."""
    statement = membership.next_statement(now, action, UUID(who.account).bytes, 1, **fields)
    path = f"/conversations/{UUID(bytes=now.conversation)}/statements"
    await who.post(path, keys.in_json(NewStatements([signed(statement)])))
    return membership.apply(now, statement, never)


async def refusal(who: Device, path: str, body: Any) -> str:
    """Why a request is refused."""
    with pytest.raises(Problem) as refused:
        await who.post(path, body)
    return refused.value.code


async def test_uploads_are_refused_over_rest(trio: Trio, world: World) -> None:
    alice = trio.people[0]
    path, nowhere = f"/conversations/{trio.id}/distributions", f"/conversations/{uuid4()}/distributions"
    stranger = await world.register("mallory")
    envelope = uploaded(trio.a)["envelopes"][0]
    wrong = [
        (stranger, path, uploaded(trio.a), "not_member"),
        (alice, nowhere, uploaded(trio.a), "not_member"),
        (alice, path, uploaded(trio.a, epoch=trio.a.epoch + 1), "stale_epoch"),
        (alice, path, uploaded(trio.a, envelopes=[envelope] * 2), "invalid"),
        (alice, path, uploaded(trio.a, envelopes=[{**envelope, "device": stranger.id}]), "missing_devices"),
        (alice, path, uploaded(trio.a, chain=2**31), "invalid"),
        (alice, f"/conversations/{await alice.room()}/distributions", uploaded(trio.a), "mode_mismatch"),
    ]
    assert [await refusal(who, where, body) for who, where, body, _ in wrong] == [code for *_, code in wrong]


async def test_rest_and_gateway_refuse_alike(trio: Trio) -> None:
    alice = trio.people[0]
    for wrong, code in (({}, "missing_devices"), ({"key": None}, "invalid"), ({"kind": 6}, "missing_devices")):
        before = trio.a.counter, trio.a.prev
        entry = trio.a.seal(**wrong)
        trio.a.counter, trio.a.prev = before
        async with alice.gateway() as gateway:
            answer = await seal(gateway, trio.a, entry)
        assert answer["code"] == code
        assert await refusal(alice, f"/conversations/{trio.id}/entries", keys.in_json(entry)) == code
