"""What an opened entry is to the view: the bodies of kinds that exist only sealed, and content as the log keeps it."""

from typing import Any

import msgspec

from aparte.e2ee import content as contents
from aparte.e2ee.content import Content, Deletion, Pin, Reaction, Settings, Text
from aparte.wire import kinds
from aparte.wire.content import MessageContent, Profile


class Reacted(msgspec.Struct, frozen=True):
    """A reaction that was set, or taken back."""

    emoji: str
    on: bool


class Pinned(msgspec.Struct, frozen=True):
    """A message that was pinned, or unpinned."""

    on: bool


class Agreed(msgspec.Struct, frozen=True):
    """Settings of the conversation: how long messages stay, in seconds, and from when."""

    ttl: tuple[str, int] | None = None


class Described(Profile, frozen=True, omit_defaults=True):
    """What a group says of itself: what a room says, and more."""

    welcome: str = ""
    rules: str = ""


BODIES: dict[int, type[Any]] = {
    kinds.REACTION: Reacted,
    kinds.PIN: Pinned,
    kinds.PROFILE: Described,
    kinds.SETTINGS: Agreed,
}
"""In place of the registry's bodies, which a server could not read."""


def body_of_content(content: Content) -> Any:
    """Give what the log keeps of a content, the same for both kinds of conversations."""
    match content:
        case Text():
            return MessageContent(content.text, content.format, _beside(content))
        case Deletion():
            return kinds.Switch(on=content.on)
        case Reaction():
            return Reacted(content.emoji, content.on)
        case Pin():
            return Pinned(content.on)
        case contents.Profile():
            return Described(content.name, content.topic, content.description, content.welcome, content.rules)
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
