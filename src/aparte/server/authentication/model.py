"""What authentication works with."""

from dataclasses import dataclass

from aparte.server.accounts.passwords import Passwords
from aparte.server.kit.db import Database
from aparte.server.sessions.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Gate:
    """The database, the hasher of passwords and the maker of tokens of one process."""

    db: Database
    passwords: Passwords
    keys: Tokens
