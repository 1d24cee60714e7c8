"""What an opened entry is to the view: the bodies of kinds that exist only sealed, and content as the log keeps it."""

from typing import Any
from uuid import UUID

import msgspec

from aparte.e2ee import content as contents
from aparte.e2ee.content import Content, Deletion, Pin, Reaction, Settings, Text
from aparte.wire import kinds
from aparte.wire.content import Forwarded, MessageContent, Profile
from aparte.wire.ids import AccountId


class Agreed(msgspec.Struct, frozen=True, tag="agreed", tag_field="form"):
    """What the people of an encrypted conversation have set: how long messages stay, in seconds, and from when.

    The tag tells it from the settings of a readable conversation, of the same kind, that the server acts on.
    """

    ttl: tuple[str, int] | None = None


def is_agreed(body: Any) -> bool:
    """Tell whether the body of settings is an encrypted conversation's."""
    return isinstance(body, Agreed) or (isinstance(body, dict) and body.get("form") == "agreed")


def body_of_content(content: Content) -> Any:
    """Give what the log keeps of a content, the same for both kinds of conversations."""
    match content:
        case Text():
            return _message(content)
        case Deletion() | Pin():
            return kinds.Switch(on=content.on)
        case Reaction():
            return kinds.Reacted(content.emoji, content.on)
        case contents.Profile():
            return Profile(content.name, content.topic, content.description, content.welcome, content.rules)
        case Settings():
            return Agreed(content.ttl)


def _message(content: Text) -> MessageContent:
    """Give what a message says in the form of readable ones, but for what it answers: that is known by its hash."""
    return MessageContent(
        text=content.text,
        format=content.format,
        metadata={"reply": content.reply.hex()} if content.reply is not None else {},
        mentions=[AccountId(UUID(bytes=account)) for account in content.mentions],
        forwarded=Forwarded() if content.forwarded else None,
    )
