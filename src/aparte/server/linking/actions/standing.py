"""Whether a device may change who is on the list."""

from aparte.e2ee.device_list import DeviceList
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Reader
from aparte.server.linking import rules
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId


async def list_of(reader: Reader, account: AccountId) -> DeviceList:
    """The account's newest list, or `keys_needed`."""
    known = (await keys.lists_of(reader, [account])).get(account)
    return rules.list_of(account, known.list if known else None)


async def is_new(reader: Reader, caller: Caller) -> bool:
    """Tell whether the caller's device was linked less than a day ago. Refuses with `link_needed`: off the list."""
    found = await devices.is_new(reader, caller.account, caller.device)
    if found is None:
        raise Refusal("link_needed")
    return found


async def check_not_new(reader: Reader, caller: Caller) -> None:
    """Refuse with `device_too_new`: whoever has just got in cannot put the owner out."""
    if await is_new(reader, caller):
        raise Refusal("device_too_new")
