"""Every gateway frame × everybody who may come: the second door decides as the first, and says no more.

A frame that is the use of a right is held to the table of the route that does the same. Frames that are not answered
must do nothing for who is not in: no mark moves, nobody hears typing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, get_args
from uuid import uuid4

import pytest

from aparte.wire import frames
from tests.journeys.test_who_may import KINDS
from tests.support.operations import MARKER, OPERATIONS, SAID, SEALED, filled
from tests.support.people import Device, Gateway, World
from tests.support.scenes import STRANGERS, Scene

ONCE = {"client_message_id": "{new}"}
HERE = {"conversation": "{conversation}"}
THIS = HERE | {"message": "{message}"}


@dataclass(frozen=True)
class Asked:
    """A frame, and the operation whose row of the table it is held to."""

    tag: str
    fields: dict[str, Any]
    operation: str
    own: bool = False


ASKED = [
    Asked("entries", HERE, "GET /entries"),
    Asked("send", HERE | {"message": SAID}, "POST /messages"),
    Asked("seal", HERE | {"entry": SEALED | {"envelopes": []}}, "POST /entries"),
    Asked("edit", THIS | {"change": SAID}, "PATCH /messages/{message}"),
    Asked("edit", THIS | {"change": SAID}, "PATCH /messages/{message} own", own=True),
    Asked("react", THIS | {"reaction": ONCE | {"emoji": "+1"}}, "POST /messages/{message}/reactions"),
    Asked("pin", THIS | {"pin": ONCE}, "POST /messages/{message}/pin"),
    Asked("delete", THIS | ONCE, "DELETE /messages/{message} own", own=True),
    Asked("restore", THIS | ONCE, "POST /messages/{message}/restore own", own=True),
    Asked("delete", THIS | ONCE | {"scope": "me"}, "DELETE /messages/{message} for me"),
    Asked("delete", THIS | ONCE, "DELETE /messages/{message}"),
    Asked("restore", THIS | ONCE, "POST /messages/{message}/restore"),
]
OF_ONESELF = {"changes", "state"}
"""What a frame asks of the caller's own account, whoever that is."""
UNANSWERED = {"ack", "read", "watch", "typing"}
"""What is not answered: below, what it does for whom."""


@asynccontextmanager
async def at_the_gateway(scene: Scene) -> AsyncIterator[dict[str, Gateway]]:
    """Everybody of a scene at a gateway of their own."""
    async with AsyncExitStack() as stack:
        yield {who: await stack.enter_async_context(asker.gateway()) for who, asker in scene.askers.items()}


async def answer(gateway: Gateway, asked: Asked, places: dict[str, str]) -> dict[str, Any]:
    """Ask; a refusal tells nothing of what was said."""
    wanted = {"new": str(uuid4()), **places} | ({"message": places["own"]} if asked.own else {})
    told = await gateway.ask(asked.tag, **filled(asked.fields, wanted))
    assert told["type"] != "error" or MARKER not in str(told), told
    assert told.get("code") != "internal", told
    return told


def code(told: dict[str, Any]) -> str:
    """`done`, or why not."""
    return str(told["code"]) if told["type"] == "error" else "done"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_frame_gives_what_the_route_gives(world: World, server_admin: Any, kind: str) -> None:
    build, expected = KINDS[kind]
    scene = await build(world, server_admin)
    async with at_the_gateway(scene) as gateways:
        for asked in ASKED:
            wanted = {who: told for who, told in expected[asked.operation].items() if who in gateways}
            found = {who: code(await answer(gateways[who], asked, scene.places[who])) for who in wanted}
            assert found == wanted, asked


@pytest.mark.parametrize("kind", ["public room", "group", "direct conversation"])
async def test_to_strangers_a_conversation_is_as_one_that_never_was(world: World, server_admin: Any, kind: str) -> None:
    scene = await KINDS[kind][0](world, server_admin)
    async with at_the_gateway(scene) as gateways:
        for asked in ASKED:
            for who in set(STRANGERS) & gateways.keys():
                places = scene.places[who]
                real = await answer(gateways[who], asked, places)
                absent = await answer(gateways[who], asked, places | {"conversation": str(uuid4())})
                assert {**real, "ref": 0} == {**absent, "ref": 0}, asked


async def test_nobody_reaches_into_another_conversation_through_this_one(world: World, server_admin: Any) -> None:
    here, there = [await KINDS["public room"][0](world, server_admin) for _ in range(2)]
    foreign = {"message": there.places["owner"]["message"]}
    async with here.askers["owner"].gateway() as gateway:
        for asked in [each for each in ASKED if "message" in each.fields and not each.own and each.tag != "send"]:
            answers = [
                await answer(gateway, asked, here.places["owner"] | other)
                for other in ({"message": str(uuid4())}, foreign)
            ]
            assert {**answers[0], "ref": 0} == {**answers[1], "ref": 0}, asked
            assert code(answers[1]) == "not_found"


