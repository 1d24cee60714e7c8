"""Every operation of a conversation × everybody who may come: the tables of who gets what.

The accident they prevent is the commonest hole of chat servers: a right checked on create and forgotten on edit, on a
receipt, on a page, at the second door. A new route without a row here fails. Who is not in gets the answer that a
conversation gives that was never there, byte for byte.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.support import scenes
from tests.support.operations import CONVERSATION, MARKER, OPERATIONS, Request
from tests.support.people import World
from tests.support.scenes import MEMBERS, STRANGERS, Scene

CODES = {
    "+": "done",
    "f": "forbidden",
    "s": "silenced",
    "m": "mode_mismatch",
    "n": "not_member",
    "0": "not_found",
    "b": "banned",
    "e": "stale_epoch",
    "i": "bad_statement",
}
"""What a letter of the tables says; a dot: not asked, because nobody would be left to ask."""

# guest, silenced member, member, moderator, admin, owner
ROOM = """
GET /                                  ++++++
GET /members                           ++++++
GET /messages                          ++++++
GET /entries                           ++++++
GET /messages/{message}                ++++++
GET /messages/{message}/history        ++++++
GET /messages/{message}/receipts       ++++++
GET /messages/{message}/reactions      ++++++
GET /messages/{message}/replies        ++++++
GET /pins                              ++++++
GET /threads                           ++++++
GET /preferences                       ++++++
GET /roles                             ++++++
GET /silences                          fff+++
GET /bans                              fff+++
GET /invites                           fff+++
GET /words                             fff+++
GET /held                              ++++++
GET /flags                             fff+++
GET /scheduled                         ++++++
GET /statements                        mmmmmm
GET /epoch                             mmmmmm
GET /objects/{object}                  000000
POST /messages                         fs++++
POST /entries                          fmmmmm
POST /read                             ++++++
POST /delivered                        ++++++
PATCH /preferences                     ++++++
PUT /draft                             f+++++
DELETE /draft                          ++++++
POST /scheduled                        fs++++
PATCH /scheduled/{scheduled}           000000
DELETE /scheduled/{scheduled}          000000
PUT /objects/{object}                  fsmmmm
PATCH /messages/{message}              fsffff
PATCH /messages/{message} own          fs++++
POST /messages/{message}/reactions     fs++++
POST /messages/{message}/pin           fff+++
PUT /messages/{message}/follow         ++++++
PUT /messages/{message}/flag           f+++++
DELETE /messages/{message}/flag        f+++++
DELETE /messages/{message} own         f+++++
POST /messages/{message}/restore own   fs++++
DELETE /messages/{message} for me      ++++++
DELETE /messages/{message}             fff+++
POST /messages/{message}/restore       fff+++
DELETE /held/{held}                    000000
POST /held/{held}/decision             fff+++
PATCH /                                ffff++
PUT /words                             fff+++
POST /invites                          fff+++
DELETE /invites/{invite}               fff+++
PUT /invites/{link}/card               mmmmmm
POST /roles                            ffff++
PATCH /roles/{role}                    ffff++
DELETE /roles/{role}                   ffff++
PUT /members/{account}/nickname        fff+++
PUT /members/{account}/silence         fff+++
DELETE /members/{account}/silence      fff+++
PATCH /members/{account}               ffff++
DELETE /members/{account}              fff+++
PUT /bans/{account}                    fff+++
DELETE /bans/{account}                 fff+++
POST /statements                       mmmmmm
POST /distributions                    fmmmmm
DELETE /                               fffff.
POST /join                             f+++++
POST /leave                            +++++.
"""
"""A room that the server can read."""

CHANNEL = """
POST /messages                         fff+++
POST /scheduled                        fff+++
PUT /objects/{object}                  fffmmm
PATCH /messages/{message}              ffffff
PATCH /messages/{message} own          fff+++
POST /messages/{message}/restore own   fff+++
"""
"""Where a channel differs: its members read and react."""

GROUP = """
GET /                                  ++++++
GET /members                           ++++++
GET /messages                          mmmmmm
GET /entries                           ++++++
GET /messages/{message}                mmmmmm
GET /messages/{message}/history        mmmmmm
GET /messages/{message}/receipts       ++++++
GET /messages/{message}/reactions      mmmmmm
GET /messages/{message}/replies        mmmmmm
GET /pins                              mmmmmm
GET /threads                           mmmmmm
GET /preferences                       ++++++
GET /roles                             ++++++
GET /silences                          fff+++
GET /bans                              fff+++
GET /invites                           mmmmmm
GET /words                             fffmmm
GET /held                              mmmmmm
GET /flags                             fffmmm
GET /scheduled                         ++++++
GET /statements                        ++++++
GET /epoch                             ++++++
GET /objects/{object}                  000000
POST /messages                         fmmmmm
POST /entries                          fseeee
POST /read                             ++++++
POST /delivered                        ++++++
PATCH /preferences                     ++++++
PUT /draft                             f+++++
DELETE /draft                          ++++++
POST /scheduled                        fsmmmm
PATCH /scheduled/{scheduled}           000000
DELETE /scheduled/{scheduled}          000000
PUT /objects/{object}                  fs++++
PATCH /messages/{message}              mmmmmm
PATCH /messages/{message} own          mmmmmm
POST /messages/{message}/reactions     mmmmmm
POST /messages/{message}/pin           mmmmmm
PUT /messages/{message}/follow         000000
PUT /messages/{message}/flag           fmmmmm
DELETE /messages/{message}/flag        fmmmmm
DELETE /messages/{message} own         mmmmmm
POST /messages/{message}/restore own   mmmmmm
DELETE /messages/{message} for me      000000
DELETE /messages/{message}             mmmmmm
POST /messages/{message}/restore       mmmmmm
DELETE /held/{held}                    000000
POST /held/{held}/decision             fffmmm
PATCH /                                mmmmmm
PUT /words                             fffmmm
POST /invites                          mmmmmm
DELETE /invites/{invite}               mmmmmm
PUT /invites/{link}/card               ffff00
POST /roles                            ffff++
PATCH /roles/{role}                    ffff00
DELETE /roles/{role}                   ffff00
PUT /members/{account}/nickname        fmmmmm
PUT /members/{account}/silence         fff+++
DELETE /members/{account}/silence      fff+++
PATCH /members/{account}               mmmmmm
DELETE /members/{account}              mmmmmm
PUT /bans/{account}                    fffmmm
DELETE /bans/{account}                 fff+++
POST /statements                       iiiiii
POST /distributions                    feeeee
DELETE /                               fffff.
POST /join                             fmmmmm
POST /leave                            mmmmm.
"""
"""A group: who is in and what it is called is signed, what is said is sealed; the rest is the server's."""

