"""Where in a log an entry is, of which only the number is known: pages are asked for by id, and ids are times.

A search between two entries whose numbers and ids are known: guess a moment, ask what came first after it, narrow.
"""

from dataclasses import dataclass
from uuid import UUID

from aparte.wire.ids import EntryId, Position

NEAR = 200
"""So many entries before the wanted one are read with it rather than searched for."""


@dataclass(slots=True)
class Search:
    """The search for an entry numbered `wanted`; `low` is before it, `high` not."""

    wanted: int
    low: Position
    high: Position
    _is_even: bool = True

    def guess(self) -> EntryId | None:
        """Give the id after which to ask for one entry; None when reading on from `low` is as good."""
        first, last = _ms(self.low.id) + 1, _ms(self.high.id)
        if self.wanted - self.low.seq <= NEAR or first >= last:
            return None
        # By proportion, which is best where people write evenly, and by halves, which is never bad, in turns.
        share = (self.wanted - NEAR // 2 - self.low.seq) / max(1, self.high.seq - self.low.seq)
        self._is_even = not self._is_even
        moment = first + int((last - first) * (0.5 if self._is_even else min(max(share, 0.0), 1.0)))
        return EntryId(UUID(int=min(moment, last - 1) << 80))

    def heard(self, asked: EntryId, found: Position | None) -> None:
        """Narrow by the answer: the first entry after what was asked for."""
        if found is not None and found.id > asked and self.low.seq < found.seq < self.wanted:
            self.low = found
        else:
            self.high = Position(min(self.high.seq, found.seq) if found else self.high.seq, asked)


def _ms(entry: EntryId) -> int:
    return entry.int >> 80
