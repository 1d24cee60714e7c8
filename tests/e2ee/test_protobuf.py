"""The codec reads what it writes, and nothing that is not exactly a message."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee import protobuf
from aparte.e2ee.errors import InvalidMessage

KNOWN = frozenset(range(1, 9))
VALUES = st.one_of(st.integers(0, 2**32 - 1), st.binary(max_size=300))


@given(st.dictionaries(st.integers(1, 8), VALUES))
def test_what_is_written_is_read(values: dict[int, int | bytes]) -> None:
    fields = protobuf.decode(protobuf.encode(*values.items()), KNOWN)
    for number in KNOWN:
        value = values.get(number)
        if isinstance(value, int):
            assert fields.uint32(number) == fields.optional_uint32(number) == value
        elif isinstance(value, bytes):
            assert fields.blob(number) == fields.optional_blob(number) == value
        else:
            assert fields.optional_uint32(number) is None
            assert fields.optional_blob(number) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidMessage):
        protobuf.decode(data, KNOWN)


def test_zero_is_written_and_none_is_not() -> None:
    assert protobuf.encode((2, 0), (3, None), (4, b"")) == bytes.fromhex("10002200")


def test_unknown_fields_of_every_kind_are_skipped() -> None:
    unknown = bytes.fromhex("48055101020304050607085a036162636501020304")
    fields = protobuf.decode(unknown + protobuf.encode((1, 7)), KNOWN)
    assert fields.uint32(1) == 7


@pytest.mark.parametrize(
    "data",
    [
        "08",  # no value
        "0880",  # a varint without end
        "08" + "80" * 10 + "01",  # eleven bytes
        "08" + "ff" * 9 + "02",  # above 64 bits
        "0a05aabb",  # shorter than it says
        "0aff" + "ff" * 8 + "01",  # as long as the world
        "08010802",  # a known field twice
        "0bff",  # groups
        "0cff",
        "0eff",
        "4b",  # groups nobody knows
        "4c00",
        "4e0000",
        "4f",
        "0901020304050607",  # seven of eight bytes
        "0d010203",
        "0d01020304",  # a known field of fixed width
        "00",  # field number zero
        "4801" * 33,  # more fields than any message has
    ],
)
def test_malformed_messages_are_refused(data: str) -> None:
    with pytest.raises(InvalidMessage):
        protobuf.decode(bytes.fromhex(data), KNOWN)


def test_fields_of_the_wrong_kind_or_missing_are_refused() -> None:
    fields = protobuf.decode(protobuf.encode((1, 5), (2, b"five"), (3, 2**32)), KNOWN)
    for read in (fields.blob, fields.optional_blob):
        with pytest.raises(InvalidMessage):
            read(1)
    for number in (2, 3):
        with pytest.raises(InvalidMessage):
            fields.uint32(number)
        with pytest.raises(InvalidMessage):
            fields.optional_uint32(number)
    with pytest.raises(InvalidMessage):
        fields.uint32(4)
    with pytest.raises(InvalidMessage):
        fields.blob(4)


def test_as_many_fields_as_allowed_are_read() -> None:
    protobuf.decode(b"".join(protobuf.encode((number, 1)) for number in range(9, 9 + protobuf.FIELDS_MAX)), KNOWN)


def test_field_numbers_have_29_bits() -> None:
    protobuf.decode(protobuf.encode((2**29 - 1, 1)), KNOWN)
    with pytest.raises(InvalidMessage):
        protobuf.decode(protobuf.encode((2**29, 1)), KNOWN)


@pytest.mark.parametrize(
    ("number", "written"), [(0, "00"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001")]
)
def test_numbers_are_written_in_as_few_bytes_as_can_be(number: int, written: str) -> None:
    assert protobuf.encode((1, number)).hex() == "08" + written


@pytest.mark.parametrize(("tag", "length"), [(0x49, 8), (0x4D, 4)])
def test_unknown_fields_of_fixed_width_end_where_they_should(tag: int, length: int) -> None:
    field = bytes([tag]) + b"\x08" * length
    assert protobuf.decode(field + protobuf.encode((2, 5)), KNOWN).uint32(2) == 5
    assert protobuf.decode(protobuf.encode((2, 5)) + field, KNOWN).uint32(2) == 5
    for shorter in range(1, length + 1):
        with pytest.raises(InvalidMessage):
            protobuf.decode(field[:-shorter], KNOWN)
