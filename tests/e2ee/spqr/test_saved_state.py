"""Saved states: what a release has written every later one reads and goes on from; damage is refused, typed.

`saved_states_v1.json` was written by the first release and is never written again. A new version of the format
gets a file of its own: `python -m tests.e2ee.spqr.test_saved_state`.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.e2ee.spqr.seeded import seeded

from aparte.e2ee import spqr
from aparte.e2ee.errors import E2eeError, InvalidState
from aparte.e2ee.spqr import states
from aparte.e2ee.spqr.protocol import STATE_VERSION

Entry = dict[str, str]

GOLDEN = Path(__file__).with_name("saved_states_v1.json")
ENTRIES: dict[str, Entry] = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
STATE_NAMES = [state.__name__ for state in states.State.__args__]
SAMPLING = {"KeysUnsampled", "HeaderReceived"}
"""States whose next message depends on randomness."""


def story() -> dict[str, Entry]:
    """Each of the eleven states in epoch 3, the peer's at the same time, and what the party sends next."""
    found: dict[str, Entry] = {}
    for from_alice, from_bob in ((2, 1), (1, 2)):
        random = seeded(b"saved states")
        parties = [spqr.start(bytes(32), initiator=True), spqr.start(bytes(32), initiator=False)]
        turns = from_alice * [0] + from_bob * [1]
        for number in range(600):
            sender = turns[number % 3]
            before = list(parties)
            parties[sender], message, key = spqr.send(parties[sender], random)
            if parties[sender].epoch == 3:
                found[type(before[sender]._saved.braid).__name__] = {
                    "saved": before[sender].serialize().hex(),
                    "peer": before[1 - sender].serialize().hex(),
                    "message": message.hex(),
                    "key": key.hex(),
                }
            if number % 7:
                parties[1 - sender], _ = spqr.receive(parties[1 - sender], message)
    return found


def test_each_of_the_eleven_states_is_in_the_file() -> None:
    assert sorted(ENTRIES) == sorted(STATE_NAMES)
    assert any(len(bytes.fromhex(entry["saved"])) > 1500 for entry in ENTRIES.values())


@pytest.mark.parametrize("name", STATE_NAMES)
def test_a_saved_state_is_read_and_the_conversation_goes_on(name: str) -> None:
    entry = ENTRIES[name]
    state = spqr.SpqrState.deserialize(bytes.fromhex(entry["saved"]))
    peer = spqr.SpqrState.deserialize(bytes.fromhex(entry["peer"]))
    assert type(state._saved.braid).__name__ == name
    random = seeded(b"anything")
    state, message, key = spqr.send(state, random)
    if name not in SAMPLING:
        assert (message.hex(), key.hex()) == (entry["message"], entry["key"])
    peer, received = spqr.receive(peer, message)
    assert received == key
    for _ in range(100):
        peer, message, key = spqr.send(peer, random)
        state, received = spqr.receive(state, message)
        assert received == key
        state, message, key = spqr.send(state, random)
        peer, received = spqr.receive(peer, message)
        assert received == key
    assert state.epoch > 3


@pytest.mark.skipif(STATE_VERSION != 1, reason="this version writes another format")
def test_this_version_writes_the_same_bytes() -> None:
    assert story() == ENTRIES


def test_another_version_is_refused() -> None:
    saved = bytes.fromhex(ENTRIES["Ct1Sampled"]["saved"])
    assert saved[0] == STATE_VERSION
    for version in (0, 2, 255):
        with pytest.raises(InvalidState):
            spqr.SpqrState.deserialize(bytes([version]) + saved[1:])


@pytest.mark.parametrize("name", STATE_NAMES)
def test_a_state_cut_off_or_continued_is_refused(name: str) -> None:
    saved = bytes.fromhex(ENTRIES[name]["saved"])
    for length in [*range(0, len(saved), 17), len(saved) - 1]:
        with pytest.raises(InvalidState):
            spqr.SpqrState.deserialize(saved[:length])
    with pytest.raises(InvalidState):
        spqr.SpqrState.deserialize(saved + b"\x00")


def test_a_state_whose_epoch_has_no_keys_is_refused() -> None:
    state = spqr.start(bytes(32), initiator=True)
    advanced = spqr.SpqrState.deserialize(bytes.fromhex(ENTRIES["Ct2Sampled"]["saved"]))
    for chain, braid in (
        (state._saved.chain, advanced._saved.braid),
        (advanced._saved.chain, state._saved.braid),
    ):
        mixed = spqr.SpqrState(type(state._saved)(chain, braid)).serialize()
        with pytest.raises(InvalidState):
            spqr.SpqrState.deserialize(mixed)


def test_a_state_without_the_chains_it_must_send_with_is_refused() -> None:
    saved = spqr.SpqrState.deserialize(bytes.fromhex(ENTRIES["Ct2Sampled"]["saved"]))._saved
    newest_only = replace(saved.chain, chains=saved.chain.chains[-1:])
    assert newest_only.oldest == saved.braid.epoch
    with pytest.raises(InvalidState):
        spqr.SpqrState.deserialize(spqr.SpqrState(replace(saved, chain=newest_only)).serialize())


@settings(max_examples=300)
@given(st.sampled_from(STATE_NAMES), st.data())
def test_a_damaged_state_is_refused_or_fails_typed(name: str, data: st.DataObject) -> None:
    entry = ENTRIES[name]
    saved = bytearray(bytes.fromhex(entry["saved"]))
    for place in data.draw(st.sets(st.integers(1, len(saved) - 1), min_size=1, max_size=3)):
        saved[place] = data.draw(st.integers(0, 255))
    try:
        state = spqr.SpqrState.deserialize(bytes(saved))
        random = seeded(b"damaged")
        peer = spqr.SpqrState.deserialize(bytes.fromhex(entry["peer"]))
        for _ in range(6):
            state, message, _ = spqr.send(state, random)
            peer, message, _ = spqr.send(peer, random)
            state, _ = spqr.receive(state, message)
    except E2eeError:
        pass


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    for candidate in (data, bytes([STATE_VERSION]) + data):
        with pytest.raises(InvalidState):
            spqr.SpqrState.deserialize(candidate)


def test_damage_is_reported_without_what_was_saved() -> None:
    saved = bytes.fromhex(ENTRIES["Ct1Sampled"]["saved"])
    damaged = saved.replace(b"\xc4\x20", b"\xc4\x1f", 1)
    with pytest.raises(InvalidState) as caught:
        spqr.SpqrState.deserialize(damaged)
    reasons = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "\\x" not in reasons
    assert len(reasons) < 300


if __name__ == "__main__":
    GOLDEN.with_name(f"saved_states_v{STATE_VERSION}.json").write_text(json.dumps(story(), indent=1) + "\n")
