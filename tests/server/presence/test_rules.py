"""What others see of somebody, as laws."""

from hypothesis import given
from hypothesis import strategies as st

from aparte.server.presence.model import Found
from aparte.server.presence.rules import AWAY_SECONDS, is_news, shown_status
from aparte.wire.accounts import Status

STATUSES: list[Status] = ["online", "away", "offline"]
NOW = 1_800_000_000.0


@given(st.integers(0, 10), st.floats(0, 1e6), st.sampled_from(STATUSES))
def test_nobody_without_a_live_session_or_invisible_is_shown(connections: int, idle: float, declared: Status) -> None:
    shown = shown_status(Found(connections, NOW - idle), declared, NOW)
    assert (shown == "offline") == (connections == 0 or declared == "offline")
    if shown == "online":
        assert declared == "online"
        assert idle < AWAY_SECONDS


def test_away_comes_after_five_minutes_without_activity_g_14() -> None:
    assert shown_status(Found(1, NOW - 299), "online", NOW) == "online"
    assert shown_status(Found(1, NOW - 300), "online", NOW) == "away"
    assert shown_status(Found(1, NOW), "away", NOW) == "away"


def test_typing_is_news_when_it_changes_or_would_expire() -> None:
    assert is_news(None, on=True, now=5)
    assert not is_news((True, 5), on=True, now=6)
    assert is_news((True, 5), on=True, now=8)
    assert is_news((True, 5), on=False, now=5)
    assert not is_news((False, 5), on=False, now=60)