async def test_what_is_ones_own_names_no_conversation_of_others(world: World, server_admin: Any) -> None:
    scene = await KINDS["private room"][0](world, server_admin)
    async with at_the_gateway(scene) as gateways:
        for who, gateway in gateways.items():
            heads = await gateway.ask("changes")
            named = {str(head["conversation"]) for head in heads["heads"]}
            assert (scene.conversation in named) == (who not in STRANGERS), who
            states = await gateway.ask("state")
            assert states["type"] == "states"


async def test_marks_of_strangers_move_nothing(world: World, server_admin: Any) -> None:
    scene = await KINDS["public room"][0](world, server_admin)
    newest = (await scene.askers["owner"].get(f"/conversations/{scene.conversation}"))["head"]
    rows = """
        SELECT (SELECT count(*) FROM receipts WHERE conversation_id = $1 AND device_id = $2),
               (SELECT max(read_seq) FROM members WHERE conversation_id = $1 AND account_id = $3)
    """

    async def marks(asker: Device) -> Any:
        return tuple(await server_admin.fetchrow(rows, scene.conversation, asker.id, asker.account))

    before = {who: await marks(asker) for who, asker in scene.askers.items()}
    async with at_the_gateway(scene) as gateways:
        for gateway in gateways.values():
            for tag in ("ack", "read"):
                await gateway.send({"type": tag, "conversation": scene.conversation, "up_to": newest})
            assert (await gateway.ask("state"))["type"] == "states"  # frames of one socket are handled in order
        async with asyncio.timeout(15):  # the marks are gathered for a second; a member's come with the others
            while (await marks(scene.askers["member"]))[1] != newest["seq"]:  # noqa: ASYNC110 - no bell for it
                await asyncio.sleep(0.05)
    after = {who: await marks(asker) for who, asker in scene.askers.items()}
    assert {who for who in after if after[who] != before[who]} <= set(after) - set(STRANGERS)
    assert all(after[who] == before[who] for who in STRANGERS)


async def test_nobody_hears_strangers_type_and_strangers_hear_nobody(world: World, server_admin: Any) -> None:
    scene = await KINDS["public room"][0](world, server_admin)
    here = scene.conversation
    async with at_the_gateway(scene) as gateways:
        for gateway in gateways.values():
            await gateway.send({"type": "watch", "conversations": [here]})
        for who in STRANGERS:
            told = [frame for frame in gateways[who].frames if frame["type"] == "writing"]
            assert not told
            await gateways[who].send({"type": "typing", "conversation": here})
            await gateways[who].ask("state")
        await gateways["member"].send({"type": "typing", "conversation": here})
        heard = await gateways["owner"].wait(lambda frame: frame["type"] == "writing")
        assert heard["account"] == scene.askers["member"].account  # the first to be heard: the strangers were not
        await scene.askers["member"].send(here, MARKER)
        await gateways["owner"].entry(here)
        for who in STRANGERS:
            assert (await gateways[who].ask("state"))["type"] == "states"
            assert not [frame for frame in gateways[who].frames if frame["type"] in {"writing", "entry", "head"}]


async def test_without_a_hello_of_a_listed_device_nothing_is_answered(world: World, server_admin: Any) -> None:
    scene = await KINDS["public room"][0](world, server_admin)
    member = scene.askers["member"]
    unlisted = await world.log_in(member)
    hellos: list[tuple[dict[str, Any], str]] = [
        ({"type": "hello", "access_token": "wrong"}, "unauthenticated"),
        ({"type": "hello", "access_token": unlisted.tokens["access_token"]}, "link_needed"),
    ]
    firsts = [({"type": each.tag, "ref": 1} | filled(each.fields, scene.places["member"] | {"new": str(uuid4())}),
               "hello_expected") for each in ASKED]  # fmt: skip
    for first, wanted in hellos + firsts:
        to = world.http.ws_connect(f"{world.url}/api/v1/gateway", protocols=(frames.SUBPROTOCOL_JSON,))
        async with to as ws:
            gateway = Gateway(ws, "json")
            await gateway.send(first)
            told = await gateway.expect("error")
            assert told["code"] == wanted
            assert MARKER not in str(told)
            await ws.receive()
            assert ws.close_code in {4001, 4002}


def test_every_frame_has_its_row() -> None:
    tags = {str(cls.__struct_config__.tag) for cls in get_args(frames.FromClient)}
    assert tags - {"hello"} == {each.tag for each in ASKED} | OF_ONESELF | UNANSWERED
    assert {each.operation for each in ASKED} <= {operation.name for operation in OPERATIONS}
