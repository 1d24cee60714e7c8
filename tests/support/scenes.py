"""A conversation of each kind with everybody around it: whoever asks has there what they may be refused, all their own.

One scene serves a whole table: each asker has a message, and somebody else with a message, a role, an invite link and
words that wait, so that what one of them may do leaves nothing undone for the next.
"""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support import groups, keys, marking
from tests.support.groups import MODERATORS_WRITE
from tests.support.operations import MARKER, Operation, Request
from tests.support.people import Device, World
from tests.support.sealing import caller_of, over_the_wire

STRANGERS = ["outsider", "ex-member", "removed", "banned", "platform moderator", "platform admin"]
MEMBERS = ["guest", "silenced", "member", "moderator", "admin", "owner"]
GONE = {"ex-member", "removed", "banned"}
"""Who was in once."""
FOR_EVER = "2035-01-01T00:00:00Z"
ROLES = {"moderator": 2, "admin": 3}
"""By their numbers in statements; owners are there already."""

__all__ = ["MEMBERS", "MODERATORS_WRITE", "STRANGERS", "Answer", "Scene", "direct", "group", "readable"]
Admin = Any
OF_ITS_OWN = {"x-request-id", "date", "content-length"}
"""Headers in which each answer differs, whatever it says."""


@dataclass(frozen=True)
class Answer:
    """What somebody was answered: all that they can tell one answer from another by, but for what differs each time."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...]

    @property
    def code(self) -> str:
        """`done`, or why not."""
        found = re.search(r'"code":"(\w+)"', self.text) if self.status >= 400 else None
        return found.group(1) if found else "done"


@dataclass
class Scene:
    """A conversation, who asks, and the ids that stand in each one's requests."""

    conversation: str
    askers: dict[str, Device]
    places: dict[str, dict[str, str]] = field(default_factory=dict)

    async def ask(self, request: Request, asker: Device) -> Answer:
        """Ask as somebody; what they are refused tells nothing of what was said."""
        token = asker.tokens["access_token"]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{asker.url}/api/v1{request.path}"
        to = asker.http.request(request.method, url, json=request.body, params=request.query, headers=headers)
        async with to as response:
            text = await response.text()
            shown = {(k, v) for k, v in response.headers.items() if k.lower() not in OF_ITS_OWN}
        answer = Answer(response.status, text, tuple(sorted(shown)))
        assert response.status < 500, (request, text)
        assert response.status < 400 or MARKER not in text, (request, text)
        return answer

    async def answer(self, operation: Operation, who: str, **places: str) -> Answer:
        """Ask an operation of what is here, or of something else."""
        return await self.ask(Request.of(operation, self.places[who] | places), self.askers[who])

    async def row(self, operation: Operation, wanted: set[str]) -> dict[str, str]:
        """What everybody who is wanted gets: those who change nothing at once, the others in order."""
        idle = [who for who in self.askers if who in wanted and (who in STRANGERS or operation.method == "GET")]
        found = dict(zip(idle, await asyncio.gather(*(self.answer(operation, who) for who in idle)), strict=True))
        for who in self.askers:
            if who in wanted and who not in found:
                found[who] = await self.answer(operation, who)
        return {who: answer.code for who, answer in found.items()}


async def company(world: World) -> tuple[dict[str, Device], dict[str, Device]]:
    """Everybody who asks, and for each of them somebody whom it is about."""
    names = [*STRANGERS, *MEMBERS]
    askers = {name: await world.register(name.replace(" ", "_")) for name in names}
    victims = {name: await world.register("victim") for name in names}
    return askers, victims


async def give_ranks(admin: Admin, askers: dict[str, Device]) -> None:
    """The roles that the platform gives: last, so that its guest has come in before."""
    ranks = {"guest": "guest", "platform moderator": "moderator", "platform admin": "admin"}
    for name, rank in ranks.items():
        if name in askers:
            await admin.execute("UPDATE accounts SET role = $2 WHERE account_id = $1", askers[name].account, rank)


def common(conversation: str, victim: Device) -> dict[str, str]:
    """What no scene has, and what every scene has."""
    absent = dict.fromkeys(("role", "invite", "link", "held", "scheduled", "object"), str(uuid4()))
    return {**absent, "conversation": conversation, "account": victim.account}


