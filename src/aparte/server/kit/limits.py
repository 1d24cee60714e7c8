"""Rate limits: token buckets in this process, whose use is shared with the other processes through Valkey.

Every draw is decided here and now. What has been drawn is counted in Valkey, by a round trip before the decision for
the few limits that guard passwords and accounts (`shared="at_once"`), and for the others in the background once a
quarter of a bucket is used, so that a send never waits. What the others drew is charged to the own bucket, which may
go into debt: over any longer time all processes together keep to one limit. While Valkey is away each process keeps
to it by itself, which is more than allowed in sum but never unlimited.
"""

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aparte.wire.errors import Refusal

SHARE_SECONDS = 0.25
BUCKETS = 100_000
"""Buckets of one limit in one process; beyond it the one longest unused is forgotten."""
TOGETHER = 64
"""Counters brought up to date by one round trip."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`capacity` draws at once, refilled by `refill` a second."""

    capacity: float
    refill: float
    shared: Literal["at_once", "soon"] = "soon"


LIMITS: dict[str, Limit] = {
    # per address (IPv6: per /64), because nobody is known yet
    "login": Limit(30, 0.5, "at_once"),
    "register": Limit(20, 1 / 30, "at_once"),
    "setup": Limit(10, 1 / 60, "at_once"),
    "refresh": Limit(600, 20),
    # per what is aimed at
    "login_name": Limit(20, 0.1, "at_once"),
    "refresh_session": Limit(10, 1 / 30),
    "bundles": Limit(100, 1 / 20),
    "bundles_of": Limit(200, 0.1),
    # per account
    "password": Limit(10, 1 / 60, "at_once"),
    "read": Limit(600, 50),
    "write": Limit(40, 10),
    "send": Limit(20, 5),
    "object": Limit(40, 1),
    "lookup": Limit(60, 2),
    "directory": Limit(60, 2),
    "search": Limit(30, 1),
}


class Counters(Protocol):
    """The part of the Valkey client that is needed here."""

    @property
    def available(self) -> bool:
        """Whether it is worth asking."""

    async def batch(self, commands: Sequence[Sequence[str | int | float]]) -> list[Any]:
        """Run commands in one round trip of at most 250 ms; whatever goes wrong is an exception."""


class Bucket:
    """One bucket by the generic cell rate algorithm: `full_at` is when it will be full again (monotonic seconds)."""

    __slots__ = ("full_at", "known", "pending", "window")

    def __init__(self) -> None:
        """Start full, nothing shared yet."""
        self.full_at = 0.0
        self.pending = 0.0
        self.window = -1
        self.known = 0.0

    def take(self, limit: Limit, cost: float, now: float) -> float:
        """Draw, or give the seconds to wait until it can be drawn; 0 means drawn."""
        full_at = max(self.full_at, now) + cost / limit.refill
        wait = full_at - now - limit.capacity / limit.refill
        if wait > 1e-9:
            return wait
        self.full_at = full_at
        self.pending += cost
        return 0.0

    def give_back(self, limit: Limit, cost: float) -> None:
        """Undo a draw, here and with the next sharing for the others."""
        self.full_at -= cost / limit.refill
        self.pending -= cost

    def charge(self, limit: Limit, cost: float, now: float) -> None:
        """Pay for what other processes drew; the debt is at most one more full bucket."""
        most = now + 2 * limit.capacity / limit.refill
        self.full_at = min(max(self.full_at, now) + cost / limit.refill, max(most, self.full_at))


