"""Addresses have one written form, and one form on the wire."""

import pytest

from aparte.e2ee.devices import Address, address_pair, check_address_pair
from aparte.e2ee.errors import InvalidMessage

NAME = "0123abcd-4567-4890-8bcd-ef0123456789.7"


def test_an_address_is_read_and_written() -> None:
    address = Address.parse(NAME)
    assert str(address) == NAME
    assert address.serialize().hex() == "00" + "0123abcd456748908bcdef0123456789" + "07"


@pytest.mark.parametrize("number", [1, 127])
def test_device_numbers_go_from_1_to_127(number: int) -> None:
    assert Address.parse(f"{NAME[:-1]}{number}").device == number


@pytest.mark.parametrize(
    "name",
    ["", "7", NAME[:-2], NAME[:-1], NAME[:-1] + "0", NAME[:-1] + "128", NAME[:-1] + "+7", NAME.upper(), "x" + NAME],
)
def test_no_other_form_is_read(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Address.parse(name)


def test_a_pair_names_sender_and_recipient_in_this_order() -> None:
    ours, theirs = Address(bytes([1]) * 16, 1), Address(bytes([2]) * 16, 2)
    pair = address_pair(ours, theirs)
    assert pair == ours.serialize() + theirs.serialize()
    check_address_pair(pair, ours, theirs)
    for sender, recipient in ((theirs, ours), (ours, ours), (theirs, theirs)):
        with pytest.raises(InvalidMessage):
            check_address_pair(pair, sender, recipient)
