"""Sealed entries over the gateway: every socket gets its own envelope, nobody else's, and the same outcome as REST."""

import base64
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from tests.support import keys
from tests.support.people import Gateway, Problem, World
from tests.support.sealing import Sealer, over_the_wire

from aparte.wire.ids import EntryId
from aparte.wire.sealed import Envelope, SealedTarget, SealEntry


def on(gateway: Gateway, value: Any) -> Any:
    """A struct as this gateway's encoding carries it."""
    if gateway.encoding == "json":
        return keys.in_json(value)
    return msgspec.msgpack.decode(msgspec.msgpack.Encoder(uuid_format="bytes").encode(value))


def raw(gateway: Gateway, value: Any) -> bytes:
    """Bytes out of a frame."""
    return base64.b64decode(value) if gateway.encoding == "json" else value


async def seal(gateway: Gateway, sealer: Sealer, entry: SealEntry) -> dict[str, Any]:
    """Store a sealed entry over a gateway."""
    return await gateway.ask("seal", conversation=on(gateway, sealer.conversation), entry=on(gateway, entry))


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_each_device_is_pushed_its_own_envelope(world: World, encoding: str) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    phone = await world.link(bob)
    hers, _ = await over_the_wire(alice, bob, phone)
    entry = hers.seal()
    bodies = {str(envelope.device): envelope.body for envelope in entry.envelopes}
    assert set(bodies) == {bob.id, phone.id}
    async with alice.gateway(encoding=encoding) as a, bob.gateway() as b, phone.gateway(encoding="msgpack") as c:
        sent = await seal(a, hers, entry)
        assert (sent["type"], sent["seq"]) == ("sent", 1)
        for gateway, device in ((b, bob), (c, phone)):
            live = await gateway.wait(lambda frame: frame["type"] == "entry")
            sealed = live["entry"]["sealed"]
            assert raw(gateway, sealed["sealed"]) == entry.sealed
            assert raw(gateway, sealed["envelope"]["body"]) == bodies[device.id]
        mine = await a.wait(lambda frame: frame["type"] == "entry")
        assert "envelope" not in mine["entry"]["sealed"]
        page = await b.ask("entries", conversation=str(hers.conversation))
        [read] = page["entries"]
        assert raw(b, read["sealed"]["envelope"]["body"]) == bodies[bob.id]


async def test_many_in_a_row_keep_their_order(world: World) -> None:
    """A client does not wait for an answer before it seals the next entry; what aims at another one follows too."""
    alice, bob = await world.register("alice"), await world.register("bob")
    hers, _ = await over_the_wire(alice, bob)
    async with alice.gateway() as a:
        first = hers.seal()
        answer = await seal(a, hers, first)
        target = SealedTarget(EntryId(UUID(answer["id"])), hers.prev)
        kinds = [1, 1, 2, 1, 4, 1, 1]
        entries = [hers.seal(kind, None if kind == 1 else target) for kind in kinds]
        for ref, entry in enumerate(entries, 1_000):
            await a.send({"type": "seal", "ref": ref, "conversation": str(hers.conversation), "entry": on(a, entry)})
        answers = [await a.wait(lambda frame, ref=ref: frame.get("ref") == ref) for ref in range(1_000, 1_007)]
    assert [answer.get("seq", answer) for answer in answers] == list(range(2, 9))


async def test_rest_and_gateway_refuse_alike(world: World) -> None:
    alice, bob, eve = [await world.register(name) for name in ("alice", "bob", "eve")]
    hers, _ = await over_the_wire(alice, bob)
    stranger = Sealer(hers.caller, hers.conversation, hers.epoch, hers.roster, hers.others)
    wrong = [
        (alice, hers.seal(epoch=9), "stale_epoch"),
        (alice, hers.seal(counter=7), "chain_broken"),
        (alice, stranger.seal(envelopes=[]), "missing_devices"),
        (alice, stranger.seal(envelopes=[Envelope(stranger.others[0], 2, b"x")] * 2), "invalid"),
        (eve, stranger.seal(), "not_member"),
    ]
    for device, entry, code in wrong:
        with pytest.raises(Problem) as refused:
            await device.post(f"/conversations/{hers.conversation}/entries", keys.in_json(entry))
        async with device.gateway() as gateway:
            answer = await seal(gateway, hers, entry)
        assert (refused.value.code, answer["code"]) == (code, code)
        assert refused.value.body.get("data") == answer.get("data")


async def test_opening_a_conversation_reaches_who_is_here(world: World) -> None:
    """Bob hears the first entry of a conversation that did not exist when his socket opened."""
    alice, bob = await world.register("alice"), await world.register("bob")
    async with bob.gateway() as b:
        hers, _ = await over_the_wire(alice, bob)
        await alice.post(f"/conversations/{hers.conversation}/entries", keys.in_json(hers.seal()))
        assert (await b.entry(str(hers.conversation)))["seq"] == 1


async def test_a_payload_rings_its_device_alone(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    phone = await world.link(bob)
    await over_the_wire(alice, bob, phone)
    payload = {"payload_id": str(uuid4()), "device": phone.id, "type": 2, "body": keys.base64_of(b"sealed")}
    async with bob.gateway() as b, phone.gateway() as c:
        await alice.post("/payloads", {"account": bob.account, "payloads": [payload]})
        assert await c.wait(lambda frame: frame["type"] == "waiting")
        assert (await b.ask("state"))["type"] == "states"
        assert [frame for frame in b.frames if frame["type"] == "waiting"] == []
