"""REST of registration, login, setup and the password."""

from pathlib import Path

from aparte.server.accounts import actions as accounts
from aparte.server.authentication import actions
from aparte.server.authentication.model import Gate
from aparte.server.kit.door import Call, Nothing
from aparte.server.kit.limits import Limiter
from aparte.wire.accounts import LogIn, NewPassword, Register, Setup, Tokens


class Doors:
    """Doors that are open to the world, and the one to another password."""

    def __init__(self, gate: Gate, limiter: Limiter, setup_token_file: Path | None = None) -> None:
        """Serve with this gate. Without a token file nobody can set up."""
        self._gate = gate
        self._limiter = limiter
        self._setup_token_file = setup_token_file

    async def register(self, call: Call[Register, Nothing]) -> Tokens:
        """Create an account with its first device, signed in."""
        return await actions.register(self._gate, call.body, call.origin)

    async def set_up(self, call: Call[Setup, Nothing]) -> Tokens:
        """Create the first administrator, with the token of the setup link."""
        return await actions.set_up(self._gate, self._setup_token_file, call.body, call.origin)

    async def log_in(self, call: Call[LogIn, Nothing]) -> Tokens:
        """Open a session on a device."""
        name = accounts.login_name(call.body.login)
        await self._limiter.draw("login_name", self._gate.keys.name_key(name).hex())
        return await actions.log_in(self._gate, call.body, call.origin)

    async def change_password(self, call: Call[NewPassword, Nothing]) -> None:
        """Replace the password; every other session is closed."""
        await actions.change_password(self._gate, call.caller, call.body, call.origin)
