"""Catching up and staying there: a machine that is fed with frames and answers with steps. No IO, no clock.

welcome → `changes`, page by page → `entries` of each conversation behind, a few at a time → live. A live entry that is
the next one is appended, an older one ignored; anything else, hints included, only says how far the log reaches, and
what lies between is asked for, one request in flight for each conversation. So whatever is lost, repeated or reordered
on the way, the local log is floor..head without hole. The driver carries out the steps in order and reports what the
store holds, which is the truth: another process of the profile may have written to it.
"""

from collections import deque
from collections.abc import Mapping
from uuid import UUID

from aparte.client.core.steps import Append, Ask, Leave, LookUp, Pause, PutMarker, PutStates, Reset, Step
from aparte.wire import limits
from aparte.wire.accounts import StateItem
from aparte.wire.frames import Changes, Entries, Error, FromServer, Heads, Live, Log, Moved, State, States, Welcome
from aparte.wire.ids import FIRST_ID, ConversationId, EntryId, Position
from aparte.wire.messages import Entry

PARALLEL = 4
"""How many conversations are caught up at once."""
PAUSE = 1.0
"""Seconds to wait when a busy server does not say how long."""
NOT_OURS = frozenset({"not_member", "not_found", "forbidden", "gone", "unsupported_target"})
MEMBERSHIP = "membership:"


class BrokenLog(Exception):
    """The server answered with entries that leave a hole: this connection is not to be trusted."""


