"""The wire form of SPQR messages: one way to write each, typed refusals for everything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.spqr.erasure import Chunk
from aparte.e2ee.spqr.message import MESSAGE_BYTES_MAX, Kind, Message, decode, encode

CHUNKS = st.builds(Chunk, st.integers(0, 0xFFFF), st.binary(min_size=32, max_size=32))
WITH_CHUNK = st.sampled_from([Kind.HEADER, Kind.EK, Kind.EK_ACK, Kind.CT1, Kind.CT2])
EPOCHS, INDICES = st.integers(1, 2**63 - 1), st.integers(1, 2**32 - 1)
MESSAGES = st.one_of(
    st.builds(Message, EPOCHS, INDICES, WITH_CHUNK, CHUNKS),
    st.builds(Message, EPOCHS, INDICES, st.sampled_from([Kind.NONE, Kind.ACK])),
)


@given(MESSAGES)
def test_what_is_written_is_read(message: Message) -> None:
    data = encode(message)
    assert len(data) <= MESSAGE_BYTES_MAX
    assert decode(data) == message


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda rest: b"\x01\x01\x01" + rest)))
@example(b"\x01\x01\x01\x04")
def test_what_is_read_has_one_form_and_the_rest_is_refused(data: bytes) -> None:
    try:
        message = decode(data)
    except InvalidMessage:
        return
    assert encode(message) == data


@given(MESSAGES, st.data())
def test_a_message_cut_off_is_refused(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InvalidMessage):
        decode(whole[:length])


def test_the_bytes_of_a_message() -> None:
    message = Message(300, 128, Kind.CT1, Chunk(65535, bytes(range(32))))
    assert encode(message) == bytes.fromhex("01 ac02 8001 05 ffff03") + bytes(range(32))
    assert encode(Message(1, 1, Kind.NONE)) == bytes.fromhex("01010100")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "00010100",  # version 0
        "02010100",  # version 2
        "01000100",  # epoch 0
        "01010000",  # index 0: a message without key
        "01010107",  # unknown kind
        "0101010000",  # something follows
        "0181000100",  # epoch 1 in two bytes
        "0101818000" + "00",  # index 1 in three bytes
        "01ffffffffffffffffff" + "010100",  # epoch above 2^63 - 1
        "0101808080801000",  # index 2^32
        "01010101808004" + "00" * 32,  # chunk 65,536
        "0101010500" + "00" * 31,  # a chunk too short
        "0101010500" + "00" * 33,  # a chunk too long
        "0101010400" + "00" * 32,  # an acknowledgement with a chunk
        "01" + "80" * 60,  # a number without end
    ],
)
def test_malformed_messages_are_refused(data: str) -> None:
    with pytest.raises(InvalidMessage):
        decode(bytes.fromhex(data))
