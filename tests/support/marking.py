"""What people do to messages beside saying them: react, pin, answer in a thread, follow one."""

from typing import Any
from uuid import UUID, uuid4

from tests.support.people import Device


async def react(who: Device, room: str, message: str, emoji: str, *, on: bool = True, key: UUID | None = None) -> Any:
    """Set a reaction, or take it back; gives where it is, or nothing."""
    body = {"client_message_id": str(key or uuid4()), "emoji": emoji, "on": on}
    return await who.post(f"/conversations/{room}/messages/{message}/reactions", body)


async def pin(who: Device, room: str, message: str, *, on: bool = True, key: UUID | None = None) -> Any:
    """Pin a message, or unpin it."""
    body = {"client_message_id": str(key or uuid4()), "on": on}
    return await who.post(f"/conversations/{room}/messages/{message}/pin", body)


async def reply(who: Device, room: str, root: str, text: str) -> str:
    """Say something in a thread; gives its id."""
    body = {"client_message_id": str(uuid4()), "content": {"text": text}, "thread": root}
    return str((await who.post(f"/conversations/{room}/messages", body))["id"])


async def follow(who: Device, room: str, root: str, *, on: bool = True) -> None:
    """Follow a thread, or no longer."""
    await who.call("PUT", f"/conversations/{room}/messages/{root}/follow", {"on": on})


async def shown(who: Device, room: str, message: str) -> dict[str, Any]:
    """A message as somebody is shown it."""
    found: dict[str, Any] = await who.get(f"/conversations/{room}/messages/{message}")
    return found


async def delete(who: Device, room: str, message: str) -> None:
    """Delete a message for everyone."""
    await who.call("DELETE", f"/conversations/{room}/messages/{message}", client_message_id=uuid4())


async def restore(who: Device, room: str, message: str) -> None:
    """Take a deletion back."""
    await who.post(f"/conversations/{room}/messages/{message}/restore", {"client_message_id": str(uuid4())})


async def expire(admin: Any, message: str) -> None:
    """Let a message disappear at this moment."""
    await admin.execute("UPDATE messages SET expires_at = clock_timestamp() WHERE id = $1", UUID(message))
