"""Two devices talk through bad weather: whatever implementations they run, the same messages are read."""

import itertools

import pytest
from tests.interop.party_process import PartyProcess, Refused
from tests.interop.schedule import Pair, Weather, run

CALM = Weather(loss=0, repeat=0, forge=0, set_up=0, burst=0, delay=0)
ROUGH = Weather()
ONE_SIDED = Weather(loss=0.2, burst=0.9, delay=60)
CROSSING = Weather(loss=0.3, set_up=0.15, delay=40)
WEATHERS = {"calm": CALM, "rough": ROUGH, "one-sided": ONE_SIDED, "crossing": CROSSING}


@pytest.mark.parametrize("weather", WEATHERS.values(), ids=WEATHERS)
@pytest.mark.parametrize("seed", range(4))
def test_every_pair_loses_exactly_the_same_messages(
    aparte: PartyProcess, oracle: PartyProcess, seed: int, weather: Weather
) -> None:
    compare(aparte, oracle, seed, weather, 300)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("weather", WEATHERS.values(), ids=WEATHERS)
@pytest.mark.parametrize("seed", range(1_000, 1_050))
def test_every_pair_loses_exactly_the_same_messages_for_long(
    aparte: PartyProcess, oracle: PartyProcess, seed: int, weather: Weather
) -> None:
    compare(aparte, oracle, seed, weather, 1_500)


def compare(aparte: PartyProcess, oracle: PartyProcess, seed: int, weather: Weather, steps: int) -> None:
    """The official library with itself sets the measure for the other three pairs."""
    expected = run(Pair.create(oracle, oracle), seed, steps, weather)
    assert sum(read for _, read in expected) > steps / 4
    for first, second in itertools.product((aparte, oracle), repeat=2):
        if (first, second) != (oracle, oracle):
            names = f"{first.implementation} with {second.implementation}"
            assert run(Pair.create(first, second), seed, steps, weather) == expected, names


def test_nobody_reads_anything_in_calm_weather_twice(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        assert all(read for _, read in run(pair, 7, 100, CALM))
        message = pair.encrypt(0, b"once")
        assert pair.decrypt(1, message) == b"once"
        with pytest.raises(Refused):
            pair.decrypt(1, message)
