"""Linking: two devices that see the same things get the same digits, and the new one what is meant for it."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replaced
from tests.e2ee.layer_vectors import ACCOUNT, DEVICE, HASH, flipped, pair
from tests.e2ee.people import seeded

from aparte.e2ee import container, device_list, linking
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.errors import E2eeError, InvalidKey, InvalidMessage
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.linking import Beginning, Link, Welcome
from aparte.e2ee.payload import PinnedAccount

ACCOUNT_KEY, IDENTITY = pair(201), pair(31)
LISTED = ListedDevice(2, DEVICE, 4_711, IDENTITY.public)


def begin(seed: int = 1) -> Beginning:
    return linking.begin(DEVICE, 4_711, IDENTITY.public, b"\x0f" * 16, seeded(seed))


def reply(beginning: Beginning) -> tuple[bytes, Link]:
    invitation = linking.parse_text(beginning.code_text)
    return linking.reply(invitation, beginning.offer, ACCOUNT, ACCOUNT_KEY, seeded(2))


def welcome(listed: ListedDevice = LISTED, account: bytes = ACCOUNT, key: KeyPair = ACCOUNT_KEY) -> Welcome:
    devices = DeviceList(account, key.public, 2, HASH, (listed,))
    pins = (PinnedAccount(b"\xa1" * 16, pair(34).public.serialize(), 5, HASH, None),)
    return Welcome(key.private, device_list.sign(devices, key, seeded(3)), pins)


@given(st.integers(0, 2**32))
def test_both_sides_get_the_same_and_the_welcome_opens(seed: int) -> None:
    beginning = begin(seed)
    assert len(beginning.code_text) == 107
    answer, old = reply(beginning)
    new = linking.answered(beginning, answer)
    assert new == old
    assert len(new.code) == 6
    assert new.is_code(f" {old.code[:3]} {old.code[3:]}\n")
    given = linking.open_welcome(new.box, linking.welcome(old.box, welcome(), seeded(seed)))
    assert given == welcome()
    assert linking.check_welcome(beginning, new, given).devices == (LISTED,)


def test_the_offer_says_which_device_it_is() -> None:
    beginning = begin()
    offer = linking.read_offer(beginning.invitation, beginning.offer)
    assert (offer.device, offer.registration_id, offer.identity) == (DEVICE, 4_711, IDENTITY.public)


@pytest.mark.parametrize("typed", ["", "000000", "12345", "1234567", "abcdef", "１２３４５６"])
def test_another_code_is_not_the_code(typed: str) -> None:
    _, link = reply(begin())
    assert link.code != typed
    assert not link.is_code(typed)


def test_somebody_in_the_middle_gets_another_code_on_either_side() -> None:
    """A server that answers itself does not know X_n: whatever key it takes, digits and box differ."""
    beginning = begin()
    answer, old = reply(beginning)
    own_answer, _ = linking.reply(
        replaced(beginning.invitation, x_n=pair(66).public), beginning.offer, ACCOUNT, ACCOUNT_KEY, seeded(6)
    )
    for other in (own_answer, answer[:32] + own_answer[32:1_120] + answer[1_120:], flipped(answer, 1_125)):
        deceived = linking.answered(beginning, other)
        assert (deceived.code, deceived.box) != (old.code, old.box)
        assert not deceived.is_code(old.code)
        with pytest.raises(InvalidMessage):
            linking.open_welcome(deceived.box, linking.welcome(old.box, welcome(), seeded(1)))


@given(st.integers(0, linking.OFFER_BYTES * 8 - 1))
def test_an_altered_offer_is_not_answered(bit: int) -> None:
    beginning = begin()
    altered = bytearray(beginning.offer)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidMessage):
        linking.reply(beginning.invitation, bytes(altered), ACCOUNT, ACCOUNT_KEY, seeded(2))


@given(st.integers(0, linking.ANSWER_BYTES * 8 - 1))
def test_an_altered_answer_is_another_link(bit: int) -> None:
    beginning = begin()
    answer, old = reply(beginning)
    altered = bytearray(answer)
    altered[bit // 8] ^= 1 << bit % 8
    try:
        assert linking.answered(beginning, bytes(altered)).box != old.box
    except E2eeError:
        return


@pytest.mark.parametrize("length", [0, 1_168, 1_170])
def test_an_answer_has_its_length(length: int) -> None:
    with pytest.raises(InvalidMessage):
        linking.answered(begin(), bytes(length))


def test_a_key_that_contributes_nothing_is_refused_on_both_sides() -> None:
    beginning = begin()
    answer, _ = reply(beginning)
    for u in (bytes(32), (1).to_bytes(32, "little")):
        with pytest.raises(InvalidKey):
            linking.answered(beginning, u + answer[32:])
    shown = base64.urlsafe_b64encode(b"\x0f" * 16 + bytes(32) + HASH).rstrip(b"=").decode()
    with pytest.raises(InvalidKey):
        linking.parse_text(shown)


@given(st.text(max_size=120) | st.text("ABCabc-_+/=", min_size=107, max_size=107))
def test_any_other_text_is_refused_or_is_what_it_says(text: str) -> None:
    try:
        invitation = linking.parse_text(text)
    except E2eeError:
        return
    data = invitation.id + invitation.x_n.u + invitation.offer_hash
    assert base64.urlsafe_b64encode(data).decode() == text.strip() + "="


def test_both_forms_of_the_text_are_read() -> None:
    beginning = begin()
    for text in (beginning.code_text, f"aparte://link/1/{beginning.code_text}", f"  {beginning.code_text}\n"):
        assert linking.parse_text(text) == beginning.invitation


@pytest.mark.parametrize("registration_id", [0, 16_381])
def test_an_offer_has_a_registration_id_in_range(registration_id: int) -> None:
    with pytest.raises(InvalidMessage):
        linking.begin(DEVICE, registration_id, IDENTITY.public, b"\x0f" * 16, seeded(1))


@pytest.mark.parametrize(
    "given",
    [
        welcome(replace(LISTED, identity=pair(9).public)),
        welcome(replace(LISTED, registration_id=1)),
        welcome(replace(LISTED, device=b"\x01" * 16)),
        welcome(account=b"\xa9" * 16),
        welcome(key=pair(202)),
        replace(welcome(), account_private=pair(202).private),
        replace(welcome(), signed=replace(welcome().signed, signature=bytes(64))),
    ],
    ids=["identity", "registration id", "device", "account", "account key", "private key", "signature"],
)
def test_a_welcome_must_fit_the_answer_and_this_device(given: Welcome) -> None:
    beginning = begin()
    answer, old = reply(beginning)
    opened = linking.open_welcome(old.box, linking.welcome(old.box, given, seeded(1)))
    with pytest.raises(InvalidKey):
        linking.check_welcome(beginning, linking.answered(beginning, answer), opened)


def test_a_container_that_holds_no_welcome_is_refused() -> None:
    box = b"b" * 32
    for data in (b"", b"\x80", b"\x81\xa1v\x02", b"\x81\xa1v\x01"):
        with pytest.raises(InvalidMessage):
            linking.open_welcome(box, container.seal(box, container.LINK, data, seeded(1)))


def test_no_secret_is_in_a_representation() -> None:
    beginning = begin()
    _, link = reply(beginning)
    assert (repr(beginning), repr(link), repr(beginning.invitation)) == ("<Beginning>", "<Link>", "<Invitation>")
    assert repr(ACCOUNT_KEY.private) not in repr(welcome())
