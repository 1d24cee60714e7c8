"""Which words are found in a text, what follows from them, and what may become of a message that waits: pure.

Sources: R-326, C-56.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from msgspec.structs import replace

from aparte.server.conversations.model import Standing
from aparte.server.filters.content import readings
from aparte.server.filters.folding import words_in
from aparte.server.filters.model import FOUND, HeldRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.names import check_text
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId
from aparte.wire.messages import SendMessage
from aparte.wire.moderation import Held, Word

COMPILED = 16
"""Lists that are kept ready to look with: 0.3 MB for 1,000 words, some megabytes where all of them are long phrases."""


@dataclass(slots=True)
class Node:
    """What has been read of some entries so far: which of them end here, and how they go on."""

    following: "dict[str, Node]" = field(default_factory=dict)
    whole: Word | None = None
    stems: dict[str, Word] | None = None
    """Beginnings of the next word that are enough."""
    lengths: tuple[int, ...] = ()
    """How long those are."""


def parts_of(text: str) -> tuple[tuple[str, ...], bool]:
    """Read an entry: its words, and whether a beginning of the last one is enough. Raises Refusal `invalid`."""
    stem = text.strip()
    is_stem = stem.endswith("*")
    stem = stem.removesuffix("*")
    if "*" in stem:
        raise Refusal("invalid", "* stands at the end of an entry and nowhere else")
    words = tuple(words_in(stem))
    if not words:
        raise Refusal("invalid", "an entry has no words")
    return words, is_stem


def check_list(words: Sequence[Word]) -> None:
    """Refuse with `invalid` a list with entries that say nothing, or that say the same."""
    seen = {parts_of(word.text) for word in words}
    if len(seen) < len(words):
        raise Refusal("invalid", "two entries of the list find the same")


@lru_cache(COMPILED)
def compiled(words: tuple[Word, ...]) -> Node:
    """Make a list ready to look with."""
    root = Node()
    for word in words:
        parts, is_stem = parts_of(word.text)
        node = root
        for part in parts[:-1] if is_stem else parts:
            node = node.following.setdefault(part, Node())
        if is_stem:
            node.stems = node.stems or {}
            node.stems[parts[-1]] = word
            node.lengths = tuple(sorted({*node.lengths, len(parts[-1])}))
        else:
            node.whole = word
    return root


def found(root: Node, words: Sequence[str]) -> set[Word]:
    """Give the entries of a list that are found among words. Each word is looked at once for every word that the
    longest phrase has, whatever else the list holds."""
    hits: set[Word] = set()
    for start in range(len(words)):
        node, at = root, start
        while at < len(words):
            hits.update(_begun(node, words[at]))
            following = node.following.get(words[at])
            if following is None:
                break
            node, at = following, at + 1
            if node.whole is not None:
                hits.add(node.whole)
    return hits


def _begun(node: Node, word: str) -> Iterable[Word]:
    if node.stems is None:
        return
    for length in node.lengths:
        if length > len(word):
            return
        if (stem := node.stems.get(word[:length])) is not None:
            yield stem


def hits(lists: Sequence[tuple[Word, ...]], content: MessageContent) -> list[Word]:
    """Give the entries of some lists that are found in what a message shows, in the order of the lists."""
    texts = [words_in(text) for text in readings(content)]
    there = [(words, set().union(*(found(compiled(words), text) for text in texts))) for words in lists]
    return [word for words, hit in there if hit for word in words if word in hit]


def check_hits(hits: Sequence[Word]) -> None:
    """Refuse what is not said here at all."""
    if any(word.action == "refuse" for word in hits):
        raise Refusal("filtered")


def named(hits: Sequence[Word]) -> list[str]:
    """Name what was found, each once, as far as it is told."""
    return list(dict.fromkeys(word.text for word in hits))[:FOUND]


def clean_list(words: Sequence[Word]) -> list[Word]:
    """Give a list as it is stored. Refuses with `invalid` one that is not in order."""
    clean = [replace(word, text=check_text(word.text, limits.WORD, "an entry").strip()) for word in words]
    check_list(clean)
    return clean


# Who may, and what waits ----------------------------------------------------------------------------------------------


def check_readable(standing: Standing) -> None:
    """Refuse what the server cannot read: nothing is looked for there."""
    if standing.mode != "server":
        raise Refusal("mode_mismatch")


def check_server_list(caller: Caller) -> None:
    """The server's own list is for moderators and administrators of the platform."""
    if caller.role not in {"moderator", "admin"}:
        raise Refusal("forbidden")


def moderates(standing: Standing) -> bool:
    """Whether somebody decides over others' messages: theirs are not screened."""
    return "manage_messages" in standing.rights


def digest(conversation: ConversationId, message: SendMessage) -> int:
    """Stand for what was sent: first 8 bytes of SHA-256, as PostgreSQL's bigint. Words that are forwarded are left out:
    they may be others when it is repeated."""
    if message.forward is not None:
        message = replace(message, content=replace(message.content, text="", format="text"))
    data = hashlib.sha256(conversation.bytes + to_json(message)).digest()
    return int.from_bytes(data[:8], "big", signed=True)


def check_repeat(row: HeldRow, digest: int) -> None:
    """Answer the same client id again: it waits still, or what became of it. Always refuses."""
    if row.digest != digest:
        raise Refusal("client_id_reused")
    if row.status == "withdrawn":
        raise Refusal("gone")
    raise Refusal("filtered" if row.status == "rejected" else "held", data={"held": str(row.id)})


def check_pending(row: HeldRow) -> None:
    """Nobody decides what is decided."""
    if row.status != "pending":
        raise Refusal("over")


def clean_reason(reason: str) -> str:
    """Give a reason as it is stored. Raises Refusal `invalid`."""
    return check_text(reason, limits.REASON, "the reason").strip()


def shown(row: HeldRow, message: SendMessage, *, to_moderator: bool) -> Held:
    """Give a held message as its author or a moderator sees it."""
    assert row.status != "withdrawn"  # noqa: S101 - nobody is shown what was taken back
    return Held(
        id=row.id,
        conversation=row.conversation,
        account=row.account,
        content=message.content,
        status=row.status,
        at=row.created_at,
        thread=message.thread,
        words=list(row.words) if to_moderator else [],
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
        message=row.sent,
    )


def state_of(row: HeldRow) -> Held | None:
    """Give the author's account state of it: none once it stands in the log, or is taken back."""
    return shown(row, row.message, to_moderator=False) if row.message is not None else None
