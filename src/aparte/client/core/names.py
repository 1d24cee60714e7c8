"""Names that people type: `+group`, `#room`, `@user`, `@me`, or a conversation's id."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from aparte.client.errors import ClientError
from aparte.wire.ids import ConversationId


@dataclass(frozen=True, slots=True)
class RoomTarget:
    """A room by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """A group by its name, which only its members know."""

    name: str


@dataclass(frozen=True, slots=True)
class IdTarget:
    """A conversation by its id."""

    conversation: ConversationId


@dataclass(frozen=True, slots=True)
class PersonTarget:
    """The direct conversation with a person, by the user name."""

    username: str


@dataclass(frozen=True, slots=True)
class SelfTarget:
    """One's notes to oneself."""


Target = RoomTarget | GroupTarget | PersonTarget | SelfTarget | IdTarget
OWN_NOTES = "@me"


def parse_target(text: str) -> Target:
    """Read a target. Raises ClientError `bad_target`."""
    if text.startswith("#") and text[1:].strip():
        return RoomTarget(text[1:].strip())
    if text.startswith("+") and text[1:].strip():
        return _group(text[1:].strip())
    if text == OWN_NOTES:
        return SelfTarget()
    if text.startswith("@") and text[1:].strip():
        return PersonTarget(text[1:].strip())
    try:
        return IdTarget(ConversationId(UUID(text)))
    except ValueError:
        raise ClientError("bad_target", text) from None


def _group(name: str) -> GroupTarget | IdTarget:
    """Read what stands after the plus: a name, or the id of a group whose name is not known."""
    try:
        return IdTarget(ConversationId(UUID(name)))
    except ValueError:
        return GroupTarget(name)


def group_title(name: str, conversation: ConversationId) -> str:
    """Write how a group is called: `+name`, or by its id while its name is not known."""
    return f"+{name or conversation}"


def name_key(name: str) -> str:
    """Give the form by which the server takes room names for the same: compatibility forms, case, spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
