"""The erasure code: any n distinct chunks, in any order, restore the data, and no fewer do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee.spqr.erasure import CHUNK_BYTES, CHUNK_NUMBERS, Chunk, Decoder, Encoder, chunk_at

SIZES = st.sampled_from([96, 160, 960, 1152])


@st.composite
def data_and_numbers(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Data, and the numbers of exactly as many chunks as it has, in the order of their coming."""
    size = draw(SIZES)
    data = draw(st.binary(min_size=size, max_size=size))
    count = size // CHUNK_BYTES
    near, anywhere = st.integers(0, 3 * count), st.integers(0, CHUNK_NUMBERS - 1)
    numbers = draw(st.lists(st.one_of(near, anywhere), min_size=count, max_size=count, unique=True))
    return data, draw(st.permutations(numbers))


@given(data_and_numbers())
def test_any_n_distinct_chunks_in_any_order_restore_the_data(case: tuple[bytes, list[int]]) -> None:
    data, numbers = case
    decoder = Decoder(len(data))
    for number in numbers:
        assert not decoder.complete
        decoder = decoder.add(Chunk(number, chunk_at(data, number)))
    assert decoder.complete
    assert decoder.decode() == data


@given(SIZES.flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_the_first_chunks_are_the_data_itself(data: bytes) -> None:
    encoder, chunks = Encoder(data), []
    for _ in range(len(data) // CHUNK_BYTES):
        encoder, chunk = encoder.next_chunk()
        chunks.append(chunk)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    assert b"".join(chunk.data for chunk in chunks) == data


def test_a_polynomial_of_degree_one_goes_on_as_a_line() -> None:
    """Two chunks make p(x) = p(0) + x · (p(0) + p(1)), so chunk 2 has p(0) + 2 · (p(0) + p(1)) in each place."""
    zero, one = b"\x00\x00" * 16, b"\x00\x01" * 15 + b"\x80\x00"
    expected = b"\x00\x02" * 15 + b"\x10\x0b"
    assert chunk_at(zero + one, 2) == expected


def test_a_repeated_chunk_counts_once_and_the_first_one_stays() -> None:
    data = bytes(range(96))
    decoder = Decoder(96).add(Chunk(1, chunk_at(data, 1)))
    for _ in range(5):
        assert decoder.add(Chunk(1, bytes(32))) == decoder
    decoder = decoder.add(Chunk(9, chunk_at(data, 9))).add(Chunk(4, chunk_at(data, 4)))
    assert decoder.decode() == data
    assert decoder.add(Chunk(7, bytes(32))) == decoder


def test_an_encoder_that_has_sent_every_chunk_begins_again() -> None:
    data = bytes(range(96))
    encoder, last = Encoder(data, CHUNK_NUMBERS - 1).next_chunk()
    assert last.number == CHUNK_NUMBERS - 1
    assert encoder.next_chunk()[1] == Chunk(0, data[:32])


@pytest.mark.parametrize("size", [0, 31, 97])
def test_data_comes_in_whole_chunks(size: int) -> None:
    with pytest.raises(ValueError, match="no whole chunks"):
        Encoder(bytes(size))
