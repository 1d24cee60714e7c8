"""When to try again, and how long to wait before: full jitter, base 1 s, cap 60 s; Retry-After is honoured."""

from aparte.client.errors import ClientError, Unreachable

BASE = 1.0
CAP = 60.0


def is_transient(error: ClientError) -> bool:
    """Tell whether the same request may succeed later: no answer, 408, 429, or a server in trouble (5xx)."""
    if isinstance(error, Unreachable):
        return True
    return error.status is not None and (error.status in {408, 429} or error.status >= 500)


def pause(error: ClientError, attempt: int, chance: float) -> float:
    """Give the seconds to wait after an error. Slow mode tells each person a moment of their own: nobody else comes
    back then."""
    is_alone = error.code == "slow_mode" and error.retry_after is not None
    return delay(attempt, 0.0 if is_alone else chance, error.retry_after)


def delay(attempt: int, chance: float, retry_after: float | None = None) -> float:
    """Give the seconds to wait before attempt `attempt` + 1 (the first failed attempt is 0); `chance` is in [0, 1).

    With Retry-After: that long, and up to as much again, so that clients told the same do not come back together.
    """
    if retry_after is not None:
        return min(retry_after, CAP) * (1 + chance)
    return min(CAP, BASE * 2.0 ** min(attempt, 10)) * chance
