"""What may be set on a message, a reaction or a pin: pure. Sources: R-235, R-236, C-32, C-35."""

import unicodedata
from dataclasses import dataclass

from aparte.server.kit.signs import FILLERS
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the line round in which the reaction is shown."""
FORBIDDEN = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
"""Controls, surrogates, private use, line separators. Formats stay: they join what emoji are made of. So does what is
not assigned: emoji are newer than servers."""
BLANK = frozenset({"Cf", "Mn", "Me", "Zs"})
"""What shows nothing by itself."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A reaction that one person sets under one message, or takes back."""

    conversation: ConversationId
    message: EntryId
    account: AccountId
    mark: bytes
    """The emoji in UTF-8, or the tag of a sealed one."""


@dataclass(frozen=True, slots=True)
class Mine:
    """What one person has set on a message, as far as another reaction needs to know it."""

    count: int
    """Different reactions of this person."""
    is_there: bool
    """Whether anybody has set this one."""
    different: int
    """Different reactions of everybody."""
    at: Position | None
    """The entry by which this person has set this one."""


def clean_emoji(text: str) -> str:
    """Give a reaction as it is kept (NFC). Refuses what nobody would see, or what does more than being seen."""
    emoji = unicodedata.normalize("NFC", text)
    if not 1 <= len(emoji) <= limits.REACTION:
        raise Refusal("invalid", f"a reaction has 1 to {limits.REACTION} characters")
    if any(sign in BIDI or unicodedata.category(sign) in FORBIDDEN for sign in emoji):
        raise Refusal("invalid", "the reaction contains a control character")
    if all(sign in FILLERS or unicodedata.category(sign) in BLANK for sign in emoji):
        raise Refusal("invalid", "the reaction is blank")
    return emoji


def check_one_more(mine: Mine) -> None:
    """Refuse one reaction too many: of this person, or of a kind that the message does not have yet."""
    if mine.count >= limits.REACTIONS_EACH:
        raise Refusal("too_many", f"at most {limits.REACTIONS_EACH} of one person")
    if not mine.is_there and mine.different >= limits.REACTION_KINDS:
        raise Refusal("too_many", f"at most {limits.REACTION_KINDS} different ones")


def check_set(mine: Mine) -> None:
    """Refuse one sealed reaction too many of one person, once it is set: of these the server sees whose they are."""
    if mine.count > limits.REACTIONS_EACH:
        raise Refusal("too_many", f"at most {limits.REACTIONS_EACH} of one person")


def check_pinned(count: int) -> None:
    """Refuse one sealed pin too many, once it is set."""
    if count > limits.PINS:
        raise Refusal("too_many", f"at most {limits.PINS} pinned messages")


def check_pins(count: int) -> None:
    """Refuse one pin too many; pins of messages that are not there do not count."""
    if count >= limits.PINS:
        raise Refusal("too_many", f"at most {limits.PINS} pinned messages")
