"""Search for rooms and channels: public ones, and those that one is in."""

from collections.abc import Sequence

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.search import rules, store
from aparte.server.search.folding import words_in
from aparte.server.search.memory import Memory
from aparte.server.search.model import WantedRooms
from aparte.wire.ids import ConversationId
from aparte.wire.search import FoundRooms


async def rooms(db: Database, memory: Memory, caller: Caller, wanted: WantedRooms) -> FoundRooms:
    """Find rooms by name, topic and description, the best match first, or by their metadata alone."""
    metadata = dict(wanted.metadata)
    async with memory.seat(), db.read() as reader:
        if wanted.typed:
            candidates = await _named(reader, memory, caller, wanted.typed)
        else:
            candidates = await store.select_rooms_holding(reader, caller.account, metadata, store.CANDIDATES)
        found = await store.select_rooms_as_seen(reader, caller.account, candidates, metadata, nsfw=wanted.nsfw)
    return FoundRooms(found[: wanted.limit])


async def _named(reader: Reader, memory: Memory, caller: Caller, typed: str) -> Sequence[ConversationId]:
    """Candidates among public rooms, which many ask for, and among the caller's own."""
    words = words_in(typed)
    if not words:
        return []
    name = " ".join(words)
    stems = await store.select_stems(reader, words)
    asked = (name, rules.all_words(words, stems))
    public = await memory.candidates(("rooms", name), lambda: store.select_public_rooms(reader, *asked))
    own = await store.select_own_rooms(reader, caller.account, *asked)
    return list(dict.fromkeys([*own, *public]))
