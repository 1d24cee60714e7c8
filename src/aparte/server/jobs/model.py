"""A job's handler and a step of the calendar, told as data; `app` hands them in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """How jobs of a name are run. `payload` is the struct that was enqueued; the handler must be idempotent."""

    name: str
    payload: Any
    handler: Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A step that is run at the times of a cron expression (UTC), once for all processes; gives what it did."""

    name: str
    cron: str
    step: Callable[[], Awaitable[int]]
