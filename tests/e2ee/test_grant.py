"""Grants: what is passed on is read as it was written, and under its own key alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.people import seeded

from aparte.e2ee import container, grant
from aparte.e2ee.canonical import INTEGER_MAX
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.grant import Triple
from aparte.wire import limits

hashes = st.binary(min_size=32, max_size=32)
triples = st.lists(
    st.builds(Triple, st.integers(1, INTEGER_MAX), hashes, hashes), min_size=1, max_size=9,
    unique_by=lambda triple: triple.number,
)  # fmt: skip
KEY = b"k" * 32


def numbered(count: int) -> list[Triple]:
    return [Triple(number, KEY, bytes(32)) for number in range(count, 0, -1)]


@given(triples)
def test_what_is_passed_on_is_read_in_its_order(several: list[Triple]) -> None:
    assert list(grant.unpack(grant.pack(several))) == several
    assert list(grant.open_(KEY, grant.seal(KEY, several, seeded(1)))) == several


@given(st.binary(max_size=300))
def test_other_bytes_are_refused_or_written_the_same(data: bytes) -> None:
    try:
        found = grant.unpack(data)
    except InvalidMessage:
        return
    assert grant.pack(found) == data


def test_as_many_as_fit_an_object() -> None:
    most = numbered(grant.TRIPLES_MAX)
    sealed = grant.seal(KEY, most, seeded(1))
    assert len(sealed) <= limits.OBJECT_BYTES
    assert list(grant.open_(KEY, sealed)) == most
    with pytest.raises(InvalidMessage):
        grant.pack(numbered(grant.TRIPLES_MAX + 1))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [Triple(0, KEY, bytes(32))],
        [Triple(-1, KEY, bytes(32))],
        [Triple(INTEGER_MAX + 1, KEY, bytes(32))],
        [Triple(2**64, KEY, bytes(32))],
        [Triple(1, KEY[1:], bytes(33))],
        [Triple(1, KEY, bytes(31))],
        [Triple(1, KEY, bytes(32)), Triple(1, bytes(32), KEY)],
    ],
)
def test_what_no_reader_would_take_is_not_written(wrong: list[Triple]) -> None:
    with pytest.raises(InvalidMessage):
        grant.pack(wrong)


def test_a_grant_opens_with_its_key_and_for_its_purpose_alone() -> None:
    sealed = grant.seal(KEY, numbered(2), seeded(1))
    for key, data in ((bytes(32), sealed), (KEY, container.seal(KEY, b"link", grant.pack(numbered(2)), seeded(1)))):
        with pytest.raises(InvalidMessage):
            grant.open_(key, data)
    with pytest.raises(InvalidMessage):
        grant.open_(KEY, container.seal(KEY, grant.PURPOSE, b"no triples", seeded(1)))


def test_no_key_is_in_a_representation() -> None:
    assert "secret" not in repr(Triple(1, b"secret" + bytes(26), bytes(32)))