async def readable(world: World, admin: Admin, **kind: Any) -> Scene:
    """A room or channel that the server can read, with screening, and an own set of things for each asker."""
    askers, victims = await company(world)
    owner = askers["owner"]
    settings = {"metadata": {"auto_moderate": True}}
    body = {"name": f"{MARKER} {uuid4().hex[:8]}", "description": MARKER, "settings": settings} | kind
    here = str((await owner.post("/conversations", body))["id"])
    await owner.call("PUT", f"/conversations/{here}/words", {"words": [{"text": "spam"}]})
    scene = Scene(here, askers)
    inviting = await owner.post(f"/conversations/{here}/invites", {})
    outside = STRANGERS[:1] + STRANGERS[4:]
    for person in [*(askers[n] for n in askers if n not in outside and n != "owner"), *victims.values()]:
        await person.post(f"/invites/{inviting['token']}/enter")
        if kind["kind"] == "channel":
            await owner.call(
                "PATCH", f"/conversations/{here}/members/{person.account}", {"permissions": {"post": True}}
            )
    for name, victim in victims.items():
        scene.places[name] = common(here, victim) | await things(here, owner, victim)
        own = askers[name] if name not in outside else victim
        scene.places[name]["own"] = (await own.send(here, MARKER))["id"]
    await put_in_place(here, owner, askers)
    await give_ranks(admin, askers)
    return scene


async def things(here: str, owner: Device, victim: Device) -> dict[str, str]:
    """What somebody and the owner have in a conversation."""
    said, held = await victim.send(here, MARKER), await victim.send(here, f"spam {MARKER}")
    await marking.react(victim, here, said["id"], "ok")
    role = await owner.post(f"/conversations/{here}/roles", {"name": f"{MARKER} {uuid4().hex[:6]}"})
    invite = await owner.post(f"/conversations/{here}/invites", {})
    key = str(uuid4())
    message = {"client_message_id": key, "content": {"text": MARKER}}
    plan = {"client_message_id": key, "due": FOR_EVER.replace("2035", "2027"), "message": message}
    planned = await victim.post(f"/conversations/{here}/scheduled", plan)
    return {
        "message": said["id"],
        "held": held["data"]["held"],
        "role": role["id"],
        "invite": invite["id"],
        "scheduled": planned["id"],
    }


async def put_in_place(here: str, owner: Device, askers: dict[str, Device]) -> None:
    """Give each asker of a readable conversation their place in it."""
    members = f"/conversations/{here}/members"
    for name, asker in askers.items():
        if name in GONE | set(MEMBERS[:-1]):  # what was granted so that everybody could say something before
            await owner.call("PATCH", f"{members}/{asker.account}", {"permissions": {}})
    await askers["ex-member"].post(f"/conversations/{here}/leave")
    await owner.call("DELETE", f"{members}/{askers['removed'].account}")
    await owner.call("PUT", f"/conversations/{here}/bans/{askers['banned'].account}", {"reason": MARKER})
    await owner.call(
        "PUT", f"{members}/{askers['silenced'].account}/silence", {"until": FOR_EVER, "reason": "shouting"}
    )
    for name in ROLES:
        await owner.call("PATCH", f"{members}/{askers[name].account}", {"role": name})


async def group(world: World, admin: Admin, policy: int = 0, **kind: str) -> Scene:
    """A group, or an encrypted channel: who is in it is signed, and what is said there sealed."""
    askers, victims = await company(world)
    owner = askers["owner"]
    inside = [person for name, person in askers.items() if name in GONE | set(MEMBERS[:-1])] + list(victims.values())
    made = await groups.over_the_wire(owner, *inside, policy=policy, **kind)
    here = str(made.id)
    first = (await owner.get(f"/conversations/{here}/entries"))["entries"][0]["id"]
    by = caller_of(owner)
    await groups.say_over_the_wire(made, askers["ex-member"], made.leave(caller_of(askers["ex-member"])))
    await groups.say_over_the_wire(made, owner, made.remove(by, caller_of(askers["removed"])))
    await groups.say_over_the_wire(made, owner, made.remove(by, caller_of(askers["banned"])), ban=True)
    for name, number in ROLES.items():
        await groups.say_over_the_wire(made, owner, made.give_role(by, caller_of(askers[name]), number))
    silenced = f"/conversations/{here}/members/{askers['silenced'].account}/silence"
    await owner.call("PUT", silenced, {"until": FOR_EVER, "reason": "shouting"})
    await give_ranks(admin, askers)
    places = {name: common(here, victims[name]) | {"message": first, "own": first} for name in askers}
    return Scene(here, askers, places)


async def direct(world: World, admin: Admin) -> Scene:
    """A direct conversation: one of the two asks, and people who are none of the two."""
    names = ["outsider", "platform moderator", "platform admin", "member"]
    askers = {name: await world.register(name.replace(" ", "_")) for name in names}
    other = await world.register("other")
    hers, _ = await over_the_wire(askers["member"], other)
    here = str(hers.conversation)
    said = await askers["member"].post(f"/conversations/{here}/entries", keys.in_json(hers.seal()))
    await give_ranks(admin, askers)
    return Scene(
        here, askers, {name: common(here, other) | {"message": said["id"], "own": said["id"]} for name in names}
    )
