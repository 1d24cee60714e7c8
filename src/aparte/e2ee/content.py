"""What the entries of encrypted conversations say: one map for each kind, with its limits.

Writer and readers hold to the same limits, so nothing leaves that would be refused. Whatever asks for more than this
version knows is a `NeedsNewer`: the entry is kept and shown as one that needs a newer Aparté, never dropped or half
shown. Source: docs/protocol/e2ee.md, 3.1.
"""

from typing import Annotated, Literal

from msgspec import Meta

from aparte.e2ee import canonical
from aparte.e2ee.entry import CONTENT_BYTES_MAX
from aparte.e2ee.errors import BadContent, NeedsNewer

TEXT_MAX = 4_000
EMOJI_MAX = 20
NAME_MAX = 100
TOPIC_MAX = 500
DESCRIPTION_MAX = 2_000
WELCOME_MAX = 2_000
RULES_MAX = 4_000
MENTIONS_MAX = 50
TTL_MIN, TTL_MAX = 5, 28 * 86_400
"""Seconds that a disappearing message is there."""

Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Milliseconds = Annotated[int, Meta(ge=0, le=canonical.INTEGER_MAX)]
Sequence = Annotated[int, Meta(ge=1, le=canonical.INTEGER_MAX)]
Ttl = tuple[Literal["sending", "reading"], Annotated[int, Meta(ge=TTL_MIN, le=TTL_MAX)]]
"""From when a message has its seconds, and how many."""


class _Content(canonical.Map, frozen=True, kw_only=True):
    at: Milliseconds
    """The sender's clock."""
    after: tuple[Sequence, Hash] | None = None
    """Number and hash of the newest entry that the sender had read."""

    def check(self) -> None:
        """BadContent if fields that are sound alone do not go together."""


class Text(_Content, frozen=True, kw_only=True):
    """Kinds 1 and 2: a message, and what a message says after an edit."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    format: Literal["text", "markdown", "html", "code"] = "text"
    mentions: Annotated[tuple[Id, ...], Meta(max_length=MENTIONS_MAX)] = ()
    reply: Hash | None = None
    """The hash of the entry that is answered; its words are not repeated."""
    forwarded: bool = False
    """The words were somebody else's first; whose is not said."""
    ttl: Ttl | None = None
    due: Milliseconds | None = None
    """Of a message that was scheduled: when it was to be sent, by its sender's clock."""

    def check(self) -> None:
        """BadContent if the text is blank."""
        _check_not_blank(self.text)


class Deletion(_Content, frozen=True, kw_only=True):
    """Kind 3: a message is deleted for everybody (`on`), or restored with its content key."""

    on: bool
    key: Hash | None = None

    def check(self) -> None:
        """BadContent unless a restored message has its key, and a deleted one has none."""
        if self.on is not (self.key is None):
            raise BadContent


class Reaction(_Content, frozen=True, kw_only=True):
    """Kind 4: a reaction is set or taken back."""

    emoji: Annotated[str, Meta(min_length=1, max_length=EMOJI_MAX)]
    on: bool

    def check(self) -> None:
        """BadContent if the emoji is blank."""
        _check_not_blank(self.emoji)


class Pin(_Content, frozen=True, kw_only=True):
    """Kind 5: a message is pinned or unpinned."""

    on: bool


class Profile(_Content, frozen=True, kw_only=True):
    """Kind 6: what a group is called and what it is about; it stands for all that an earlier one said."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
    topic: Annotated[str, Meta(max_length=TOPIC_MAX)] = ""
    description: Annotated[str, Meta(max_length=DESCRIPTION_MAX)] = ""
    welcome: Annotated[str, Meta(max_length=WELCOME_MAX)] = ""
    """What somebody new is shown first."""
    rules: Annotated[str, Meta(max_length=RULES_MAX)] = ""

    def check(self) -> None:
        """BadContent if the name is blank."""
        _check_not_blank(self.name)


class Settings(_Content, frozen=True, kw_only=True):
    """Kind 7: the settings of a conversation; without `ttl` messages stay."""

    ttl: Ttl | None = None


Content = Text | Deletion | Reaction | Pin | Profile | Settings

_RECORDS: dict[int, type[Content]] = {
    1: Text,
    2: Text,
    3: Deletion,
    4: Reaction,
    5: Pin,
    6: Profile,
    7: Settings,
}


def encode(content: Content) -> bytes:
    """Write the content of an entry; BadContent if it is past a limit."""
    data = canonical.encode(content)
    _decode(data, type(content))
    return data


def decode(kind: int, data: bytes) -> Content:
    """Read the content of an entry of this kind; BadContent, or NeedsNewer if a later version may know it."""
    return _decode(data, _RECORDS.get(kind))


def _decode(data: bytes, record: type[Content] | None) -> Content:
    if len(data) > CONTENT_BYTES_MAX:
        raise BadContent
    try:
        fields = canonical.read(data)
        if record is None or (record is Text and "files" in fields):
            raise NeedsNewer
        found = canonical.decode(data, record)
    except canonical.Newer as error:
        raise NeedsNewer from error
    except ValueError as error:
        raise BadContent from error
    found.check()
    return found


def _check_not_blank(text: str) -> None:
    if not text.strip():
        raise BadContent
