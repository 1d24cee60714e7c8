"""What an offer, an answer and the list after them must be."""

from aparte.e2ee.device_list import DeviceList, ListedDevice, Succession
from aparte.e2ee.devices import REGISTRATION_ID_MAX
from aparte.e2ee.errors import InvalidKey
from aparte.e2ee.keys import PUBLIC_KEY_BYTES, PublicKey
from aparte.server.linking.model import Offered, OfferRow
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import Prekeys

OPEN_MINUTES = 2
"""How long an offer may be answered, and its device admitted."""
KEPT_MINUTES = 10
"""How long what was left for an admitted device is kept."""
OPEN_OFFERS = 3
"""Offers of one account that may be under way at once."""

_DEVICE_AT = PUBLIC_KEY_BYTES + 4
_ACCOUNT_AT = 32 + 1088
"""Of an answer: after an X25519 key and an ML-KEM-768 ciphertext."""


def read_offer(data: bytes) -> Offered:
    """Read identity 33 || registration id be32 || device 16 off an offer. Refuses with `invalid`."""
    try:
        identity = PublicKey.deserialize(data[:PUBLIC_KEY_BYTES])
    except InvalidKey:
        raise Refusal("invalid", "the offer holds no identity key") from None
    registration_id = int.from_bytes(data[PUBLIC_KEY_BYTES:_DEVICE_AT], "big")
    if not 1 <= registration_id <= REGISTRATION_ID_MAX:
        raise Refusal("invalid", "the offer's registration id is out of range")
    return Offered(identity, registration_id, data[_DEVICE_AT : _DEVICE_AT + 16])


def check_offered(offered: Offered, device: DeviceId, prekeys: Prekeys) -> None:
    """A device offers itself, with both keys that others need to write to it."""
    if offered.device != device.bytes:
        raise Refusal("invalid", "the offer is of another device")
    if prekeys.signed is None or prekeys.last_resort is None:
        raise Refusal("bad_prekeys", "a first upload holds a signed and a last-resort prekey")


def check_unlisted(known: DeviceList, device: DeviceId) -> None:
    """Only a device that is not on the list asks to be put there."""
    if known.find(device.bytes) is not None:
        raise Refusal("invalid", "this device is on the list already")


def check_answer(answer: bytes, known: DeviceList) -> None:
    """An answer names the account and the account key of the list."""
    if answer[_ACCOUNT_AT:] != known.account + known.account_key.serialize():
        raise Refusal("invalid", "the answer names another account or key")


def check_found(row: OfferRow | None, device: DeviceId) -> OfferRow:
    """An offer that is open, or that this device has answered: nobody else's business any more."""
    if row is None:
        raise Refusal("not_found")
    if not row.is_alive or row.state == "admitted" or row.answered_by not in {None, device}:
        raise Refusal("offer_gone")
    return row


def check_answered(row: OfferRow | None, device: DeviceId) -> OfferRow:
    """An offer that this device has answered, and that waits for its word."""
    found = check_found(row, device)
    if found.state != "answered":
        raise Refusal("offer_gone", "this device has not answered the offer")
    return found


def check_admission(before: DeviceList, after: Succession, offered: Offered) -> None:
    """The list is the one before and the offered device: nothing else is changed. Refuses with `bad_list`."""
    added = set(after.list.devices) - set(before.devices)
    if after.change != "same" or set(before.devices) - set(after.list.devices) or len(added) != 1:
        raise Refusal("bad_list", "linking adds the offered device and changes nothing else")
    (device,) = added
    if Offered(device.identity, device.registration_id, device.device) != offered:
        raise Refusal("bad_list", "the list names another device than the offer")
    if len(after.list.devices) > limits.DEVICES:
        raise Refusal("too_many_devices")


def check_removal(before: DeviceList, after: Succession) -> list[ListedDevice]:
    """Tell which devices are gone from a list. It may be signed anew with another key; nothing is added to it.

    The last device stays: a list of none would close the account for good.
    """
    removed = [device for device in before.devices if device not in after.list.devices]
    if len(before.devices) - len(removed) != len(after.list.devices):
        raise Refusal("bad_list", "devices are added by linking")
    if not after.list.devices:
        raise Refusal("bad_list", "the last device stays on the list")
    if not removed and after.change == "same":
        raise Refusal("bad_list", "nothing is changed")
    return removed


def is_leaving(removed: list[ListedDevice], after: Succession, device: DeviceId) -> bool:
    """Whether a device takes itself off the list and does nothing else: even a new one may."""
    return after.change == "same" and [one.device for one in removed] == [device.bytes]


def list_of(account: AccountId, known: DeviceList | None) -> DeviceList:
    """The account's list; who has none cannot link."""
    if known is None or known.account != account.bytes:
        raise Refusal("keys_needed")
    return known
