"""Whatever is lost, repeated or reordered on the way, the local log becomes the server's: floor..head without hole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aparte.client.core.steps import Append, Ask, Leave, LookUp, Pause, PutMarker, PutStates, Reset, Step
from aparte.client.core.sync import BrokenLog, Sync, before
from aparte.wire import frames
from aparte.wire.accounts import StateItem
from aparte.wire.ids import START, AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import Entry, Head

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ANN = AccountId(UUID(int=1))


def conversation(number: int) -> ConversationId:
    return ConversationId(UUID(int=1000 + number))


def entry(seq: int) -> Entry:
    return Entry(seq=seq, id=EntryId(UUID(int=seq * 10)), kind=1, at=MOMENT, account=ANN, body={"text": str(seq)})


def position(seq: int) -> Position:
    return Position(seq, EntryId(UUID(int=seq * 10))) if seq else START


@dataclass
class Server:
    """The truth of the test: logs, floors, and how it answers. It has no clock and loses nothing by itself."""

    heads: dict[ConversationId, int]
    floors: dict[ConversationId, int] = field(default_factory=dict)
    members: set[ConversationId] = field(default_factory=set)
    page: int = 3
    rev: int = 0
    revs: dict[ConversationId, int] = field(default_factory=dict)
    refusals: Iterator[bool] = field(default_factory=lambda: iter(()))

    def floor(self, of: ConversationId) -> int:
        return self.floors.get(of, 1)

    def answer(self, frame: frames.FromClient) -> frames.FromServer:
        if next(self.refusals, False):
            return frames.Error("unavailable", getattr(frame, "ref", None), retry_after=0.1)
        match frame:
            case frames.Changes():
                return self.changes(frame)
            case frames.Entries():
                return self.entries(frame)
            case frames.State():
                return self.states(frame)
        raise AssertionError(frame)

    def tell(self, c: ConversationId) -> None:
        """Note a change of membership in the account state."""
        self.rev += 1
        self.revs[c] = self.rev

    def states(self, frame: frames.State) -> frames.States:
        fresh = sorted((rev, c) for c, rev in self.revs.items() if rev > frame.after)
        page, more = fresh[:2], len(fresh) > 2
        items = [
            StateItem(f"membership:{c}", rev, {"role": "member"} if c in self.members else None) for rev, c in page
        ]
        return frames.States(rev=page[-1][0] if more else self.rev, items=items, more=more, ref=frame.ref)

    def changes(self, frame: frames.Changes) -> frames.Heads:
        of = sorted(self.members, reverse=True)
        start = next((n for n, c in enumerate(of) if position(self.heads[c]).id == frame.before), -1) + 1
        found = of[start : start + 2]
        more = len(of) > start + 2 and len({self.heads[c] for c in of}) == len(of)
        heads = [
            Head(c, position(self.heads[c]), position(self.floor(c)), 0, START)
            for c in (found if more or start else of)
        ]
        return frames.Heads(frame.ref, heads, position(self.heads[found[-1]]).id if more else None)

    def entries(self, frame: frames.Entries) -> frames.FromServer:
        c = frame.conversation
        if c not in self.members:
            return frames.Error("not_member", frame.ref)
        after = frame.after.int // 10
        if after + 1 < self.floor(c):
            return frames.Error("resync", frame.ref)
        seqs = range(after + 1, self.heads[c] + 1)
        return frames.Log(frame.ref, c, [entry(seq) for seq in seqs[: self.page]], more=len(seqs) > self.page)


@dataclass
class Device:
    """A driver without IO: carries out the steps on plain dictionaries and queues requests for the test to deliver."""

    server: Server
    cursors: dict[ConversationId, Position] = field(default_factory=dict)
    logs: dict[ConversationId, list[int]] = field(default_factory=dict)
    marker: str = ""
    rev: int = 0
    wire: list[frames.FromClient] = field(default_factory=list)
    inbox: list[frames.FromServer] = field(default_factory=list)
    """Answers on their way: already given, not yet here."""
    silent: set[ConversationId] = field(default_factory=set)
    """Where the newest hint was lost: only a later one, or a new connection, can tell."""
    is_paused: bool = False
    sync: Sync = field(init=False)

    def connect(self) -> None:
        self.wire.clear()
        self.inbox.clear()
        self.is_paused = False
        self.sync = Sync(self.cursors, self.marker, self.rev)
        self.feed(frames.Welcome("m2", self.server.rev, MOMENT))

    def feed(self, frame: frames.FromServer) -> None:
        self.carry_out(self.sync.received(frame))

    def resume(self) -> None:
        self.is_paused = False
        self.carry_out(self.sync.resume())

    def carry_out(self, steps: list[Step]) -> None:
        todo = list(steps)
        while todo:
            step = todo.pop(0)
            match step:
                case Ask(frame):
                    self.wire.append(frame)
                case LookUp(c):
                    todo += self.look_up(c)
                case PutStates(_, rev):
                    self.rev = rev
                case PutMarker(marker):
                    for c in self.server.members & self.marked.keys():
                        assert self.cursors[c].seq >= self.marked[c], "the marker promises more than is stored"
                    self.marker = marker
                case Pause():
                    self.is_paused = True
                case _:
                    todo += self.store(step)

    def look_up(self, c: ConversationId) -> list[Step]:
        if c not in self.server.members:
            return self.sync.forget(c)
        self.cursors.setdefault(c, START)
        head, floor = position(self.server.heads[c]), position(self.server.floor(c))
        return self.sync.known(c, self.cursors[c], head, floor)

    def store(self, step: Step) -> list[Step]:
        match step:
            case Append(c, new):
                log = self.logs.setdefault(c, [])
                for item in new:
                    assert item.seq == self.cursors[c].seq + 1, "a hole or a repeat"
                    log.append(item.seq)
                    self.cursors[c] = Position(item.seq, item.id)
                return self.sync.stored(c, self.cursors[c])
            case Reset(c, floor):
                self.logs[c] = []
                self.cursors[c] = before(floor)
                return self.sync.stored(c, self.cursors[c])
            case Leave(c):
                self.cursors.pop(c, None)
                self.logs.pop(c, None)
        return []

    marked: dict[ConversationId, int] = field(default_factory=dict)


def assert_same(device: Device) -> None:
    server = device.server
    for c in server.members:
        assert device.cursors[c].seq == server.heads[c]
        log = device.logs.get(c, [])
        assert log == list(range(server.heads[c] - len(log) + 1, server.heads[c] + 1))
        assert server.heads[c] - len(log) < server.floor(c), "less than what the server still has"
    assert set(device.logs) <= server.members


def settle(device: Device) -> None:
    """Deliver what is asked until nothing is."""
    for _ in range(2_000):
        if device.is_paused:
            device.resume()
        if device.wire:
            device.inbox.append(device.server.answer(device.wire.pop(0)))
        elif not device.inbox:
            return
        if device.inbox:
            device.feed(device.inbox.pop(0))
    raise AssertionError("it never ends")


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("repeat"), st.integers(0, 2), st.integers(1, 12)),
        st.tuples(st.just("hint"), st.integers(0, 2), st.integers(-2, 3)),
        st.tuples(st.just("answer"), st.just(0), st.integers(0, 5)),
        st.tuples(st.just("deliver"), st.just(0), st.integers(0, 5)),
        st.tuples(st.just("cut"), st.just(0), st.just(0)),
        st.tuples(st.just("floor"), st.integers(0, 2), st.integers(1, 9)),
        st.tuples(st.just("leave"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("join"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("resume"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(
    start=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    actions=ACTIONS,
    refusals=st.lists(st.booleans()),
    ends_with_a_cut=st.booleans(),
)
def test_any_interleaving_ends_in_the_servers_log(
    start: list[int], actions: list[tuple[str, int, int]], refusals: list[bool], ends_with_a_cut: bool
) -> None:
    heads = {conversation(n): max(1, head) for n, head in enumerate(start)}
    server = Server(heads, members=set(list(heads)[:2]), refusals=iter(refusals))
    device = Device(server, marked=dict(heads))
    device.connect()
    for verb, number, value in actions:
        act(device, verb, conversation(number), value)
    server.refusals = iter(())
    device.marked = {}
    if ends_with_a_cut:
        device.connect()
    else:
        for c in server.members & device.silent:
            device.feed(frames.Moved(c, server.heads[c], position(server.heads[c]).id))
    settle(device)
    assert_same(device)
    assert device.sync.is_caught_up
    assert device.sync.remaining == 0


def act(device: Device, verb: str, c: ConversationId, value: int) -> None:
    server = device.server
    if verb == "write":
        server.heads[c] += 1
        if value and c in server.members:
            device.feed(frames.Live(c, entry(server.heads[c])))
            device.silent.discard(c)
        else:
            device.silent.add(c)
    elif verb == "repeat" and c in server.members:
        device.feed(frames.Live(c, entry(min(value, server.heads[c]))))
    elif verb == "hint" and c in server.members:
        seq = max(0, server.heads[c] + value)
        device.feed(frames.Moved(c, seq, position(seq).id))
    elif verb == "answer" and device.wire:
        device.inbox.append(server.answer(device.wire.pop(value % len(device.wire))))
    elif verb == "deliver" and device.inbox:
        device.feed(device.inbox.pop(value % len(device.inbox)))
    elif verb == "cut":
        device.marked = dict(server.heads)
        device.connect()
    elif verb == "floor":
        server.floors[c] = max(server.floor(c), min(value, server.heads[c]))
    elif verb == "leave":
        server.members.discard(c)
        server.tell(c)
        device.feed(frames.States(rev=server.rev))
    elif verb == "join":
        server.members.add(c)
        server.tell(c)
        device.feed(frames.States(rev=server.rev))
    elif verb == "resume" and device.is_paused:
        device.resume()


def connected(cursor: int, head: int) -> Device:
    c = conversation(0)
    device = Device(Server({c: head}, members={c}, page=500), cursors={c: position(cursor)})
    device.logs[c] = list(range(1, cursor + 1))
    device.connect()
    return device


def test_the_marker_is_kept_only_when_everything_named_is_stored() -> None:
    device = connected(cursor=0, head=4)
    asked = device.wire.pop(0)
    device.feed(device.server.answer(asked))
    assert device.marker == ""
    settle(device)
    assert device.marker == "m2"


def test_the_next_live_entry_is_stored_without_asking() -> None:
    device = connected(cursor=4, head=4)
    settle(device)
    device.server.heads[conversation(0)] = 5
    device.feed(frames.Live(conversation(0), entry(5)))
    assert device.wire == []
    assert device.cursors[conversation(0)].seq == 5


def test_many_hints_make_one_request() -> None:
    device = connected(cursor=4, head=4)
    settle(device)
    device.server.heads[conversation(0)] = 9
    for seq in (7, 9, 8, 9):
        device.feed(frames.Moved(conversation(0), seq, position(seq).id))
    device.feed(frames.Live(conversation(0), entry(9)))
    assert [type(frame) for frame in device.wire] == [frames.Entries]
    settle(device)
    assert_same(device)


def test_a_hint_beyond_the_log_does_not_ask_for_ever() -> None:
    device = connected(cursor=4, head=4)
    settle(device)
    device.feed(frames.Moved(conversation(0), 99, position(99).id))
    settle(device)
    assert device.sync.is_caught_up


def test_a_hint_that_overtakes_an_older_answer_is_not_forgotten() -> None:
    device = connected(cursor=4, head=4)
    settle(device)
    device.feed(frames.Moved(conversation(0), 5, position(5).id))
    older = device.server.answer(device.wire.pop(0))
    device.server.heads[conversation(0)] = 6
    device.feed(frames.Moved(conversation(0), 6, position(6).id))
    device.feed(older)
    settle(device)
    assert_same(device)


def test_a_page_with_a_hole_ends_the_connection() -> None:
    device = connected(cursor=0, head=4)
    settle_until = [frame for frame in device.wire if isinstance(frame, frames.Changes)]
    device.feed(device.server.answer(settle_until[0]))
    asked = next(frame for frame in device.wire if isinstance(frame, frames.Entries))
    with pytest.raises(BrokenLog):
        device.sync.received(frames.Log(asked.ref, conversation(0), [entry(1), entry(3)], more=False))


def test_below_the_floor_the_log_is_fetched_afresh_from_there() -> None:
    device = connected(cursor=2, head=9)
    device.server.floors[conversation(0)] = 6
    settle(device)
    assert device.logs[conversation(0)] == [6, 7, 8, 9]


def test_a_conversation_left_elsewhere_is_left_here() -> None:
    device = connected(cursor=4, head=4)
    settle(device)
    device.server.members.clear()
    device.server.tell(conversation(0))
    device.feed(frames.States(rev=device.server.rev))
    settle(device)
    assert conversation(0) not in device.cursors
