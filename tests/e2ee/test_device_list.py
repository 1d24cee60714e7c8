"""Device lists: each version follows from the one before, or is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.layer_vectors import ACCOUNT, device, flipped, following, pair
from tests.e2ee.people import seeded

from aparte.e2ee import device_list
from aparte.e2ee.device_list import NO_LIST, DeviceList, ListedDevice, Signed
from aparte.e2ee.errors import BadList

KEY, OTHER = pair(201), pair(202)
FIRST = DeviceList(ACCOUNT, KEY.public, 1, NO_LIST, (device(1), device(2)))


def signed(new: DeviceList) -> Signed:
    return device_list.sign(new, KEY, seeded(1))


def test_a_list_has_108_bytes_and_54_for_each_device() -> None:
    assert len(FIRST.serialize()) == 108 + 2 * 54
    assert DeviceList.deserialize(FIRST.serialize()) == FIRST
    assert FIRST.find(bytes([2]) * 16) == device(2)
    assert FIRST.find(bytes(16)) is None


def test_the_first_version_is_signed_for_its_account() -> None:
    assert device_list.verify_first(signed(FIRST), ACCOUNT) == FIRST
    second = following(FIRST, device(1))
    for wrong, account in (
        (signed(FIRST), b"\xa1" * 16),
        (device_list.sign(FIRST, OTHER, seeded(1)), ACCOUNT),
        (device_list.sign(FIRST, KEY, seeded(1), previous_key=KEY), ACCOUNT),
        (signed(second), ACCOUNT),
        (signed(replace(FIRST, previous=b"\x01" * 32)), ACCOUNT),
    ):
        with pytest.raises(BadList):
            device_list.verify_first(wrong, account)


@given(st.integers(0, (108 + 54) * 8 - 1))
def test_any_other_bit_is_refused(bit: int) -> None:
    """Under a signature the whole list is; the account key itself is in it."""
    made = signed(replace(FIRST, devices=(device(1),)))
    altered = bytearray(made.list)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadList):
        device_list.verify_first(Signed(bytes(altered), made.signature), ACCOUNT)


@given(st.integers(0, 108 + 54 * 2 - 1))
def test_anything_cut_off_or_added_is_refused(length: int) -> None:
    data = FIRST.serialize()
    for wrong in (data[:length], data + bytes(length + 1)):
        with pytest.raises(BadList):
            DeviceList.deserialize(wrong)


@given(st.lists(st.sets(st.integers(1, 12), min_size=1, max_size=10), min_size=1, max_size=6), st.data())
def test_any_devices_may_come_and_go(stages: list[set[int]], data: st.DataObject) -> None:
    known = FIRST
    for numbers in stages:
        new = following(known, *(device(number) for number in sorted(numbers)))
        assert device_list.verify_next(known, signed(new)) == device_list.Succession(new, "same")
        skipped = replace(new, version=new.version + data.draw(st.integers(-1, 3).filter(bool)))
        with pytest.raises(BadList):
            device_list.verify_next(known, signed(skipped))
        known = new


def test_a_new_account_key_needs_the_one_before_or_is_a_reset() -> None:
    new = following(FIRST, device(1), key=OTHER)
    rotation = device_list.sign(new, OTHER, seeded(2), previous_key=KEY)
    assert device_list.verify_next(FIRST, rotation).change == "rotation"
    assert device_list.verify_next(FIRST, replace(rotation, previous_signature=None)).change == "reset"
    assert rotation.previous_signature is not None
    for wrong in (
        replace(rotation, previous_signature=flipped(rotation.previous_signature, 1)),
        replace(rotation, previous_signature=rotation.signature),
        replace(rotation, signature=rotation.previous_signature),
        device_list.sign(new, KEY, seeded(2)),
    ):
        with pytest.raises(BadList):
            device_list.verify_next(FIRST, wrong)


def test_a_roll_back_a_fork_and_the_same_again_do_not_follow() -> None:
    second = following(FIRST, device(1))
    third = following(second, device(1), device(3))
    fork = following(following(FIRST, device(2)), device(2))
    for wrong in (FIRST, second, third, fork):
        with pytest.raises(BadList):
            device_list.verify_next(third, signed(wrong))


def test_a_device_keeps_its_number_identity_and_registration_id() -> None:
    kept = device(2)
    for other in (
        replace(kept, number=3),
        replace(kept, identity=pair(9).public),
        replace(kept, registration_id=9),
    ):
        with pytest.raises(BadList):
            device_list.verify_next(FIRST, signed(following(FIRST, device(1), other)))
    again = ListedDevice(2, b"\x09" * 16, 9, pair(9).public)
    assert device_list.verify_next(FIRST, signed(following(FIRST, device(1), again))).change == "same"


def test_nothing_follows_a_closed_account() -> None:
    closed = following(FIRST)
    assert device_list.verify_next(FIRST, signed(closed)).list.devices == ()
    with pytest.raises(BadList):
        device_list.verify_next(closed, signed(following(closed, device(1))))


@pytest.mark.parametrize(
    "devices",
    [
        (device(2), device(1)),
        (device(1), device(1)),
        (device(1), replace(device(2), device=device(1).device)),
        (device(1), replace(device(2), identity=device(1).identity)),
        (device(1), replace(device(2), number=1)),
        (replace(device(1), number=0),),
        (replace(device(1), number=128),),
        (replace(device(1), registration_id=0),),
        (replace(device(1), registration_id=16_381),),
    ],
    ids=["unsorted", "twice", "an id twice", "an identity twice", "a number twice", "0", "128", "no id", "16,381"],
)
def test_malformed_lists_are_refused(devices: tuple[ListedDevice, ...]) -> None:
    with pytest.raises(BadList):
        DeviceList.deserialize(replace(FIRST, devices=devices).serialize())


def test_32_devices_are_a_list_and_33_are_not() -> None:
    many = tuple(device(number) for number in range(1, 34))
    assert DeviceList.deserialize(replace(FIRST, devices=many[:32]).serialize()).devices == many[:32]
    with pytest.raises(BadList):
        DeviceList.deserialize(replace(FIRST, devices=many).serialize())


@pytest.mark.parametrize("version", [0, 2**53])
def test_versions_are_safe_integers(version: int) -> None:
    with pytest.raises(BadList):
        DeviceList.deserialize(replace(FIRST, version=version).serialize())


def test_one_version_by_itself_is_checked_against_a_key_that_is_trusted() -> None:
    later = following(following(FIRST, device(1)), device(2))
    assert device_list.verify_signed(signed(later), ACCOUNT, KEY.public) == later
    for made, account, key in (
        (signed(later), b"\xa1" * 16, KEY.public),
        (signed(later), ACCOUNT, OTHER.public),
        (device_list.sign(later, OTHER, seeded(1)), ACCOUNT, KEY.public),
    ):
        with pytest.raises(BadList):
            device_list.verify_signed(made, account, key)


def test_numbers_are_used_again_last() -> None:
    def next_after(*numbers: int) -> int:
        devices = tuple(replace(device(1), number=number) for number in numbers)
        return device_list.next_number(replace(FIRST, devices=devices))

    assert next_after(1) == 2
    assert next_after(1, 3) == 4
    assert next_after(1, 127) == 2
    assert next_after(1, 2, 127) == 3
    assert next_after(127) == 1
    with pytest.raises(BadList):
        next_after(*range(1, 128))
