"""A question, and what the index keeps of a message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aparte.wire.content import MessageContent, SearchLanguage
from aparte.wire.ids import FIRST_ID, LAST_ID, AccountId, ConversationId, EntryId
from aparte.wire.search import Has

LANGUAGES: tuple[SearchLanguage, ...] = ("fr", "en", "simple")
Stems = Mapping[str, Mapping[SearchLanguage, str]]
"""Of each word its stem in each language that has stems."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that must follow each other, or (`is_excluded`) must not."""

    words: tuple[str, ...]
    is_excluded: bool = False
    is_quoted: bool = False
    is_open: bool = False
    """The last word may go on: it is being typed."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search in messages beside its words."""

    conversation: ConversationId | None = None
    author: AccountId | None = None
    has: tuple[Has, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    after: EntryId = FIRST_ID
    before: EntryId = LAST_ID


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: one piece of each of `groups`, and all that the filters say."""

    groups: tuple[tuple[Piece, ...], ...] = ()
    filters: Filters = field(default_factory=Filters)

    @property
    def words(self) -> list[str]:
        """Every word that is asked for, once."""
        pieces = [piece for group in self.groups for piece in group]
        return list(dict.fromkeys(word for piece in pieces for word in piece.words))


@dataclass(frozen=True, slots=True)
class WantedRooms:
    """Which rooms: by words, by what their metadata hold, or both; `nsfw`: also those not for everybody's eyes."""

    typed: str
    metadata: Mapping[str, Any]
    nsfw: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the index is asked, a `tsquery` for each language; `exact` holds beside where it is more."""

    narrow: Sequence[str]
    exact: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Unread:
    """What a conversation's log says after some entry: messages to read again, up to where."""

    messages: Sequence[EntryId]
    up_to: EntryId
    is_all: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """How far a conversation was read; its row is locked."""

    conversation: ConversationId
    language: SearchLanguage
    at: EntryId
    behind: EntryId | None
    end: EntryId


@dataclass(frozen=True, slots=True)
class Found:
    """A message as it is now, for the index."""

    id: EntryId
    ordinal: int
    account: AccountId
    expires_at: datetime | None
    content: MessageContent | None
    """None: it is gone."""
    has: tuple[Has, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What the index keeps of a message: `words` as text of a `tsvector`, the words alone, marks."""

    id: EntryId
    span: int
    expires_at: datetime | None
    words: str
    plain: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A room or a person, for the index."""

    id: ConversationId | AccountId
    names: tuple[str, ...]
    about: str
    language: SearchLanguage
    updated_at: datetime