class Limiter:
    """The limits of one process. `run` shares them until cancelled; without Valkey nothing has to run."""

    def __init__(
        self,
        valkey: Counters | None = None,
        *,
        factor: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Scale every limit by `factor` (APARTE_LIMITS): there is no way to switch them off."""
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError("the factor of the rate limits must be a number above 0")
        self._valkey = valkey
        self._limits = {
            name: Limit(max(1.0, row.capacity * factor), row.refill * factor, row.shared)
            for name, row in LIMITS.items()
        }
        self._buckets: dict[str, OrderedDict[str, Bucket]] = {name: OrderedDict() for name in LIMITS}
        self._due: dict[tuple[str, str], Bucket] = {}
        self._clock = clock
        self._wall = wall

    def take(self, name: str, key: str, cost: float = 1.0) -> None:
        """Draw without asking anybody first; what is due is shared later. Refuses like `draw`."""
        limit = self._limits[name]
        bucket = self._bucket(name, key)
        wait = bucket.take(limit, cost, self._clock())
        if self._valkey is not None and bucket.pending * 4 >= limit.capacity:
            self._due[name, key] = bucket
        if wait:
            raise _refusal(name, wait)

    async def draw(self, name: str, key: str, cost: float = 1.0) -> None:
        """Take `cost` out of the bucket of `key`, or refuse with `rate_limited` and how long to wait."""
        self.take(name, key, cost)
        if self._limits[name].shared == "at_once" and self._valkey is not None:
            await self._ask(name, key, cost)

    async def run(self) -> None:
        """Bring the counters of the others and one's own together, for ever."""
        while True:
            await asyncio.sleep(SHARE_SECONDS)
            await self.share()

    async def share(self) -> None:
        """Share what is due, once."""
        due, self._due = self._due, {}
        waiting = list(due.items())
        for start in range(0, len(waiting), TOGETHER):
            await self._share([_Sharing(*key, bucket) for key, bucket in waiting[start : start + TOGETHER]])

    async def _ask(self, name: str, key: str, cost: float) -> None:
        """Bring the counter up to date before the draw counts as granted."""
        limit, bucket, now = self._limits[name], self._bucket(name, key), self._clock()
        await self._share([_Sharing(name, key, bucket)])
        debt = bucket.full_at - now - limit.capacity / limit.refill
        if debt > 1e-9:
            bucket.give_back(limit, cost)
            raise _refusal(name, debt)

    async def _share(self, some: "Sequence[_Sharing]") -> None:
        """Add own draws to the counters of this window, and charge what others drew that was not yet charged here.

        A counter that is met for the first time is charged with what a sliding window says was drawn lately.
        """
        if self._valkey is None or not self._valkey.available or not some:
            return
        wall = self._wall()
        commands = [command for one in some for command in one.ask(self._limits[one.name], wall)]
        try:
            replies = await self._valkey.batch(commands)
        except Exception:  # noqa: BLE001 - whatever ails Valkey, the local buckets have decided
            for one in some:
                one.bucket.pending += one.drawn
            return
        now = self._clock()
        for place, one in enumerate(some):
            _, last, total = replies[3 * place : 3 * place + 3]
            others = one.others(float(last or 0), float(total))
            limit = self._limits[one.name]
            one.bucket.charge(limit, min(limit.capacity, others), now)

    def _bucket(self, name: str, key: str) -> Bucket:
        buckets = self._buckets[name]
        bucket = buckets.get(key)
        if bucket is None:
            bucket = buckets[key] = Bucket()
            if len(buckets) > BUCKETS:
                buckets.popitem(last=False)
        else:
            buckets.move_to_end(key)
        return bucket


class _Sharing:
    """One bucket on its way to Valkey and back."""

    def __init__(self, name: str, key: str, bucket: Bucket) -> None:
        self.name = name
        self.key = key
        self.bucket = bucket
        self.drawn = 0.0
        self._window = 0
        self._earlier = 0.0

    def ask(self, limit: Limit, wall: float) -> list[tuple[str | int | float, ...]]:
        """Take the draws that were not shared yet; three commands in one order: life time, last window, own draws."""
        bucket = self.bucket
        seconds = max(1.0, limit.capacity / limit.refill)
        window, elapsed = divmod(wall, seconds)
        self._window = int(window)
        self._earlier = 1 - elapsed / seconds if bucket.window == -1 else 0.0
        if bucket.window != self._window:
            bucket.window, bucket.known = self._window, 0.0
        self.drawn, bucket.pending = min(bucket.pending, limit.capacity), 0.0
        here = _counter(self.name, self.key, self._window)
        return [
            ("SET", here, "0", "NX", "EX", math.ceil(2 * seconds) + 10),
            ("GET", _counter(self.name, self.key, self._window - 1)),
            ("INCRBYFLOAT", here, self.drawn),
        ]

    def others(self, last: float, total: float) -> float:
        """Tell what the others drew, from the totals of the last window and of this one."""
        if self.bucket.window != self._window:
            return 0.0
        others = max(0.0, total - self.bucket.known - self.drawn)
        self.bucket.known = total
        return others + last * self._earlier


def _refusal(name: str, wait: float) -> Refusal:
    return Refusal("rate_limited", data={"limit": name}, retry_after=round(max(wait, 0.01), 2))


def _counter(name: str, key: str, window: int) -> str:
    """Name a counter without telling Valkey whose it is."""
    digest = hashlib.blake2b(f"{name}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"limit:{name}:{digest}:{window}"
