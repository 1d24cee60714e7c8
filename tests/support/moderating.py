"""Rooms with word lists, what waits there, and what moderators make of it."""

from typing import Any
from uuid import UUID, uuid4

from tests.support.people import Device

WORDS = [{"text": "spam"}, {"text": "buy now"}, {"text": "poison*", "action": "refuse"}]


async def screened(owner: Device, *members: Device, words: Any = WORDS) -> str:
    """A room that is moderated automatically, with these words on its list and these people in it."""
    room = await owner.room(settings={"metadata": {"auto_moderate": True}})
    await owner.call("PUT", f"/conversations/{room}/words", {"words": words})
    for member in members:
        await member.join(room)
    return room


async def hold(who: Device, room: str, text: str = "spam", key: UUID | None = None, **content: Any) -> str:
    """Say something that waits; gives the id under which it does."""
    answer = await who.send(room, text, key, **content)
    assert (answer["code"], answer["status"]) == ("held", 202), answer
    return str(answer["data"]["held"])


async def decide(who: Device, room: str, held: str, *, approve: bool = True, reason: str = "") -> Any:
    """Decide about something that waits."""
    return await who.post(f"/conversations/{room}/held/{held}/decision", {"approve": approve, "reason": reason})


async def waiting(who: Device, room: str, **query: Any) -> list[dict[str, Any]]:
    """What somebody is shown of what waits."""
    found: list[dict[str, Any]] = (await who.get(f"/conversations/{room}/held", **query))["held"]
    return found


async def withdraw(who: Device, room: str, held: str) -> None:
    """Take something back that waits."""
    await who.call("DELETE", f"/conversations/{room}/held/{held}")


async def flag(who: Device, room: str, message: str, reason: str = "spam", note: str = "") -> None:
    """Tell moderators of a message."""
    await who.call("PUT", f"/conversations/{room}/messages/{message}/flag", {"reason": reason, "note": note})


async def unflag(who: Device, room: str, message: str) -> None:
    """Take one's flag back."""
    await who.call("DELETE", f"/conversations/{room}/messages/{message}/flag")


async def edit(who: Device, room: str, message: str, text: str, **content: Any) -> Any:
    """Edit a message."""
    body = {"client_message_id": str(uuid4()), "content": {"text": text, **content}}
    return await who.call("PATCH", f"/conversations/{room}/messages/{message}", body)


async def states(who: Device, prefix: str) -> dict[str, Any]:
    """What somebody's account state says under keys that begin so."""
    items, after, more = {}, 0, True
    while more:
        page = await who.get("/account/state", after=after)
        items |= {item["key"]: item.get("value") for item in page["items"]}
        after, more = page["rev"], page.get("more", False)
    return {key: value for key, value in items.items() if key.startswith(prefix) and value is not None}
