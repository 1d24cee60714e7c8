"""Figures are what they say."""

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from aparte.bench.report import Figure, Latencies, cpu_figures


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=300))
def test_a_percentile_is_the_nearest_rank(values: list[int]) -> None:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    found = {figure.name: figure.value * 1000 for figure in latencies.percentiles("page")}
    ordered = sorted(values)
    for name, percent in {"page_p50": 50, "page_p95": 95, "page_p99": 99, "page_max": 100}.items():
        assert round(found[name]) == ordered[ceil(len(values) * percent / 100) - 1]


def test_of_nothing_there_are_no_percentiles() -> None:
    assert Latencies().percentiles("page") == []


def test_cpu_is_told_of_what_is_known() -> None:
    spent = {"seconds": 10.0, "generator": 2.0, "server": 5.0, "postgres": 3.0, "valkey": 0.1, "others": 1.0}
    own = {figure.name: figure.value for figure in cpu_figures(spent, 1000, "message", is_own=True)}
    assert own["cpu_server"] == 50
    assert own["cpu_server_and_postgres_per_message"] == 8
    assert cpu_figures(spent, 1000, "message", is_own=False) == [Figure("cpu_generator", 20, "% of a core")]
