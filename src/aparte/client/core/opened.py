"""What an opened entry is to the view: the bodies of kinds that exist only sealed, and content as the log keeps it."""

from typing import Any

import msgspec

from aparte.e2ee import content as contents
from aparte.e2ee.content import Content, Deletion, Pin, Reaction, Settings, Text
from aparte.wire import kinds
from aparte.wire.content import MessageContent, Profile


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
            return MessageContent(content.text, content.format, _beside(content))
        case Deletion() | Pin():
            return kinds.Switch(on=content.on)
        case Reaction():
            return kinds.Reacted(content.emoji, content.on)
        case contents.Profile():
            return Profile(content.name, content.topic, content.description, content.welcome, content.rules)
        case Settings():
            return Agreed(content.ttl)


def _beside(content: Text) -> dict[str, Any]:
    """Give what a message says beside its words, in the form that the log keeps: hash and ids as hexadecimal."""
    said: dict[str, Any] = {}
    if content.reply is not None:
        said["reply"] = content.reply.hex()
    if content.mentions:
        said["mentions"] = [account.hex() for account in content.mentions]
    return said
