"""Linking over the doors: who comes through which, what is too long, and what others see of a new list."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import keys, linking
from tests.support.people import PASSWORD, Device, Problem, World

from aparte.bench import linking as cheap
from aparte.e2ee import roster
from aparte.e2ee.device_list import DeviceList
from aparte.wire import kinds, limits


@pytest.fixture
async def alice(world: World) -> Device:
    return await world.register("alice")


async def code_of(attempt: Any) -> str:
    try:
        await attempt
    except Problem as problem:
        return problem.code
    return "done"


async def asked(new: Device, **changes: Any) -> dict[str, Any]:
    """Upload a device's offer, with some of it changed; gives what was sent."""
    body = {**keys.in_json(cheap.offer(2, UUID(new.id))), **changes}
    await new.post("/link-offers", body)
    return body


async def test_the_new_device_only_asks_and_the_listed_ones_answer(world: World, alice: Device) -> None:
    new = await world.log_in(alice)
    offer = f"/link-offers/{(await asked(new))['id']}"
    said = keys.in_json(cheap.answer(UUID(alice.account), PASSWORD))
    given = keys.in_json(cheap.admission(await alice.newest_list(), UUID(new.id)))
    for door in (new.get(offer), new.post(f"{offer}/answer", said), new.post(f"{offer}/admission", given)):
        assert await code_of(door) == "link_needed"
    assert await code_of(new.call("PUT", "/account/device-list", {"devices": given["devices"]})) == "link_needed"
    assert (await alice.get(offer))["device_name"] == "phone"
    assert await code_of(new.call("DELETE", offer)) == "done"
    assert await code_of(alice.get(offer)) == "not_found"
    assert await code_of(alice.get("/link-offers/no-id")) == "not_found"


async def test_a_stranger_s_answer_is_the_same_as_for_an_offer_that_was_never_made(world: World, alice: Device) -> None:
    bob, new = await world.register("bob"), await world.log_in(alice)
    real = (await asked(new))["id"]
    said = keys.in_json(cheap.answer(UUID(bob.account), PASSWORD))
    given = keys.in_json(cheap.admission(await bob.newest_list(), uuid4()))
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/answer", said),
        ("POST", "/admission", given),
    ):
        answers = []
        for offer in (real, str(uuid4())):
            with pytest.raises(Problem) as refused:
                await bob.call(method, f"/link-offers/{offer}{path}", body)
            answers.append((refused.value.status, refused.value.body))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    assert (await alice.get(f"/link-offers/{real}"))["id"] == real


@pytest.mark.parametrize(("size", "code"), [(1236, "invalid"), (1238, "invalid")])
async def test_an_offer_has_its_length(world: World, alice: Device, size: int, code: str) -> None:
    new = await world.log_in(alice)
    assert await code_of(asked(new, offer=keys.base64_of(bytes(size)))) == code


async def test_what_is_for_the_new_device_may_be_so_long_and_no_longer(world: World, alice: Device) -> None:
    new = await world.log_in(alice)
    offer = f"/link-offers/{(await asked(new))['id']}"
    await alice.post(f"{offer}/answer", keys.in_json(cheap.answer(UUID(alice.account), PASSWORD)))
    given = keys.in_json(cheap.admission(await alice.newest_list(), UUID(new.id)))
    for size, code in (
        (limits.LINK_CONTAINER_BYTES + 1, "invalid"),
        (0, "invalid"),
        (limits.LINK_CONTAINER_BYTES, "done"),
    ):
        container = keys.base64_of(bytes(size))
        assert await code_of(alice.post(f"{offer}/admission", {**given, "container": container})) == code
    state = await new.get("/link-offers/mine", id=offer.rpartition("/")[2])
    assert state["container"] == container


async def test_a_new_list_begins_an_epoch_in_every_direct_conversation(world: World, alice: Device) -> None:
    bob = await world.register("bob")
    conversation = UUID(bytes=roster.direct_id(UUID(alice.account).bytes, UUID(bob.account).bytes))
    await alice.post("/conversations/direct", {"id": str(conversation), "account": bob.account})
    phone = await world.link(alice)
    await alice.call(
        "PUT",
        "/account/device-list",
        {"devices": keys.in_json(keys.without(await alice.newest_list(), UUID(phone.id)))},
    )
    page = await bob.get(f"/conversations/{conversation}/entries")
    changes = [entry["body"] for entry in page["entries"] if entry["kind"] == kinds.DEVICES]
    assert [change["epoch"] for change in changes] == [2, 3]
    whose = {UUID(bob.account).bytes: linking.hash_of(await bob.newest_list())}
    for change, count in zip(changes, (2, 1), strict=True):
        signed = linking.from_json(change["devices"])
        assert len(DeviceList.deserialize(signed.list).devices) == count
        lists = {**whose, UUID(alice.account).bytes: linking.hash_of(signed)}
        expected = roster.roster(conversation.bytes, roster.NO_STATEMENT, lists)
        assert change["roster"] == keys.base64_of(expected)


async def test_a_removed_device_loses_its_gateway_and_the_others_are_told(world: World, alice: Device) -> None:
    phone = await world.link(alice)
    async with alice.gateway() as told, phone.gateway() as lost:
        signed = keys.without(await alice.newest_list(), UUID(phone.id))
        await alice.call("PUT", "/account/device-list", {"devices": keys.in_json(signed)})
        assert await lost.closing() == 4001
        await told.wait(lambda frame: frame["type"] == "states")
    assert await code_of(phone.get("/sessions")) == "unauthenticated"
    items = {item["key"]: item["value"] for item in (await alice.get("/account/state"))["items"]}
    assert items["devices"] == {"version": 3}
    assert items[f"device:{phone.id}"]["is_active"] is False
