"""What entries of readable conversations carry: message content, profiles, roles.

Sources: R-183, R-184 (format, 1–4000 characters), R-113 (names), R-118 (topic), C-13 (base roles).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits

Format = Literal["text", "markdown", "html", "code"]
Role = Literal["owner", "admin", "moderator", "member"]
ConversationKind = Literal["direct", "self", "group", "room", "channel"]

Text = Annotated[str, Meta(min_length=1, max_length=limits.TEXT)]
RoomName = Annotated[str, Meta(min_length=1, max_length=limits.ROOM_NAME)]
Topic = Annotated[str, Meta(max_length=limits.TOPIC)]
Description = Annotated[str, Meta(max_length=limits.DESCRIPTION)]


class MessageContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person said. `metadata` is free JSON of the client: bounded in size and depth, never interpreted."""

    text: Text
    format: Format = "text"
    metadata: dict[str, Any] = {}


class Profile(msgspec.Struct, frozen=True):
    """What a conversation says of itself."""

    name: RoomName
    topic: Topic = ""
    description: Description = ""