DIRECT = """
GET /                                  +
GET /members                           +
GET /messages                          m
GET /entries                           +
GET /messages/{message}                m
GET /messages/{message}/history        m
GET /messages/{message}/receipts       +
GET /messages/{message}/reactions      m
GET /messages/{message}/replies        m
GET /pins                              m
GET /threads                           m
GET /preferences                       +
GET /roles                             +
GET /silences                          f
GET /bans                              f
GET /invites                           f
GET /words                             f
GET /held                              m
GET /flags                             f
GET /scheduled                         +
GET /statements                        m
GET /epoch                             m
GET /objects/{object}                  0
POST /messages                         m
POST /entries                          e
POST /read                             +
POST /delivered                        +
PATCH /preferences                     +
PUT /draft                             +
DELETE /draft                          +
POST /scheduled                        m
PATCH /scheduled/{scheduled}           0
DELETE /scheduled/{scheduled}          0
PUT /objects/{object}                  +
PATCH /messages/{message}              m
PATCH /messages/{message} own          m
POST /messages/{message}/reactions     m
POST /messages/{message}/pin           m
PUT /messages/{message}/follow         +
PUT /messages/{message}/flag           m
DELETE /messages/{message}/flag        m
DELETE /messages/{message} own         m
POST /messages/{message}/restore own   m
DELETE /messages/{message} for me      +
DELETE /messages/{message}             m
POST /messages/{message}/restore       m
DELETE /held/{held}                    0
POST /held/{held}/decision             f
PATCH /                                f
PUT /words                             f
POST /invites                          f
DELETE /invites/{invite}               f
PUT /invites/{link}/card               m
POST /roles                            f
PATCH /roles/{role}                    f
DELETE /roles/{role}                   f
PUT /members/{account}/nickname        m
PUT /members/{account}/silence         f
DELETE /members/{account}/silence      f
PATCH /members/{account}               f
DELETE /members/{account}              f
PUT /bans/{account}                    f
DELETE /bans/{account}                 f
POST /statements                       m
POST /distributions                    m
DELETE /                               f
POST /join                             +
POST /leave                            f
"""
"""What either of the two gets in a direct conversation: nobody manages it, nobody leaves, nothing readable is done."""

JOINED = {"POST /join": "+++b++", "POST /leave": "+++n++"}
"""What strangers get of a public room beside `not_member`: who was banned does not come back."""
SHUT = {"POST /join": "000000"}
"""A conversation that one does not join is not there, for whoever is banned too."""

Table = dict[str, dict[str, str]]


def table(members: dict[str, str], strangers: dict[str, str]) -> Table:
    """What each operation answers each asker."""
    shown: Table = {}
    for name, row in members.items():
        outside = dict(zip(STRANGERS, strangers.get(name, "n" * len(STRANGERS)), strict=True))
        inside = dict(zip(MEMBERS, row, strict=True)) if len(row) > 1 else {"member": row}
        shown[name] = {who: CODES[letter] for who, letter in {**outside, **inside}.items() if letter != "."}
    return shown


def read(*texts: str) -> dict[str, str]:
    """Rows of tables, a later one instead of an earlier one."""
    lines = [line.rsplit(maxsplit=1) for text in texts for line in text.strip().splitlines()]
    return {name.strip(): letters for name, letters in lines}


