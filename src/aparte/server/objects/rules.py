"""How much may be left, for how long, and where: pure."""

from datetime import timedelta

from aparte.server.conversations.model import Standing
from aparte.server.objects.model import ObjectRow
from aparte.wire.errors import Refusal

KEPT = timedelta(days=30)
LITTER = timedelta(days=1)
"""How old a file without a row is before it is cleared away: no request lasts as long."""
A_DAY = 256
"""Objects that one account may leave within a day: 64 MiB."""


def check_place(standing: Standing) -> None:
    """Objects are for conversations that the server cannot read: elsewhere nothing would need one."""
    if standing.mode != "e2ee":
        raise Refusal("mode_mismatch")


def check_same(known: ObjectRow, new: ObjectRow) -> None:
    """The same object again is done; another one under its id, or by somebody else, is refused."""
    if (known.account, known.size, known.sha256) != (new.account, new.size, new.sha256):
        raise Refusal("object_exists")


def check_amount(today: int) -> None:
    """Refuse an account that has left enough for a day."""
    if today >= A_DAY:
        raise Refusal("too_many", data={"a_day": A_DAY})