class Sync:
    """The state of one connection's synchronisation; a new connection begins with a new one."""

    def __init__(
        self, cursors: Mapping[ConversationId, Position], marker: str, rev: int, page: int = limits.PAGE_ENTRIES
    ) -> None:
        """Begin from what the store holds: how far each log is stored, the last marker, the account state's rev.

        `page`: how many entries to ask for at a time.
        """
        self._page_limit = page
        self._cursors = dict(cursors)
        self._marker = marker
        self._rev = rev
        self._rev_wanted = rev
        self._rev_aimed = rev
        self._heads: dict[ConversationId, int] = {}
        self._floors: dict[ConversationId, Position] = {}
        self._named: dict[ConversationId, int] = {}
        self._new_marker: str | None = None
        self._ref = 0
        self._asked: dict[int, Ask] = {}
        self._again: list[Ask] = []
        self._aimed: dict[ConversationId, int] = {}
        self._queue: deque[ConversationId] = deque()
        self._busy: set[ConversationId] = set()
        self._looking: set[ConversationId] = set()
        self._resetting: set[ConversationId] = set()
        self._state_asked = False

    @property
    def remaining(self) -> int:
        """How many entries are known to exist and not stored yet."""
        return sum(max(0, head - self._cursors[c].seq) for c, head in self._heads.items() if c in self._cursors)

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that the server has told of is stored."""
        return self._new_marker is None and not (
            self._asked or self._again or self._queue or self._busy or self._looking or self._state_asked
        )

    # What the driver feeds ------------------------------------------------------------------------------------------

    def received(self, frame: FromServer) -> list[Step]:
        """Take a frame of the server. Raises BrokenLog."""
        steps: list[Step] = []
        match frame:
            case Welcome():
                steps = self._welcome(frame)
            case Heads():
                steps = self._heads_of(frame)
            case Log():
                steps = self._page(frame)
            case Live():
                steps = self._live(frame.conversation, frame.entry)
            case Moved():
                steps = self._want(frame.conversation, frame.seq)
            case States():
                steps = self._states(frame)
            case Error(ref=int()):
                steps = self._refused(frame)
        return steps

    def stored(self, conversation: ConversationId, cursor: Position) -> list[Step]:
        """Hear how far the store's log of a conversation reaches now."""
        self._cursors[conversation] = cursor
        self._busy.discard(conversation)
        self._settle(conversation)
        return self._fetch_if_behind(conversation) + self._fetch_next() + self._finish()

    def known(self, conversation: ConversationId, cursor: Position, head: Position, floor: Position) -> list[Step]:
        """Hear of a conversation that was looked up (or just joined): where its local log stands and what there is."""
        self._looking.discard(conversation)
        self._cursors[conversation] = cursor
        self._floors[conversation] = floor
        if conversation in self._resetting:
            self._resetting.discard(conversation)
            return self._reset(conversation, floor)
        self._settle(conversation)
        return self._want(conversation, head.seq) + self._finish()

    def forget(self, conversation: ConversationId) -> list[Step]:
        """Stop following a conversation that is not the account's any more."""
        for of_it in (self._cursors, self._heads, self._floors, self._named, self._aimed):
            of_it.pop(conversation, None)
        for of_it_ in (self._busy, self._looking, self._resetting):
            of_it_.discard(conversation)
        self._queue = deque(c for c in self._queue if c != conversation)
        return self._fetch_next() + self._finish()

    def resume(self) -> list[Step]:
        """Ask again what a busy server did not answer."""
        again, self._again = self._again, []
        steps: list[Step] = []
        for ask in again:
            if isinstance(ask.frame, Entries) and ask.frame.conversation not in self._cursors:
                continue
            self._asked[getattr(ask.frame, "ref", 0)] = ask
            steps.append(ask)
        return steps

    # Frames -----------------------------------------------------------------------------------------------------------

    def _welcome(self, frame: Welcome) -> list[Step]:
        self._new_marker = frame.marker
        self._rev_wanted = max(self._rev_wanted, frame.rev)
        return [self._ask_changes(None), *self._ask_state()]

    def _heads_of(self, frame: Heads) -> list[Step]:
        if self._asked.pop(frame.ref, None) is None:
            return []
        steps: list[Step] = []
        for head in frame.heads:
            self._floors[head.conversation] = head.floor
            self._named[head.conversation] = head.head.seq
            self._settle(head.conversation)
            steps += self._want(head.conversation, head.head.seq)
        if frame.next is not None:
            steps.append(self._ask_changes(frame.next))
        return steps + self._finish()

    def _page(self, frame: Log) -> list[Step]:
        asked = self._asked.pop(frame.ref, None)
        cursor = self._cursors.get(frame.conversation)
        if asked is None or cursor is None:
            return []
        fresh = [entry for entry in frame.entries if entry.seq > cursor.seq]
        for place, entry in enumerate(fresh, cursor.seq + 1):
            if entry.seq != place:
                raise BrokenLog(f"{entry.seq} came where {place} was due")
        if fresh:
            return [Append(frame.conversation, fresh)]
        if not frame.entries and self._heads.get(frame.conversation, 0) == self._aimed.get(frame.conversation):
            # A hint went further than the log, and none came since: the log is right.
            self._heads[frame.conversation] = cursor.seq
            self._named.pop(frame.conversation, None)
        return self.stored(frame.conversation, cursor)

    def _live(self, conversation: ConversationId, entry: Entry) -> list[Step]:
        cursor = self._cursors.get(conversation)
        is_next = cursor is not None and entry.seq == cursor.seq + 1
        if not is_next or conversation in self._busy or conversation in self._looking:
            return self._want(conversation, entry.seq)
        self._heads[conversation] = max(self._heads.get(conversation, 0), entry.seq)
        self._queue = deque(c for c in self._queue if c != conversation)
        self._busy.add(conversation)
        return [Append(conversation, [entry])]

    def _states(self, frame: States) -> list[Step]:
        if frame.ref is None or self._asked.pop(frame.ref, None) is None:
            self._rev_wanted = max(self._rev_wanted, frame.rev)
            return self._ask_state()
        self._state_asked = False
        self._rev = max(self._rev, frame.rev)
        if frame.more:
            self._rev_wanted = max(self._rev_wanted, self._rev + 1)
        elif self._rev_wanted == self._rev_aimed:
            self._rev_wanted = self._rev  # the hint, if there was one, is answered, whatever it said
        steps: list[Step] = [PutStates(frame.items, self._rev)]
        for item in frame.items:
            steps += self._membership(item)
        return steps + self._ask_state() + self._finish()

    def _membership(self, item: StateItem) -> list[Step]:
        conversation = conversation_named(item.key)
        if conversation is None:
            return []
        if item.value is None:
            return [Leave(conversation), *self.forget(conversation)]
        return [] if conversation in self._cursors else self._look_up(conversation)

    def _refused(self, frame: Error) -> list[Step]:
        ask = self._asked.pop(frame.ref, None) if frame.ref is not None else None
        if ask is None:
            return []
        conversation = ask.frame.conversation if isinstance(ask.frame, Entries) else None
        if conversation is not None and frame.code == "resync":
            self._resetting.add(conversation)
            return self._look_up(conversation)
        if conversation is not None and frame.code in NOT_OURS:
            return [Leave(conversation), *self.forget(conversation)]
        self._again.append(ask)
        return [Pause(frame.retry_after or PAUSE)]

    # What follows -----------------------------------------------------------------------------------------------------

    def _want(self, conversation: ConversationId, seq: int) -> list[Step]:
        """The log reaches at least `seq`: fetch what is missing, or find out what conversation this is."""
        self._heads[conversation] = max(self._heads.get(conversation, 0), seq)
        if conversation not in self._cursors:
            return self._look_up(conversation)
        return self._fetch_if_behind(conversation)

    def _fetch_if_behind(self, conversation: ConversationId) -> list[Step]:
        is_under_way = conversation in self._busy or conversation in self._looking or conversation in self._queue
        if is_under_way or self._heads.get(conversation, 0) <= self._cursors[conversation].seq:
            return []
        floor = self._floors.get(conversation)
        if floor is not None and floor.seq > self._cursors[conversation].seq + 1:
            return self._reset(conversation, floor)
        self._queue.append(conversation)
        return self._fetch_next()

    def _fetch_next(self) -> list[Step]:
        steps: list[Step] = []
        while self._queue and len(self._busy) < PARALLEL:
            conversation = self._queue.popleft()
            self._busy.add(conversation)
            self._aimed[conversation] = self._heads.get(conversation, 0)
            after = self._cursors[conversation].id
            frame = Entries(ref=self._next_ref(), conversation=conversation, after=after, limit=self._page_limit)
            steps.append(self._ask(frame))
        return steps

    def _reset(self, conversation: ConversationId, floor: Position) -> list[Step]:
        self._busy.add(conversation)
        return [Reset(conversation, floor)]

    def _look_up(self, conversation: ConversationId) -> list[Step]:
        if conversation in self._looking:
            return []
        self._looking.add(conversation)
        return [LookUp(conversation)]

    def _ask_changes(self, before: EntryId | None) -> Step:
        return self._ask(Changes(ref=self._next_ref(), after=self._marker, before=before, limit=limits.PAGE_CHANGES))

    def _ask_state(self) -> list[Step]:
        if self._state_asked or self._rev >= self._rev_wanted:
            return []
        self._state_asked = True
        self._rev_aimed = self._rev_wanted
        return [self._ask(State(ref=self._next_ref(), after=self._rev))]

    def _settle(self, conversation: ConversationId) -> None:
        cursor = self._cursors.get(conversation)
        if cursor is not None and cursor.seq >= self._named.get(conversation, 0):
            self._named.pop(conversation, None)

    def _finish(self) -> list[Step]:
        """Keep the welcome's marker once everything that `changes` named is here."""
        under_way = any(isinstance(ask.frame, Changes) for ask in (*self._asked.values(), *self._again))
        if self._new_marker is None or under_way or self._named:
            return []
        self._marker, self._new_marker = self._new_marker, None
        return [PutMarker(self._marker)]

    def _ask(self, frame: Changes | Entries | State) -> Ask:
        ask = Ask(frame)
        self._asked[frame.ref] = ask
        return ask

    def _next_ref(self) -> int:
        self._ref += 1
        return self._ref


def conversation_named(key: str) -> ConversationId | None:
    """Read the conversation off a key of the account state, if it is about a membership."""
    if not key.startswith(MEMBERSHIP):
        return None
    try:
        return ConversationId(UUID(key.removeprefix(MEMBERSHIP)))
    except ValueError:
        return None


def before(floor: Position) -> Position:
    """Give the cursor from which the next entry is the one at `floor`."""
    number = floor.id.int
    return Position(max(0, floor.seq - 1), EntryId(UUID(int=number - 1)) if number else FIRST_ID)