Build = Callable[[World, Any], Awaitable[Scene]]
KINDS: dict[str, tuple[Build, Table]] = {
    "public room": (lambda w, a: scenes.readable(w, a, kind="room"), table(read(ROOM), JOINED)),
    "private room": (
        lambda w, a: scenes.readable(w, a, kind="room", is_public=False, encryption_mode="server"),
        table(read(ROOM), SHUT),
    ),
    "channel": (
        lambda w, a: scenes.readable(w, a, kind="channel", is_public=True),
        table(read(ROOM, CHANNEL), JOINED),
    ),
    "group": (scenes.group, table(read(GROUP), SHUT)),
    "encrypted channel": (
        lambda w, a: scenes.group(w, a, kind="channel", policy=scenes.MODERATORS_WRITE),
        table(read(GROUP), SHUT),
    ),
    "direct conversation": (scenes.direct, table(read(DIRECT), SHUT)),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_everybody_gets_what_is_theirs_and_nothing_else(world: World, server_admin: Any, kind: str) -> None:
    build, expected = KINDS[kind]
    scene = await build(world, server_admin)
    for operation in OPERATIONS:
        wanted = {who: code for who, code in expected[operation.name].items() if who in scene.askers}
        assert await scene.row(operation, set(wanted)) == wanted, operation.name
    if "owner" in scene.askers:
        await scene.askers["owner"].call("DELETE", f"/conversations/{scene.conversation}")
        (reading,) = [operation for operation in OPERATIONS if operation.name == "GET /entries"]
        assert set((await scene.row(reading, set(scene.askers))).values()) == {"not_member"}


@pytest.mark.parametrize("kind", ["public room", "group", "direct conversation"])
async def test_to_strangers_a_conversation_is_as_one_that_never_was(world: World, server_admin: Any, kind: str) -> None:
    scene = await KINDS[kind][0](world, server_admin)
    strangers = [name for name in STRANGERS if name in scene.askers]
    for operation in OPERATIONS:
        if operation.name == "POST /join" and kind == "public room":
            continue
        absent = [await scene.answer(operation, who, conversation=str(uuid4())) for who in strangers]
        real = [await scene.answer(operation, who) for who in strangers]
        assert real == absent, operation.name
        assert not any(MARKER in answer.text for answer in real)


INSIDE = ["message", "role", "invite", "held", "scheduled", "account"]
"""What an operation finds within a conversation."""


async def test_what_is_in_another_conversation_is_as_what_never_was(world: World, server_admin: Any) -> None:
    here, there = [await KINDS["public room"][0](world, server_admin) for _ in range(2)]
    absent = {name: str(uuid4()) for name in INSIDE}
    foreign = {name: there.places["owner"][name] for name in INSIDE}
    asked = 0
    for operation in OPERATIONS:
        named = any("{" + name + "}" in f"{operation.path} {operation.body}" for name in INSIDE)
        if operation.own or not named or operation.name == "PUT /bans/{account}":  # whoever has an account is banned
            continue
        answers = [await here.answer(operation, "owner", **ids) for ids in (absent, foreign)]
        assert answers[0] == answers[1], operation.name
        assert MARKER not in answers[1].text
        asked += 1
    assert asked > 20


async def test_a_message_of_another_conversation_is_not_written_to_through_this_one(
    world: World, server_admin: Any
) -> None:
    here, there = [await KINDS["public room"][0](world, server_admin) for _ in range(2)]
    owner, other = here.askers["owner"], there.askers["owner"]
    foreign = there.places["owner"]["message"]
    page = f"/conversations/{there.conversation}/entries"
    before = await other.get(page)
    for extra in ({"reply": foreign}, {"references": [foreign]}):
        answer = await here.ask(Request("POST", f"/conversations/{here.conversation}/messages", {}, said(extra)), owner)
        assert answer.code == "not_found"
    assert (await other.get(page)) == before


def said(extra: dict[str, Any]) -> dict[str, Any]:
    """A new message."""
    return {"client_message_id": str(uuid4()), "content": {"text": MARKER, **extra}}


async def test_without_a_token_every_operation_answers_the_same(world: World, server_admin: Any) -> None:
    scene = await KINDS["public room"][0](world, server_admin)
    nobody, unlisted = scene.askers["outsider"], await world.log_in(scene.askers["owner"])
    for token, code in (("", "unauthenticated"), ("wrong", "unauthenticated"), (None, "link_needed")):
        asker = unlisted if token is None else replace(nobody, tokens={"access_token": token})
        answers = {await scene.ask(Request.of(each, scene.places["owner"]), asker) for each in OPERATIONS}
        assert {answer.code for answer in answers} == {code}
        assert len(answers) == 1


async def test_every_operation_of_a_conversation_has_its_row(world: World) -> None:
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    routes = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith(CONVERSATION)
    }
    assert routes == {(operation.method, operation.path) for operation in OPERATIONS}
    for _, expected in KINDS.values():
        assert set(expected) == {operation.name for operation in OPERATIONS}
