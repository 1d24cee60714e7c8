"""Finding an entry by its number alone: a few questions, whatever the rhythm of the log and whoever answers."""

from bisect import bisect_right
from random import Random
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from aparte.client.core.locating import NEAR, Search
from aparte.wire.ids import EntryId, Position

PROBES = 100


def entry_id(milliseconds: int, rest: int) -> EntryId:
    """An id of a moment."""
    return EntryId(UUID(int=(milliseconds << 80) | rest))


def log_of(gaps: list[int]) -> list[Position]:
    """A log with these milliseconds between its entries."""
    found, now = [], 1_700_000_000_000
    for seq, gap in enumerate(gaps, start=1):
        now += gap
        found.append(Position(seq, entry_id(now, seq)))
    return found


def first_after(log: list[Position], asked: EntryId) -> Position | None:
    """What the server answers."""
    at = bisect_right([place.id for place in log], asked)
    return log[at] if at < len(log) else None


def searched(log: list[Position], wanted: int) -> tuple[Search, int]:
    """Search between the ends of a log; gives the search and how many questions it took."""
    search = Search(wanted, log[0], log[-1])
    for probes in range(PROBES):
        asked = search.guess()
        if asked is None:
            return search, probes
        search.heard(asked, first_after(log, asked))
    raise AssertionError("it does not end")


RHYTHMS = {
    "even": lambda random: random.randint(500, 1_500),
    "all at once": lambda _: 0,
    "bursts": lambda random: 86_400_000 if random.random() < 0.001 else random.randint(0, 20),
    "a long silence": lambda random: 31_536_000_000 if random.random() < 0.0003 else 1_000,
}


@given(st.sampled_from(sorted(RHYTHMS)), st.integers(2, 20_000), st.data())
@example("even", 20_000, None)
def test_it_ends_near_before_what_is_wanted(rhythm: str, length: int, data: st.DataObject | None) -> None:
    random = Random(length)
    log = log_of([RHYTHMS[rhythm](random) for _ in range(length)])
    wanted = data.draw(st.integers(2, length)) if data is not None else length // 2
    search, probes = searched(log, wanted)
    assert search.low in log
    assert search.low.seq < wanted
    moment, until = search.low.id.int >> 80, log[wanted - 1].id.int >> 80
    assert wanted - search.low.seq <= NEAR or until - moment <= 1, "what is between came at the same moment"
    assert probes <= PROBES


def test_an_even_log_takes_few_questions() -> None:
    log = log_of([1_000] * 100_000)
    assert max(searched(log, wanted)[1] for wanted in range(1_000, 100_000, 7_919)) <= 6


def test_close_by_nothing_is_asked() -> None:
    log = log_of([1_000] * 1_000)
    assert Search(1 + NEAR, log[0], log[-1]).guess() is None
    assert Search(2 + NEAR, log[0], log[-1]).guess() is not None


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(-5, 2**53), st.integers(0, 2**128 - 1))), max_size=200))
def test_it_ends_whatever_the_server_answers(answers: list[tuple[int, int] | None]) -> None:
    low, high = Position(1, entry_id(1_700_000_000_000, 1)), Position(10**9, entry_id(1_800_000_000_000, 1))
    search = Search(10**6, low, high)
    for answer in [*answers, *[None] * PROBES]:
        asked = search.guess()
        if asked is None:
            break
        search.heard(asked, Position(answer[0], EntryId(UUID(int=answer[1]))) if answer else None)
    assert search.guess() is None
    assert search.low.seq < 10**6
