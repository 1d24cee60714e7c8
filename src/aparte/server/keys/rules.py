"""Pure rules of lists and prekeys: form, signatures and succession, as clients check them too."""

from uuid import UUID

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList, ListedDevice, Signed, Succession
from aparte.e2ee.errors import BadList, InvalidKey, InvalidSignature
from aparte.e2ee.keys import KemPublicKey, PublicKey
from aparte.server.keys.model import FirstKeys, KnownList, PrekeyRow
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import AccountKeys, KemPrekey, OneTimePrekey, Prekeys, SignedList, SignedPrekey


def first_keys(account: AccountId, device: DeviceId, given: AccountKeys) -> FirstKeys:
    """Check the keys an account begins with: version 1 names this device alone, whose identity signed the prekeys."""
    try:
        found = device_list.verify_first(as_signed(given.devices), account.bytes)
    except BadList:
        raise Refusal("bad_list") from None
    if [row.device for row in found.devices] != [device.bytes]:
        raise Refusal("bad_list", "the first list names the device that sends it, and no other")
    check_prekeys(found.devices[0].identity.serialize(), given.prekeys, is_first=True)
    return FirstKeys(found, given.devices, device, given.prekeys)


def follow(known: KnownList | None, given: SignedList) -> Succession:
    """Check that a list follows the newest one. Refuses with `keys_needed`, `stale_list`, `bad_list`."""
    if known is None:
        raise Refusal("keys_needed")
    try:
        if DeviceList.deserialize(given.list).version <= known.list.version:
            raise Refusal("stale_list", data={"version": known.list.version})
        succession = device_list.verify_next(known.list, as_signed(given))
    except BadList:
        raise Refusal("bad_list") from None
    if succession.change == "reset":
        raise Refusal("bad_list", "another account key needs the signature of the one before")
    return succession


def as_signed(given: SignedList) -> Signed:
    """A list as the cryptography takes it."""
    return Signed(given.list, given.signature, given.previous_signature)


def read(signed: SignedList) -> KnownList:
    """A list out of the store; it was checked when it came."""
    return KnownList(DeviceList.deserialize(signed.list), signed)


def ids_of(devices: DeviceList) -> list[DeviceId]:
    """The devices of a list by their ids."""
    return [DeviceId(UUID(bytes=row.device)) for row in devices.devices]


def row_of(known: KnownList | None, device: DeviceId) -> ListedDevice:
    """A device as its account's list names it. Refuses with `keys_needed`, `link_needed`."""
    if known is None:
        raise Refusal("keys_needed")
    found = known.list.find(device.bytes)
    if found is None:
        raise Refusal("link_needed")
    return found


def check_prekeys(identity: bytes, given: Prekeys, *, is_first: bool) -> None:
    """Check form and signature of all prekeys; the first upload holds both renewed ones. Refuses with `bad_prekeys`."""
    if is_first and (given.signed is None or given.last_resort is None):
        raise Refusal("bad_prekeys", "a device begins with a signed and a last-resort prekey")
    try:
        signer = PublicKey.deserialize(identity)
        _check_ids([key.id for key in given.one_time])
        _check_ids([key.id for key in given.one_time_kem])
        for one in given.one_time:
            PublicKey.deserialize(one.key)
        if given.signed is not None:
            signer.verify(PublicKey.deserialize(given.signed.key).serialize(), given.signed.signature)
        for kem in (*given.one_time_kem, *((given.last_resort,) if given.last_resort else ())):
            signer.verify(KemPublicKey.deserialize(kem.key).serialize(), kem.signature)
    except (InvalidKey, InvalidSignature):
        raise Refusal("bad_prekeys") from None


def check_same_device(known: PrekeyRow, registration_id: int, identity: bytes) -> None:
    """Refuse with `bad_prekeys` if a device comes with another identity than it published first."""
    if (known.registration_id, known.identity) != (registration_id, identity):
        raise Refusal("bad_prekeys", "the identity of a device never changes")


def newer(known: SignedPrekey | KemPrekey, given: SignedPrekey | KemPrekey | None) -> bool:
    """Tell whether a renewed prekey replaces the one before; an older one comes late and changes nothing.

    Refuses with `prekey_reused` if the id is the same and the key another.
    """
    if given is None:
        return False
    if given.id == known.id and given.key != known.key:
        raise Refusal("prekey_reused", data={"id": given.id})
    return given.id > known.id


def check_not_reused(kept: dict[int, bytes], given: list[OneTimePrekey] | list[KemPrekey]) -> None:
    """Refuse with `prekey_reused` if an id that is still there stands for another key."""
    for key in given:
        if kept.get(key.id, key.key) != key.key:
            raise Refusal("prekey_reused", data={"id": key.id})


def _check_ids(ids: list[int]) -> None:
    if len(set(ids)) != len(ids):
        raise Refusal("bad_prekeys", "an id is there twice")
