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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aparte.wire.errors import Refusal

VALKEY_SECONDS = 0.25
"""No request waits longer for Valkey."""
SHARE_SECONDS = 0.25
BUCKETS = 100_000
"""Buckets of one limit in one process; beyond it the one longest unused is forgotten."""
TOGETHER = 64
"""Counters brought up to date at the same time."""


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
    # per account
    "password": Limit(10, 1 / 60, "at_once"),
    "read": Limit(600, 50),
    "write": Limit(40, 10),
    "send": Limit(20, 5),
    "lookup": Limit(60, 2),
    "directory": Limit(60, 2),
}


class Counters(Protocol):
    """The part of the Valkey client that is needed here."""

    @property
    def available(self) -> bool:
        """Whether it is worth asking."""

    async def call(self, *arguments: Any) -> Any:
        """Run a command; whatever goes wrong is an exception."""


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
        """Undo a draw."""
        self.full_at -= cost / limit.refill

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
        if self._valkey is None or not self._valkey.available:
            return
        due, self._due = list(self._due.items()), {}
        for start in range(0, len(due), TOGETHER):
            some = due[start : start + TOGETHER]
            await asyncio.gather(*(self._share(name, key, bucket) for (name, key), bucket in some))

    async def _ask(self, name: str, key: str, cost: float) -> None:
        """Bring the counter up to date before the draw counts as granted."""
        limit, bucket, now = self._limits[name], self._bucket(name, key), self._clock()
        await self._share(name, key, bucket)
        debt = bucket.full_at - now - limit.capacity / limit.refill
        if debt > 1e-9:
            bucket.give_back(limit, cost)
            raise _refusal(name, debt)

    async def _share(self, name: str, key: str, bucket: Bucket) -> None:
        if self._valkey is None or not self._valkey.available:
            return
        limit = self._limits[name]
        drawn, bucket.pending = min(bucket.pending, limit.capacity), 0.0
        try:
            async with asyncio.timeout(VALKEY_SECONDS):
                others = await self._count(name, key, bucket, drawn)
        except Exception:  # noqa: BLE001 - whatever ails Valkey, the local bucket has decided
            bucket.pending += drawn
            return
        bucket.charge(limit, others, self._clock())

    async def _count(self, name: str, key: str, bucket: Bucket, drawn: float) -> float:
        """Add own draws to the counter of this window; return what others drew that was not yet charged here.

        A process that meets a key for the first time charges what a sliding window says was drawn lately.
        """
        assert self._valkey is not None  # noqa: S101 - asked by `_share` alone, which looked
        limit = self._limits[name]
        seconds = max(1.0, limit.capacity / limit.refill)
        window, elapsed = divmod(self._wall(), seconds)
        here = _counter(name, key, int(window))
        earlier = 0.0
        if bucket.window != int(window):
            await self._valkey.call("SET", here, "0", "NX", "EX", math.ceil(2 * seconds) + 10)
            if bucket.window == -1:
                last = await self._valkey.call("GET", _counter(name, key, int(window) - 1))
                earlier = float(last or 0) * (1 - elapsed / seconds)
            bucket.window, bucket.known = int(window), 0.0
        total = float(await self._valkey.call("INCRBYFLOAT", here, drawn))
        others = max(0.0, total - bucket.known - drawn)
        bucket.known = total
        return min(limit.capacity, others + earlier)

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


def _refusal(name: str, wait: float) -> Refusal:
    return Refusal("rate_limited", data={"limit": name}, retry_after=round(max(wait, 0.01), 2))


def _counter(name: str, key: str, window: int) -> str:
    """Name a counter without telling Valkey whose it is."""
    digest = hashlib.blake2b(f"{name}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"limit:{name}:{digest}:{window}"
