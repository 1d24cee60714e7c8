"""REST of one's devices."""

from aparte.server.devices import actions
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire.accounts import Device, DeviceChange, DeviceList
from aparte.wire.ids import DeviceId


class Doors:
    """`/devices`."""

    def __init__(self, db: Database) -> None:
        """Serve from this database."""
        self._db = db

    async def mine(self, call: Call[Nothing, Nothing]) -> DeviceList:
        """One's devices, active and revoked."""
        return await actions.mine(self._db, call.caller)

    async def rename(self, call: Call[DeviceChange, Nothing]) -> Device:
        """Give a device another name."""
        return await actions.rename(self._db, call.caller, DeviceId(call.id("device")), call.body.name)

    async def revoke(self, call: Call[Nothing, Nothing]) -> None:
        """Switch a device off and end its sessions."""
        await actions.revoke(self._db, call.caller, DeviceId(call.id("device")), call.origin)
