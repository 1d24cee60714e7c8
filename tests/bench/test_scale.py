"""Comparing something small with something large runs to its end against a real server, and says what is exceeded."""

import pytest

from aparte.bench import scale, store
from aparte.bench.compare import Case, Comparison, section_of
from aparte.bench.report import Report
from aparte.bench.server import Server, Wanted, serving

COUNTS = "SELECT count(*) AS n FROM messages GROUP BY conversation_id ORDER BY n DESC LIMIT 2"
SIZES = scale.Options(members=30, messages=1_200, rooms=100, times=2)


async def nothing() -> int:
    """A question that takes no time."""
    return 0


@pytest.mark.parametrize(
    ("large", "statements", "lines"),
    [(1300.0, 2, 0), (1301.0, 2, 1), (900.0, 3, 1), (900.0, 1, 1), (2000.0, 9, 2)],
)
def test_more_time_or_other_statements_than_a_small_one_are_exceeded(large: float, statements: int, lines: int) -> None:
    case = Case("page", nothing, nothing)
    section = section_of(case, Comparison(1000.0, large, 2, statements))
    assert section.figure("ratio") == large / 1000
    assert len(section.exceeded) == lines
    assert Report("scale", "", "", {}, [section]).is_kept is (lines == 0)


@pytest.mark.parametrize(("statements", "lines"), [(5, 0), (6, 1)])
def test_what_follows_a_request_may_be_written_together(statements: int, lines: int) -> None:
    case = Case("send", nothing, nothing, spare=3)
    assert len(section_of(case, Comparison(1.0, 1.0, 2, statements)).exceeded) == lines


@pytest.mark.parametrize(("large", "lines"), [(50_000.0, 0), (50_001.0, 1)])
def test_what_may_take_longer_may_not_take_for_ever(large: float, lines: int) -> None:
    case = Case("search", nothing, nothing, is_bounded=False, most_ms=50)
    assert len(section_of(case, Comparison(1.0, large, 2, 2)).exceeded) == lines


async def test_every_case_runs_and_asks_the_same_of_large_and_small() -> None:
    async with serving(Wanted()) as server:
        _, *sections = await scale.run(server, SIZES)
        database = await store.connect(server.admin_dsn)
        held = await database.fetch(COUNTS)
        wrong = await database.fetchval(
            """
            SELECT count(*) FROM heads h
             WHERE h.last_seq <> (SELECT count(*) FROM messages m WHERE m.conversation_id = h.conversation_id)
                               + (SELECT count(*) FROM entries e WHERE e.conversation_id = h.conversation_id)
            """
        )
        await database.close()
    names = {section.title for section in sections}
    assert {"send", "cold open", "page, deep", "members, last", "unread list, a window of 50"} <= names
    assert [row["n"] >= size for row, size in zip(held, (1_200, 1_000), strict=True)] == [True, True]
    assert wrong == 0  # positions without gaps, as the log gives them
    for section in sections:
        assert not [line for line in section.exceeded if "statements" in line], section.title


async def test_a_foreign_server_is_refused() -> None:
    with pytest.raises(ValueError, match="our own"):
        await scale.run(Server("http://127.0.0.1:9"), SIZES)
